"""Why the battery does what it does, as names for programs: of a step of the plan, and of a command.

The sentences for people are made from these by one table, optimizer/why_words.py.
"""

from enum import StrEnum


class WhyCode(StrEnum):
    """On the wire any name may come: a newer planner knows more than an older reader."""

    # the plan discharges
    HOLDS_PEAK = "holds_peak"
    COVERS_LOAD = "covers_load"
    SELLS = "sells"
    KEEPS_IMPORT = "keeps_import"  # the load alone would pass the import limit

    # the plan charges
    STORES_PV = "stores_pv"
    CHARGES_FOR_PRICE = "charges_for_price"
    CHARGES_FOR_PEAK = "charges_for_peak"
    CHARGES_FOR_LATER = "charges_for_later"  # for hours beyond the plan
    BACK_INSIDE = "back_inside"  # of the SoC limits of the owner

    # the plan lets it rest
    KEEPS_FOR_PEAK = "keeps_for_peak"
    KEEPS_FOR_PRICE = "keeps_for_price"
    KEEPS_FOR_LATER = "keeps_for_later"
    RESTS_FULL = "rests_full"
    RESTS_EMPTY = "rests_empty"
    RESTS_SPREAD = "rests_spread"  # prices do not pay losses and wear
    RESTS_PEAK = "rests_peak"  # to charge would raise the peak
    RESTS = "rests"

    # the load of now is another than the plan's: it rests
    NOTHING_TO_COVER = "nothing_to_cover"
    NOTHING_TO_STORE = "nothing_to_store"
    NOT_NEEDED = "not_needed"

    # what ends a power of the plan
    AT_RATED = "at_rated"
    UNTIL_FULL = "until_full"
    UNTIL_EMPTY = "until_empty"
    IMPORT_HELD = "import_held"
    EXPORT_HELD = "export_held"
    CONTRACT_HELD = "contract_held"
    STEERABLE_HELD = "steerable_held"
    IMPORT_PASSED = "import_passed"
    EXPORT_PASSED = "export_passed"
    CONTRACT_PASSED = "contract_passed"
    STEERABLE_PASSED = "steerable_passed"
    PV_CURTAILED = "pv_curtailed"

    # what dispatch makes of it: its commands alone say so
    ASKED = "asked"
    LOCKED_OUT = "locked_out"
    NO_PLAN = "no_plan"
    KEEPS_WITHOUT_PLAN = "keeps_without_plan"  # so much of the SoC, for the billed peak
    METER_SILENT = "meter_silent"
    BMS_SILENT = "bms_silent"
    RULE = "rule"  # its target instead of what the plan wants
    RULE_HELD = "rule_held"
    RESERVE_HELD = "reserve_held"
    BMS_HELD = "bms_held"  # less than the rating: by the BMS, or by what the bridge let pass lately
    STAYS = "stays"  # so small a change is not told
    FEED_IN_COSTS = "feed_in_costs"  # PV is curtailed

    # what decides of a flexible load
    LOAD_PLANNED = "load_planned"
    LOAD_UNPLANNED = "load_unplanned"
    LOAD_SHED = "load_shed"
    LOAD_TIMES = "load_times"
    LOAD_COMFORT = "load_comfort"
    LOAD_UNREAD = "load_unread"
    LOAD_DEADLINE = "load_deadline"
    LOAD_DONE = "load_done"


WAYS: dict[str, int] = {
    **dict.fromkeys((WhyCode.COVERS_LOAD, WhyCode.SELLS, WhyCode.KEEPS_IMPORT, WhyCode.UNTIL_EMPTY), 1),
    **dict.fromkeys(
        (
            WhyCode.STORES_PV,
            WhyCode.CHARGES_FOR_PRICE,
            WhyCode.CHARGES_FOR_PEAK,
            WhyCode.CHARGES_FOR_LATER,
            WhyCode.UNTIL_FULL,
        ),
        -1,
    ),
    **dict.fromkeys(
        (
            WhyCode.KEEPS_FOR_PEAK,
            WhyCode.KEEPS_FOR_PRICE,
            WhyCode.KEEPS_FOR_LATER,
            WhyCode.RESTS_FULL,
            WhyCode.RESTS_EMPTY,
            WhyCode.RESTS_SPREAD,
            WhyCode.RESTS_PEAK,
            WhyCode.RESTS,
            WhyCode.NOTHING_TO_COVER,
            WhyCode.NOTHING_TO_STORE,
            WhyCode.NOT_NEEDED,
            WhyCode.BMS_SILENT,
        ),
        0,
    ),
}
"""Of reasons that only one way of a battery has: 1 discharging, -1 charging, 0 at rest. Every other one may have any:
a peak is held by less charging, too."""
IDLE = 50.0
"""W: less is rest."""


def way(power: float) -> int:
    """1 discharging, -1 charging, 0 at rest."""
    return 0 if abs(power) < IDLE else 1 if power > 0 else -1


def fits(code: str, power: float) -> bool:
    """Whether it can be why a battery is told this power, in W."""
    return WAYS.get(code, way(power)) == way(power)
