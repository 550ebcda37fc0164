"""The sentence of each reason: one table. Pure.

`{limit:kw}` is the number `limit` of the reason, said in kW. What stands in [ ] is said where its numbers are known.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.labels import unit_of
from schemas.messages import Why
from schemas.spans import about
from schemas.why import WhyCode, fits

PEAK = "the {per}'s peak[ of {of}] of {value:kw} kW[ at {at}][, worth {price:money} {currency}/kW]"
NOW = "{price:money} {currency}/kWh now"
FROM = "[, it pays from {limit:money} {currency}/kWh]"
LATER = "[, worth {value:money} {currency}/kWh later]"
LIMIT = "limit of {limit:kw} kW[ by {of}]"
CONTRACT = "the {limit:kw} kW of the contract of {of}"
STEERABLE = "the {limit:kw} kW that batteries may draw by {of}"
PASSED = "{value:kw} kW above "
MORE = "[; a kWh more of it is worth {price:money} {currency}]"
SILENT = "does not say what is needed[, not for more than {limit:span}]"
SAME = " are expected all the same"

SENTENCES: dict[WhyCode, str] = {
    WhyCode.HOLDS_PEAK: f"holds {PEAK}",
    WhyCode.COVERS_LOAD: f"covers the load; {NOW}{FROM}",
    WhyCode.SELLS: f"sells; {NOW}{FROM}",
    WhyCode.KEEPS_IMPORT: f"keeps the {{value:kw}} kW of the load below the import limit of {{limit:kw}} kW{MORE}",
    WhyCode.STORES_PV: f"stores PV[, sold for {{price:money}} {{currency}}/kWh]{LATER}",
    WhyCode.CHARGES_FOR_PRICE: f"charges; {NOW}, {{value:money}} {{currency}}/kWh at {{at}}[ as {{forecast}}]",
    WhyCode.CHARGES_FOR_PEAK: f"charges for {PEAK}",
    WhyCode.CHARGES_FOR_LATER: f"charges; {NOW}{LATER}",
    WhyCode.BACK_INSIDE: "comes back within its SoC limits: {value:%} %, {limit:%} % is allowed",
    WhyCode.KEEPS_FOR_PEAK: f"holds {{limit:%}} % for {PEAK}",
    WhyCode.KEEPS_FOR_PRICE: f"holds {{limit:%}} % for {{at}}; {NOW}, {{value:money}} {{currency}}/kWh then"
    "[ as {forecast}]",
    WhyCode.KEEPS_FOR_LATER: f"holds {{value:%}} % for later; {NOW}{FROM}",
    WhyCode.RESTS_FULL: "rests: full at {value:%} %",
    WhyCode.RESTS_EMPTY: "rests: empty at {value:%} %",
    WhyCode.RESTS_SPREAD: f"does not charge: {NOW}, later {{value:money}} {{currency}}/kWh at most, and with losses "
    "and wear it pays from {limit:money} {currency}/kWh",
    WhyCode.RESTS_PEAK: f"does not charge: it would raise {PEAK}",
    WhyCode.RESTS: "rests",
    WhyCode.NOTHING_TO_COVER: "rests: PV covers the load",
    WhyCode.NOTHING_TO_STORE: "rests: no PV is left to store",
    WhyCode.NOT_NEEDED: "rests: not needed for the load of now",
    WhyCode.AT_RATED: "at the {limit:kw} kW of its power[; a kWh more is worth {price:money} {currency}]",
    WhyCode.UNTIL_FULL: "then it is full at {limit:%} %",
    WhyCode.UNTIL_EMPTY: "then it is empty at {limit:%} %[; a kWh more is worth {price:money} {currency}]",
    WhyCode.IMPORT_HELD: f"held by the import {LIMIT}{MORE}",
    WhyCode.EXPORT_HELD: f"held by the export {LIMIT}{MORE}",
    WhyCode.CONTRACT_HELD: f"held by {CONTRACT}{MORE}",
    WhyCode.STEERABLE_HELD: f"held by {STEERABLE}{MORE}",
    WhyCode.IMPORT_PASSED: f"{PASSED}the import {LIMIT}{SAME}",
    WhyCode.EXPORT_PASSED: f"{PASSED}the export {LIMIT}{SAME}",
    WhyCode.CONTRACT_PASSED: f"{PASSED}{CONTRACT}{SAME}",
    WhyCode.STEERABLE_PASSED: f"{PASSED}{STEERABLE}{SAME}",
    WhyCode.PV_CURTAILED: f"{{value:kw}} kW of PV are curtailed for the export {LIMIT}",
    WhyCode.ASKED: "asked by {of}[ until {at}]",
    WhyCode.LOCKED_OUT: "locked out by {of}[ at {at}]",
    WhyCode.NO_PLAN: "no valid plan: covers the load and stores PV",
    WhyCode.KEEPS_WITHOUT_PLAN: "no valid plan: keeps {limit:%} % for the {per}'s peak",
    WhyCode.METER_SILENT: f"the grid meter {SILENT}",
    WhyCode.BMS_SILENT: f"the BMS {SILENT}",
    WhyCode.RULE: "follows the rule `{of}`",
    WhyCode.RULE_HELD: "held to {limit:kw} kW by the rule `{of}`",
    WhyCode.RESERVE_HELD: "held to {limit:kw} kW for what is kept in reserve",
    WhyCode.BMS_HELD: "held by the {limit:kw} kW of {of}",
    WhyCode.STAYS: "so small a change is not told",
    WhyCode.FEED_IN_COSTS: "feed-in costs {price:money} {currency}/kWh",
    WhyCode.LOAD_PLANNED: "as it is planned",
    WhyCode.LOAD_UNPLANNED: "no plan for it: its fallback",
    WhyCode.LOAD_SHED: "gives way to a limit",
    WhyCode.LOAD_TIMES: "kept by its minimum times",
    WhyCode.LOAD_COMFORT: "for its comfort band, {of} is {value:tenth}[ {unit}]",
    WhyCode.LOAD_UNREAD: "{of} is not read: its fallback",
    WhyCode.LOAD_DEADLINE: "{value:kw} kWh are missing until {at}",
    WhyCode.LOAD_DONE: "has taken what it needs",
}
"""Every code has one."""


def minus(number: str) -> str:
    """With the sign that people print; nothing is no less than 0."""
    return f"\N{MINUS SIGN}{number[1:]}" if number.startswith("-") and number.strip("-0.") else number.removeprefix("-")


SAID: dict[str, Callable[[float], str]] = {
    "kw": lambda watts: minus(f"{watts / 1000:.1f}"),
    "%": lambda percent: f"{percent:.0f}",
    "money": lambda price: minus(f"{price:.2f}"),
    "tenth": lambda number: minus(f"{number:.1f}"),
    "span": about,
}
"""How a number is said."""

_NUMBER, _PART = re.compile(r"\{([\w:%]+)\}"), re.compile(r"\[(.*?)\]")


class Place(NamedTuple):
    """How reasons are said at a site."""

    currency: str
    zone: ZoneInfo
    prices_until: datetime | None = None
    """From then on prices are forecast."""


def pattern(code: WhyCode) -> str:
    """Its sentence for the documents, with the fields of the reason in italics."""
    return re.sub(r"\{(\w+)[^}]*\}", r"*\1*", SENTENCES[code])


def sentence(whys: Sequence[Why], place: Place, now: datetime, power: float | None = None) -> str:
    """All reasons in words. A time of another day than that of `now` has its weekday. `power`: W that is told for them;
    what would have it go another way is said to be what else there would be.

    Raises KeyError for a code without words, and for a number that its words need and that is missing.
    """
    return "; ".join(f"{_else(why, power)}{said_by(SENTENCES, why, place, now)}" for why in whys)


def _else(why: Why, power: float | None) -> str:
    return "" if power is None or fits(why.code, power) else "else "


def said_by(table: Mapping[WhyCode, str], why: Why, place: Place, now: datetime) -> str:
    """One reason by a table of words. Raises KeyError as `sentence` does."""
    return _filled(table[_code(why)], why, place, now)


def _filled(words: str, why: Why, place: Place, now: datetime) -> str:
    known = _known(why, place, now)
    said = _PART.sub(lambda part: part[1] if {*_NUMBER.findall(part[1])} <= known.keys() else "", words)
    return _NUMBER.sub(lambda name: known[name[1]], said)


def _code(why: Why) -> WhyCode:
    try:
        return WhyCode(why.code)
    except ValueError:
        raise KeyError(why.code) from None


def _known(why: Why, place: Place, now: datetime) -> dict[str, str]:
    """All that its sentence may say, by the names in the table."""
    numbers = {name: getattr(why, name) for name in ("value", "limit", "price")}
    known = {
        f"{name}:{how}": say(number)
        for name, number in numbers.items()
        if number is not None
        for how, say in SAID.items()
    }
    known |= {name: said for name, said in (("of", why.of), ("per", why.per)) if said}
    if why.at is not None:
        at = why.at.astimezone(place.zone)
        known["at"] = f"{at:%H:%M}" if at.date() == now.astimezone(place.zone).date() else f"{at:%a %H:%M}"
        if place.prices_until is not None and why.at >= place.prices_until:
            known["forecast"] = "forecast"
    if (unit := unit_of(why.of.rpartition(".")[2])) is not None:
        known["unit"] = unit
    return known | {"currency": place.currency}
