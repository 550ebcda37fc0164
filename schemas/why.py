"""Why the battery does what it does, as names for programs: of a step of the plan, and of what dispatch makes of it.

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

    # dispatch
    AS_PLANNED = "as_planned"
    FOLLOWS_LOAD = "follows_load"  # load or PV came otherwise than planned
    STORES_UNFORESEEN = "stores_unforeseen"
    NO_PLAN = "no_plan"
    KEEPS_RESERVE = "keeps_reserve"
    REFILLS_RESERVE = "refills_reserve"
    MANUAL = "manual"
    METER_OLD = "meter_old"
    METER_LOST = "meter_lost"
    METER_UNKNOWN = "meter_unknown"
    BMS_LOST = "bms_lost"
    BMS_UNKNOWN = "bms_unknown"
    PEAK_BOUND = "peak_bound"
    IMPORT_BOUND = "import_bound"
    EXPORT_BOUND = "export_bound"
    SOC_BOUND = "soc_bound"
    BMS_BOUND = "bms_bound"
    RATING_BOUND = "rating_bound"
