"""Why a quarter of an hour cost something else than its plan meant. Pure.

The difference is walked through step by step, from what was planned to what was measured; each step is priced by the
same tariff, so the parts add up to the difference exactly. First load, PV and prices become what they were, with the
battery as planned: that is the error of the forecast. Then the battery's energy becomes what it was, one cause after
the other: what limited the connection and the cells, the load it followed, who commanded, and what the PCS made of it.
None goes further than the battery really went. What no evidence explains is unknown.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from optimizer.demand_share import Share
from optimizer.money import Energies, Prices, paid, shifted
from schemas.messages import Authority
from schemas.messages import Cause as Said

NOISE = 0.02
"""Of the rated power: a PCS and its setpoint differ by so much without any cause."""


class Why(StrEnum):
    """Where a difference comes from."""

    FORECAST = "forecast"  # load, PV or prices came otherwise, and what the battery did about it
    DERATE = "derate"  # the battery could do less
    LIMIT = "grid_limit"  # less could be drawn or fed in
    LOST = "lost"  # a device, the plan, dispatch or the broker was silent
    CLAMP = "clamp"  # dispatch's and the bridge's own rules: SoC, ramp, peak, the loop over the meter
    OPERATOR = "operator"  # a person or a market wanted something else
    UNKNOWN = "unknown"


LIMITS: dict[str, Why] = {
    "register:worn": Why.CLAMP,
    "register:budget": Why.CLAMP,
    "DEVICE:range": Why.DERATE,
    "DEVICE:apparent_power": Why.DERATE,
    "interlock:NAME": Why.DERATE,
    "pcs:reversed": Why.DERATE,
    "pcs:stopping": Why.DERATE,
    "pcs:not_running": Why.DERATE,
    "pcs:state_unknown": Why.LOST,
    "pcs:apparent_power": Why.DERATE,
    "pcs:rated_power": Why.DERATE,
    "pcs:own_pv": Why.DERATE,
    "loop:CAUSE": Why.CLAMP,
    "bms:missing": Why.LOST,
    "bms:current": Why.DERATE,
    "bms:soc_missing": Why.LOST,
    "battery:soc": Why.CLAMP,
    "battery:ramp": Why.CLAMP,
    "meter:trial": Why.CLAMP,
    "meter:missing": Why.LOST,
    "site:grid": Why.LIMIT,
    "AUTHORITY:limit": Why.LIMIT,
}
"""By what an outcome says it was limited by (docs/control.md#limits)."""

ORDERED: dict[Authority, Why] = {
    Authority.PROTECTION: Why.LIMIT,
    Authority.DSO: Why.LIMIT,
    Authority.OPERATOR: Why.OPERATOR,
    Authority.MARKET: Why.OPERATOR,
    Authority.PLAN: Why.CLAMP,
    Authority.SELF_CONSUMPTION: Why.LOST,  # dispatch had no valid plan
}
"""By the authority of the command that held."""

STATUS: dict[str, Why] = {
    **dict.fromkeys(
        (Said.NO_ANSWER, Said.MISSING_POINTS, Said.DOUBTED_VALUES, Said.CRITICAL_POINT, Said.FROZEN, Said.BMS_MISSING,
         Said.METER_MISSING, Said.NO_COMMAND, Said.STOPPING, Said.CLOCK_SKEW), Why.LOST,
    ),
    **dict.fromkeys(
        (Said.TRIPPED, Said.INTERLOCK, Said.REVERSED, Said.NOT_OBEYED, Said.DECLINED, Said.WATCHDOG, Said.LOCAL),
        Why.DERATE,
    ),
    **dict.fromkeys((Said.SWINGING, Said.METER_POLARITY, Said.WORN, Said.NOT_HELD, Said.FOREIGN_WRITE), Why.CLAMP),
}  # fmt: skip
"""By what the bridge says is wrong with a PCS or its BMS; other causes say nothing of its power."""


def why_limited(name: str) -> Why:
    """Of a name in `limited_by`; one that a newer bridge knows is unknown."""
    who, _, what = name.partition(":")
    for key in (name, f"{who}:NAME", f"{who}:CAUSE", f"DEVICE:{what}", f"AUTHORITY:{what}"):
        if key in LIMITS:
            return LIMITS[key]
    return Why.UNKNOWN


class Band(NamedTuple):
    """Wh within which the battery was held, and by what."""

    low: float
    high: float
    why: Why


class Held(NamedTuple):
    """What stood behind the commands for a part of the quarter."""

    seconds: float
    energy: float
    """Wh that were commanded meanwhile; in a silence those of the fallback."""


class Evidence(NamedTuple):
    """What the archive knows of a quarter of an hour beside its energies."""

    bands: tuple[Band, ...] = ()
    """In the order in which they are taken for the cause."""
    wanted: float | None = None
    """Wh that the PCS were commanded."""
    told: float | None = None
    """Wh that they were set to then, as they show it."""
    behind: Mapping[Why, Held] = {}
    """Who stood behind the commands, or their silence."""
    limited: Mapping[Why, float] = {}
    """Weights: what made less of the commands."""
    device: Why = Why.UNKNOWN
    """Why a PCS does something else than it is told."""
    rated: float = 0.0
    """W of all PCS."""


class Planned(NamedTuple):
    """The step of the plan that held: means in W, prices per kWh as the plan believed them."""

    grid: float
    power: float
    prices: Prices


class Split(NamedTuple):
    """The planned cost, and by cause how much dearer it came; below 0 cheaper. Wear is in both."""

    planned: float
    parts: dict[Why, float]


def split(
    energies: Energies, prices: Prices, share: Share, planned: Planned, evidence: Evidence, *, wear_price: float
) -> Split | None:
    """None while the energies are unknown. `wear_price` per kWh the battery gives."""
    imported, exported, battery = energies.imported, energies.exported, energies.battery
    if imported is None or exported is None or battery is None or energies.wear is None:
        return None
    # counters make the energy, and the mean power the peak: they differ by little
    apart = 0.0 if energies.drawn is None else energies.drawn - imported
    worn = energies.wear - wear_price * max(battery, 0.0) / 1000

    def priced(gave: float) -> float:
        """With load and PV as they were, and a battery that gave so many Wh."""
        into, out = shifted(imported, exported, battery - gave)
        return paid(into, out, prices) + share.at(into + apart) + worn + wear_price * max(gave, 0.0) / 1000

    grid, power = planned.grid / 4, planned.power / 4
    meant = paid(max(grid, 0.0), max(-grid, 0.0), planned.prices) + share.at(max(grid, 0.0))
    meant += wear_price * max(power, 0.0) / 1000
    parts = dict.fromkeys(Why, 0.0)
    parts[Why.FORECAST] = priced(power) - meant
    error = (imported - exported + battery - grid - power) if evidence.behind.get(Why.CLAMP) else 0.0
    for why, before, after in _walk(power, battery, evidence, error):
        parts[why] += priced(after) - priced(before)
    return Split(meant, parts)


def _walk(planned: float, measured: float, evidence: Evidence, error: float) -> list[tuple[Why, float, float]]:
    """The causes with the Wh of the battery before and after each; from what was planned to what was measured.

    `error`: Wh by which load less PV came higher than planned. Dispatch follows it by the plan's own rule.
    """
    steps, at = list[tuple[Why, float, float]](), planned

    def go(why: Why, towards: float) -> None:
        nonlocal at
        low, high = sorted((at, measured))
        after = min(max(towards, low), high)
        if after != at:
            steps.append((why, at, after))
            at = after

    def spread(weights: Mapping[Why, float], towards: float) -> None:
        begin, total = at, sum(weights.values())
        for why, weight in weights.items() if total > 0 else ():
            go(why, at + (towards - begin) * weight / total)

    for band in evidence.bands:
        go(band.why, min(max(at, band.low), band.high))
    go(Why.FORECAST, at if error == 0 else planned + error)
    goal = next(one for one in (evidence.wanted, evidence.told, measured) if one is not None)
    spread(_apart(planned, goal - at, evidence.behind), goal)
    go(Why.UNKNOWN, goal)
    spread(evidence.limited, measured if evidence.told is None else evidence.told)
    follows = abs(measured - at) <= NOISE * evidence.rated / 4
    go(Why.UNKNOWN if follows else evidence.device, measured)
    return steps


def _apart(planned: float, way: float, behind: Mapping[Why, Held]) -> dict[Why, float]:
    """Wh by which each commanded other than planned, as far as that goes in the way of the whole."""
    apart = {why: one.energy - planned * one.seconds / 900 for why, one in behind.items()}
    return {why: abs(wh) for why, wh in apart.items() if wh * way > 0}


def limits(watts: Mapping[str, float]) -> dict[Why, float]:
    """By cause, the W that each name in `limited_by` took."""
    found = dict[Why, float]()
    for name, taken in watts.items():
        if taken > 0:
            found[why_limited(name)] = found.get(why_limited(name), 0.0) + taken
    return found
