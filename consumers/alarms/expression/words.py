"""The language of `when` for people: the section of docs/alarms.md, made of the tables that judge."""

from collections.abc import Iterable

from consumers.alarms import site_words
from consumers.alarms.expression.functions import FUNCTIONS, OVER_KINDS
from consumers.alarms.expression.scope import (
    DEVICE_WORDS,
    FRESH,
    FRESH_SLOW,
    SERVICE_WORDS,
    SITE_VALUES,
    TURNS,
    Quantity,
    Sort,
)
from consumers.alarms.expression.units import BASES, UNITS
from schemas.interlock import DERIVED
from schemas.site_device import POLLS

EXAMPLES = {
    "abs(i) > 1.05 * ccl": "the current is 5 % above the charge limit",
    "cell_t_max - cell_t_min > 10 K": "a part of the battery is much warmer than the rest",
    "rate(cell_t_max, 60 s) >= 0.1 K/s": "a cell warms up fast",
    "riso / u < 500 Ohm/V": "the insulation is bad for this voltage",
    "spread(bms.soc) > 10 %": "the racks are not charged alike",
    "count(outcome == 'failed', 60 s) >= 3": "commands fail again and again",
    "state == 'fault' and not has(alarms, 'epo')": "it tripped, and nobody pressed the emergency stop",
    "meter.p - site.import_limit > 2 kW": "the site draws more than it may",
    "projected(max(p, 0 W), 15 min) > site.peak_target": "this quarter of an hour becomes a new peak",
    "given(cell_t_spread, abs(i) < 20 A) > 5 K": "the cells differ in temperature, and not by what flows now",
    "no_data(5)": "the device said nothing for five of its polls",
}
"""An expression, and what is wrong when it is true."""
MANY = 12
"""So many names are listed; of more a few."""
OF_DEVICES = {
    "link": "What its bridge says of the way to it.",
    "outcome": "What became of the last command to it.",
    "action": "What became of its last start, stop, reset or grid mode.",
    "causes": "Why it is not as it should be ([causes](topics.md#causes)).",
}
OF_PARTS = {
    "state": "Whether it runs.",
    "causes": "Why it is not as it should be ([causes](topics.md#causes)).",
    "lag": "How far it is behind its input.",
}
"""What the words say that are not in `site_words`."""


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows))


def _units() -> str:
    rows = []
    for dimension, (_, words) in BASES.items():
        names = [one.name for one in UNITS.values() if one.dimension == dimension and one.name]
        rows.append((words, ", ".join(f"`{name}`" for name in names)))
    return _table(("measures", "units"), rows)


def _says(of: Quantity) -> str:
    if of.sort is Sort.NUMBER:
        return of.unit or "a number"
    names = [f"`{name}`" for name in of.known or ()]
    return f"{of.sort}, such as {', '.join(names[:3])}" if len(names) > MANY else f"{of.sort}: {', '.join(names)}"


def _named() -> str:
    told = {name: one.says for name, one in {**site_words.SITE, **site_words.DEVICE}.items()} | OF_DEVICES
    rows = [(f"`site.{name}`", _says(one), told[name]) for name, one in SITE_VALUES.items()]
    rows += [(f"`{name}` of a device", _says(one), told[name]) for name, one in DEVICE_WORDS.items()]
    rows += [(f"`{name}` of a part of joulebus", _says(one), OF_PARTS[name]) for name, one in SERVICE_WORDS.items()]
    rows += [
        (f"`{name}` of a device", one.unit, f"From {' and '.join(f'`{part}`' for part in one.parts)}.")
        for name, one in DERIVED.items()
    ]
    return _table(("name", "what it is", "what it says"), rows)


EXPRESSIONS = f"""\
## Expressions

`when` and `suppress_when` are expressions over points of the rule's device, of other devices and of the site. They are
checked against the profiles when the site file is read: a point that no device has, a unit that does not fit or a
state that is never said is refused with its column and what would be right.

{_table(("`when`", "what is wrong"), [(f"`{text}`", words) for text, words in EXAMPLES.items()])}

- `point` is one of the rule's device, `device.point` one of another, `site.value` one of the site. `kind.point` means
  the point of all devices of a kind, and stands in {", ".join(f"`{name}`" for name in OVER_KINDS)}.
- `and`, `or` and `not` join conditions; `<`, `<=`, `>`, `>=`, `==` and `!=` compare; `in ('a', 'b')` asks for states;
  `+`, `-`, `*`, `/` and parentheses calculate. Names of states and flags stand in quotes.
- A hyphen that touches a name on both sides is a part of it: `pcs-1.p` is a point, a difference is written `p - ccl`.
- A number without a unit takes that of the other side. Units are converted; `K` is a difference of temperatures, two
  temperatures have no sum. V × A is W; W and VA are compared; a unit such as `K/s` is written without blanks.
- What is not known is neither true nor false: a value that is not believed, or older than {POLLS:g} polls and
  {FRESH:g} s ({FRESH_SLOW:g} s and {TURNS} polls for a point that is read in turn). `false and unknown` is false,
  `true or unknown` is true; what is unknown neither raises nor ends an alarm. A highest, a spread or a count is already
  wrong when the part of it that is known is enough for that.
- What looks back (`rate`, `stuck`, `count`) is unknown until its span was seen; of a rate and a count what was seen may
  be enough to say that it is wrong. Behind a gap it begins anew; a rate only behind one longer than its span.
- The deadband belongs to the first comparison, and to each other of its kind of unit that `and` or `or` join with it.
  It is in the unit of the side that moves: of `p > 400 kW` in W, of `site.prices_left < 6 h` in s.

{_table(("function", "what it is"), [(f"`{one.form}`", one.words) for one in FUNCTIONS.values()])}

{_named()}

{_units()}
"""
"""A section of docs/alarms.md."""
