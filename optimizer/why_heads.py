"""Why a battery does what it does in a few words, for a headline behind `Charging 80 kW: `. One table. Pure."""

from collections.abc import Sequence
from datetime import datetime

from optimizer.why_words import Place, said_by
from schemas.messages import Why
from schemas.why import WhyCode, fits

PEAK = "the {per}'s peak"
HOLDS = "holds {limit:%} % for "
BY = "[ of {of}]"

HEADS: dict[WhyCode, str] = {
    WhyCode.HOLDS_PEAK: f"holds {PEAK}",
    WhyCode.COVERS_LOAD: "covers the load",
    WhyCode.SELLS: "sells[ for {price:money} {currency}/kWh]",
    WhyCode.KEEPS_IMPORT: "keeps the import limit",
    WhyCode.STORES_PV: "stores PV",
    WhyCode.CHARGES_FOR_PRICE: "cheap now, dear at {at}",
    WhyCode.CHARGES_FOR_PEAK: f"for {PEAK}",
    WhyCode.CHARGES_FOR_LATER: "for later",
    WhyCode.BACK_INSIDE: "comes back within its SoC limits",
    WhyCode.KEEPS_FOR_PEAK: f"{HOLDS}{PEAK}",
    WhyCode.KEEPS_FOR_PRICE: f"{HOLDS}{{at}}",
    WhyCode.KEEPS_FOR_LATER: "holds {value:%} % for later",
    WhyCode.RESTS_FULL: "full at {value:%} %",
    WhyCode.RESTS_EMPTY: "empty at {value:%} %",
    WhyCode.RESTS_SPREAD: "prices do not pay losses and wear",
    WhyCode.RESTS_PEAK: f"to charge would raise {PEAK}",
    WhyCode.RESTS: "nothing pays now",
    WhyCode.NOTHING_TO_COVER: "PV covers the load",
    WhyCode.NOTHING_TO_STORE: "no PV is left to store",
    WhyCode.NOT_NEEDED: "not needed for the load of now",
    WhyCode.AT_RATED: "all of its power",
    WhyCode.UNTIL_FULL: "until it is full",
    WhyCode.UNTIL_EMPTY: "until it is empty",
    WhyCode.IMPORT_HELD: f"held by the import limit{BY}",
    WhyCode.EXPORT_HELD: f"held by the export limit{BY}",
    WhyCode.CONTRACT_HELD: f"held by the contract{BY}",
    WhyCode.STEERABLE_HELD: f"held by the limit{BY}",
    WhyCode.IMPORT_PASSED: f"the import limit{BY} cannot be kept",
    WhyCode.EXPORT_PASSED: f"the export limit{BY} cannot be kept",
    WhyCode.CONTRACT_PASSED: f"the contract{BY} cannot be kept",
    WhyCode.STEERABLE_PASSED: f"the limit{BY} cannot be kept",
    WhyCode.PV_CURTAILED: "PV is curtailed for the export limit",
    WhyCode.ASKED: "asked by {of}",
    WhyCode.LOCKED_OUT: "locked out by {of}",
    WhyCode.NO_PLAN: "serves the site without a plan",
    WhyCode.KEEPS_WITHOUT_PLAN: f"no plan, keeps {{limit:%}} % for {PEAK}",
    WhyCode.METER_SILENT: "the grid meter is silent",
    WhyCode.BMS_SILENT: "the BMS is silent",
    WhyCode.RULE: "follows the rule {of}",
    WhyCode.RULE_HELD: "held by the rule {of}",
    WhyCode.RESERVE_HELD: "held for what is kept in reserve",
    WhyCode.BMS_HELD: "held by {of}",
    WhyCode.STAYS: "so small a change is not told",
    WhyCode.FEED_IN_COSTS: "feed-in costs money",
    WhyCode.LOAD_PLANNED: "as it is planned",
    WhyCode.LOAD_UNPLANNED: "no plan for it",
    WhyCode.LOAD_SHED: "gives way to a limit",
    WhyCode.LOAD_TIMES: "kept by its minimum times",
    WhyCode.LOAD_COMFORT: "for its comfort band",
    WhyCode.LOAD_UNREAD: "{of} is not read",
    WhyCode.LOAD_DEADLINE: "for its deadline at {at}",
    WhyCode.LOAD_DONE: "has taken what it needs",
}
"""Every code has one; written as in optimizer/why_words.py."""

MORE = {WhyCode.BMS_HELD, WhyCode.AT_RATED, WhyCode.RULE_HELD, WhyCode.RESERVE_HELD, WhyCode.STAYS}
"""What takes a part of a power, and says nothing of what it is for: that stands beside it."""


def head(whys: Sequence[Why], power: float, place: Place, now: datetime) -> str:
    """Why it is told this power, in W: the first reason that goes its way, and what it is for where that is another.
    Empty where none is known, as of a newer dispatch."""
    said = list[str]()
    for one in whys:
        if not fits(one.code, power):
            continue
        try:
            said.append(said_by(HEADS, one, place, now))
        except KeyError:
            continue
        if one.code not in MORE:
            break
    return ", ".join(reversed(said))
