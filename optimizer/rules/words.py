"""Rules in words for people. Pure."""

from schemas.messages import Value
from schemas.site_rules import UNITS, Condition, SiteRule, Until
from schemas.tariff_hours import Hours

KILO = ("W", "Wh", "var", "VA")
NAMES: dict[str, str] = {
    "soc": "the SoC",
    "import": "grid import",
    "export": "grid export",
    "price_import": "the price of import",
    "price_export": "the price of export",
    "pv_today": "the PV forecast of today",
}
"""Of each quantity."""
PROPOSES: dict[str, tuple[str, str]] = {
    "import_limit": ("import limit", "W"),
    "export_limit": ("export limit", "W"),
    "soc_min": ("keeps at least", "% SoC"),
    "soc_max": ("keeps at most", "% SoC"),
    "reserve": ("keeps a reserve of", "Wh"),
    "charge_limit": ("charge limit", "W"),
    "discharge_limit": ("discharge limit", "W"),
    "grid_target": ("grid target", "W"),
    "power": ("battery power", "W"),
}
"""What a key of `then` is called, and its unit."""


def amount(value: float, unit: str) -> str:
    """`412 kW`, `80 %`, `0.12 per kWh`."""
    if unit in KILO and (abs(value) >= 1000 or not value):
        return f"{value / 1000:.4g} k{unit}"
    return f"{value:.4g} {unit}".rstrip()


def name_of(one: Condition) -> str:
    """What a condition looks at: `meter.p`, `the SoC`."""
    return f"{one.device}.{one.point}" if one.device else NAMES[str(one.quantity)]


def asked(one: Condition) -> str:
    """What a condition asks for, without any value: `meter.p above 400 kW for 60 s`."""
    hold = f" for {one.hold:g} s" if one.hold else ""
    if one.hours is not None:
        return _hours(one.hours)
    if one.dates is not None:
        return f"on {', '.join(one.dates)}"
    if one.mode is not None:
        return f"in mode {one.mode}"
    for key in ("cheapest", "dearest"):
        if (hours := getattr(one, key)) is not None:
            return f"{name_of(one)} among the {hours:g} {key} hours of the day"
    return f"{name_of(one)} {_limit(one)}{hold}"


def seen_as(one: Condition, value: Value | bool | None) -> str:
    """What a condition asks for, with the value that was seen: `meter.p 412 kW > 400 kW for 60 s`."""
    if value is None or isinstance(value, bool):
        return asked(one) if value is not False else f"not {asked(one)}"
    hold = f" for {one.hold:g} s" if one.hold else ""
    if isinstance(value, str):
        return f"{name_of(one)} is {value}{hold}"
    if isinstance(value, list):
        return f"{name_of(one)} lists {', '.join(value) or 'nothing'}{hold}"
    unit = _unit(one)
    if one.between is not None:
        low, high = (amount(limit, unit) for limit in one.between)
        return f"{name_of(one)} {amount(value, unit)} between {low} and {high}{hold}"
    limit = one.above if one.above is not None else one.below
    sign = ">" if one.above is not None else "<"
    return f"{name_of(one)} {amount(value, unit)} {sign} {amount(limit or 0.0, unit)}{hold}"


def proposal(key: str, value: float) -> str:
    """`import limit 380 kW`."""
    name, unit = PROPOSES[key]
    return f"{name} {amount(value, unit)}"


def in_words(rule: SiteRule) -> str:
    """The whole rule as a sentence."""
    when = " and ".join(asked(one) for one in rule.when)
    then = ", ".join(proposal(key, value) for key, value in rule.then.given.items())
    ends = f", {_until(rule.until)}" if rule.until else ""
    why = f" ({rule.text})" if rule.text else ""
    return f"rule `{rule.name}`{why}: when {when}: {then}{ends}; priority {rule.priority}"


def _until(until: Until) -> str:
    return f"until {until.at:%H:%M}" if until.at is not None else f"for {until.after:g} s"


def _limit(one: Condition) -> str:
    unit = _unit(one)
    if one.between is not None:
        return f"between {amount(one.between[0], unit)} and {amount(one.between[1], unit)}"
    if one.equals is not None:
        return f"is {one.equals}"
    if one.contains is not None:
        return f"lists {one.contains}"
    if one.above is not None:
        return f"above {amount(one.above, unit)}"
    return f"below {amount(one.below or 0.0, unit)}"


def _unit(one: Condition) -> str:
    return UNITS[one.quantity] if one.quantity is not None else one.unit or ""


def _hours(hours: Hours) -> str:
    start = f"{hours.start:%H:%M}" if hours.start else "00:00"
    end = f"{hours.end:%H:%M}" if hours.end and hours.end.isoformat() != "00:00:00" else "24:00"
    days = f" on {', '.join(hours.days)}" if hours.days is not None else ""
    months = f" in months {', '.join(map(str, hours.months))}" if hours.months is not None else ""
    return f"from {start} to {end}{days}{months}"
