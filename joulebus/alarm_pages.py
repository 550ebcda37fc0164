"""The parts of docs/alarms.md that are made of the shipped rules."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

from consumers.alarms.bits import CLASSES, PRIORITIES
from consumers.alarms.catalog import EVERY_SERVICE, POLLS, Catalog
from consumers.alarms.expression.words import EXPRESSIONS
from consumers.alarms.priorities import HOUR, MATRIX, SOON
from joulebus.words import table
from schemas.interlock import DERIVED
from schemas.messages import AlarmPriority
from schemas.profiles import PROFILES, load_profile
from schemas.site_alarm import FORMER, AlarmRule
from schemas.units import Kind

OF_KIND = {
    Kind.BMS: "Batteries",
    Kind.PCS: "Power conversion",
    Kind.METER: "Meters",
    Kind.PV: "PV inverters",
    Kind.LOAD: "Loads",
    Kind.SENSOR: "Sensors",
}

CELLS = """\
A battery has the limits of its own cells: `chemistry` in its `[[battery]]` decides which of the rules below hold, and
without it none watches the voltage of its cells (`joulebus check` says so). The numbers are common ones, with their
sources beside them in `consumers/alarms/catalog.toml`: compare each with the data sheet of your cells, and replace it
by its name where that says otherwise. `soc_low` stands 2 % below the `soc_min` of the battery, and `peak_risk` looks at
the billing window of the tariff. A battery without a BMS has these rules for the PCS that tells its cells.

`cell_voltage_spread` is judged at rest: while a rack gives or takes less than a tenth of its energy in an hour. Of a
BMS that tells no voltage, it is while its current is below a tenth of what `ccl` or `dcl` allows; of one that tells
neither, always. With more current the cells are apart by their resistance: then nothing comes and nothing goes."""

REFUSED = """\
A rule that could never be raised, or that says what cannot be, is refused alone: the others run, the alarms service
raises `rule_refused-alarms`, and `joulebus check` says each with its line, what would be right, and ends with 1. Two
alarms that one condition raises, a device that a rule means and cannot watch, and a limit that is never reached are
warnings. What is refused: a device, point, state, flag or word that is not there; a unit that does not fit; a deadband
on the wrong side of its limit or so large that the alarm would never end; `suppressed_by` that names nothing or comes
back to its own rule; two rules of one name for one device; cells that the battery does not have; `effect` with
`when`."""

OWN_RULES = """\
[[alarm]]
name = "import_high"
kind = "meter"
point = "p"
above = 450e3           # W, as all powers in a site file
deadband = 20e3         # it ends below 430 kW
on_delay = 60
off_delay = 30
priority = "high"
class = "process"
cause = "The site draws nearly what its connection allows."
consequence = "The main fuse opens, and everything stands still."
response = "Switch off what can wait."
time_to_respond = 300

[[alarm]]
name = "racks_apart"
kind = "meter"          # an expression may look at any device
when = "spread(bms.soc) > 10 %"
deadband = 2
on_delay = 600
off_delay = 600
priority = "low"
class = "equipment"
cause = "The racks are not charged alike."
consequence = "The first empty one ends the discharge of all."
response = "Let the battery rest at a high SoC, and have the rack that stays behind looked at."
suppressed_by = ["meter_silent"]
suppress_when = "lowest(bms.soc) > 95 %"
"""


def rules(catalog: Catalog) -> Iterator[str]:
    """The shipped rules, a table for each kind, and how urgent they are."""
    yield "## Shipped rules"
    yield _spread(catalog)
    yield "A priority follows from what comes when nobody does anything, and from how long somebody has to avert it:"
    columns = ["what comes", *(f"within {_minutes(span)}" for span in (SOON, HOUR)), "later"]
    yield table(columns, [[severity.value, *map(str, row)] for severity, row in MATRIX.items()])
    for kind, title in OF_KIND.items():
        yield f"### {title}"
        if kind is Kind.BMS:
            yield CELLS
        yield _table(rule for rule in catalog.rules if rule.kind is kind)
    yield "### The site"
    yield "Judged once, at the meter of the grid connection."
    yield _table(catalog.site)
    yield "### Parts of joulebus"
    yield "One of `service` holds for each part that was ever seen: `service_down-archive` and so on."
    yield _table(catalog.services)
    yield "### Bits of devices"
    yield _bits()


def own() -> Iterator[str]:
    """Rules of the site file."""
    yield "## Your own"
    yield (
        "Rules of your own stand in the [site file](configuration.md#alarm); one with the name of a shipped rule "
        "replaces it for the devices it fits, and one without any words keeps those of the shipped one:"
    )
    yield f"```toml\n# site.toml\n{OWN_RULES}```"
    yield REFUSED
    yield EXPRESSIONS.strip()
    yield "## Keys of the version before"
    yield "They are still read in this version; `joulebus check` says where they stand and what to write."
    former = [[f"`{old}`", f"`{new}`"] for old, new in FORMER.items()]
    yield table(["before", "now"], [*former, ["`clear`", "`deadband`: how far behind the limit, not where"]])


def _spread(catalog: Catalog) -> str:
    """How many there are of each priority, against what the standard means."""
    names = {rule.name: rule.priority for rule in catalog.every}
    counted = Counter(names.values())
    told = ", ".join(f"{counted[one]} {one} ({100 * counted[one] / len(names):.0f} %)" for one in AlarmPriority)
    return (
        f"{len(names)} rules by name: {told}. ISA-18.2 means about 5 % critical, 15 % high and 80 % below, so that "
        "what is urgent is seen; of the high ones we have some more. The bits of devices come on top."
    )


def _bits() -> str:
    by_priority = [
        [f"`{one}`", ", ".join(f"`{word}`" for word in sorted(words))]
        for one, words in [*PRIORITIES, *((whose, words) for whose, words in CLASSES)]
    ]
    return (
        "Each bit that a profile names in `alarms`, `alarms_2`... is an alarm of its own: `pcs_fan-pcs1` is the bit "
        "`fan` of `pcs1`. Its priority and its class follow from the words in its name, the first that fits; else they "
        'are those of the rule with `contains = "*"` above. A rule of the site file for a bit takes its place, and one '
        "named `bms_alarm`, `pcs_alarm`, `pv_alarm`, `meter_alarm` or `sensor_alarm` the place of all of its kind. A "
        "bit that the profile does not name is not read: add it to the profile.\n\n"
        + table(["priority or class", "words in the name of the bit"], by_priority)
    )


def _table(shown: Iterable[AlarmRule]) -> str:
    head = ["rule", "wrong when", "right when", "on / off delay", "priority", "cause", "consequence", "response"]
    return table(head, [_rule(rule) for rule in shown])


def _rule(rule: AlarmRule) -> list[str]:
    wrong, right = conditions(rule)
    whose = f" ({rule.device})" if rule.device not in (None, EVERY_SERVICE) else ""
    cells = f" {', '.join(rule.chemistry)}" if rule.chemistry else ""
    urgent = f", within {_minutes(rule.time_to_respond)}" if rule.time_to_respond else ""
    asides = [f"suppressed by {', '.join(f'`{one}`' for one in rule.suppressed_by)}"] * bool(rule.suppressed_by)
    asides += [f"means nothing while `{rule.suppress_when}`"] * bool(rule.suppress_when)
    aside = f" ({'; '.join(asides)})" if asides else ""
    return [
        f"`{rule.name}`{whose}{cells}",
        wrong + aside,
        right,
        f"{rule.on_delay:g} s / {rule.off_delay:g} s",
        f"{rule.priority}{', latching' * rule.latched}, {rule.class_}{urgent}",
        rule.cause.replace("{flag}", "an alarm of its own, named by its bit"),
        rule.consequence,
        rule.response,
    ]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min"


def conditions(rule: AlarmRule) -> tuple[str, str]:
    """When it is wrong, and when it is right again."""
    if rule.when is not None:
        return f"`{rule.when}`", f"beyond it by {rule.deadband:g}" if rule.deadband else "else"
    if rule.silent is not None:
        return f"no telemetry for {rule.silent:g} s or {POLLS:g} polls", "readings that follow each other"
    if rule.no_data is not None:
        return f"no telemetry for {rule.no_data:g} polls", "readings that follow each other"
    if rule.equals is not None:
        return f"`{rule.point}` is `{rule.equals}`", "any other"
    if rule.contains is not None:
        return f"`{rule.point}` contains {'any' if rule.contains == '*' else f'`{rule.contains}`'}", "none"
    sign, limit, back = (">", rule.above, "≤") if rule.above is not None else ("<", rule.below, "≥")
    unit = _units().get(str(rule.point), "")
    over = limit if rule.clear is None else rule.clear
    return f"`{rule.point}` {sign} {limit:g} {unit}".rstrip(), f"{back} {over:g} {unit}".rstrip()


@cache
def _units() -> dict[str, str]:
    """Of the points of the shipped profiles, and of what is reckoned from them."""
    points = [one for path in sorted(PROFILES.glob("*.toml")) for one in load_profile(path.stem).points.items()]
    return {name: point.unit for name, point in points} | {name: one.unit for name, one in DERIVED.items()}
