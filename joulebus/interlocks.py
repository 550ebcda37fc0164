"""The interlocks as a cause-and-effect matrix: of a site on the terminal, the shipped ones as a page."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_rules import omitted, rules_for, shipped, unguarded
from bridges.control.interlock_state import IMPOSES, mermaid
from bridges.control.interlocks import FIRST_WORD
from joulebus.words import page, table
from schemas.interlock import InterlockRule
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.site_file import load_site
from schemas.units import Kind

EFFECTS = ("charge", "discharge", "start", "stop, open", "lock out")
"""What a mark forbids, or orders."""
WIDTH = 118

ABOUT = f"""\
An interlock forbids a battery something, whoever asks for it: no command passes it, and no authority is above it. It is
judged in each control cycle, by the values that are good; each rule holds for every device of its kind whose profile
has the point or one of the flags, and is then called `<rule>-<device>`.

- A cause acts after its *hold*, at once where none is given. It is gone beyond *clear* (hysteresis) and after *off*.
- *ends* `auto`: when the cause is gone. `operator`: not by itself; when the cause is gone it waits for a named person,
  and the PCS' status says so. Who asks for `auto` by name (on the page, or by a [request](topics.md#controlrequest))
  resets it; as long as the cause is there, or nobody knows, that is refused and says why. What acts or waits is kept
  over a restart.
- Unknown is never fine. A point that is not known is as it was last known for the time given, then the effect acts
  until it is known again. `at once, as if active` is what an input for people's safety means when it is silent. What
  derates a device that guards itself may stay `as last known`; nothing else may.
- After the bridge's start a point that was never read holds the battery at 0; after {FIRST_WORD:.0f} s, or the longer
  time given, the effect acts. What a device does not have at all is taken out in the site file, with the reason.
- A percentage is what is left of the rated power of each PCS; it comes back along the battery's ramp.
- *stop, open*: power to 0, stop the inverter, open the battery's contactor, where it has one we may open."""

OWN = """\
Rules of your own stand in the [site file](configuration.md#interlock); one with the name of a shipped rule replaces it
for the devices it fits, and `omit` takes one out:

```toml
# site.toml
[[interlock]]
name = "sprinkler"
kind = "sensor"
point = "sprinkler"
unless = ["dry"]
effect = ["lock_out"]
reset = "operator"
unknown = "active"
text = "The sprinklers run. Keep away from the battery."

[[interlock]]
name = "cell_too_hot"
device = "bms"
point = "cell_t_max"
above = 50
clear = 45
hold = 5
effect = ["stop"]
reset = "operator"
text = "This battery's maker allows 50 degC."

[[interlock]]
name = "emergency_stop"
kind = "pcs"
omit = "This PCS has no button: its bit floats."
```

`joulebus interlocks site.toml` prints the matrix of a site; `joulebus check site.toml` refuses a rule that could never
act."""

ALARMS = """\
An [alarm](alarms.md) of the site file with `effect` is an interlock of the same name in the bridge of the battery. It
acts there, without the alarms service and without the broker:

```toml
# site.toml
[[alarm]]
name = "cells_hot_and_cold"
kind = "bms"
point = "cell_t_spread"
above = 8
deadband = 2
on_delay = 60
effect = ["derate"]
derate = 50
response = "Check the fans."
```

- `on_delay` is its *hold*, `off_delay` its *off*, limit and `deadband` make its *clear*; a `latched` one ends by
  `operator`. Without `off_delay`, `deadband` and `latched` it would flap, and is refused.
- `silent` and `no_data` count from the last reading of one point that each reading gives.
- A point that is not known acts after 10 s, after 60 s where the effect stops or locks out.
- `when` and `contains = "*"` are refused beside `effect`: an interlock judges one point, or flags by their names.
- No alarm replaces an interlock, be it shipped or an `[[interlock]]`: one with the name of another is refused.
- A wrong one stops no site: `joulebus check` refuses it with its line; a bridge that runs goes on with all others, and
  its status says which holds nothing (`alarm_effect`), which is an alarm itself.

The [status](topics.md#devicestatus) of the PCS names the interlocks that act, each with its effects; an alarm says what
was done about it, and dispatch which interlock keeps it from what it seeks."""

INPUTS = """\
An emergency stop, a fire detector, a door contact or a local/remote selector is a device of kind `sensor` (an I/O
module) with a [profile](add-a-device.md) of its own. These rules expect the points `emergency_stop` (`released`),
`fire` (`normal`), `door` (`closed`) and `control_loc` (`remote`); any other state is the cause, a broken wire included
when it reads as one. They are the second layer: the first is wired."""

CHEMISTRY = """\
Limits of cells are right for one chemistry: with `battery.chemistry` given in the site file, those that name it hold.
Without it, or for another one, the cells are guarded by the BMS's own limits and flags alone, and `joulebus check` says
so."""

STATES = """\
`wrong`: the cause is there; `right`: it is gone; `lost`: nobody knows. What is not drawn stays as it is, or is
refused."""


def interlocks() -> str:
    """docs/interlocks.md"""
    head = ["interlock", "cause", *EFFECTS, "ends", "not known", "what the operator reads"]
    sections = [
        (
            f"### {kind.value}",
            table(head, [_row(rule) for rule in shipped() if rule.kind is kind and not rule.chemistry]),
        )
        for kind in (Kind.SENSOR, Kind.PCS, Kind.BMS)
    ]
    cells = table(
        ["chemistry", *head], [[", ".join(rule.chemistry), *_row(rule)] for rule in shipped() if rule.chemistry]
    )
    return page(
        "# Interlocks",
        ABOUT,
        f"```mermaid\n{mermaid()}\n```",
        STATES,
        "## Shipped",
        INPUTS,
        *(part for section in sections for part in section),
        "### cells",
        CHEMISTRY,
        cells,
        "## Your own",
        OWN,
        "## Alarms that drive control",
        ALARMS,
    )


def matrix(site: Site) -> Iterator[str]:
    """The lines for a terminal. Raises Trouble for a rule that could not act."""
    locks = all_locks(site)
    rows = [(f"{lock.name}{'' if lock.shipped else ' *'}", lock.rule) for lock in locks]
    yield from _lines(rows, _owners(site, locks) if len(site.battery) > 1 else None)
    if any(not lock.shipped for lock in locks):
        yield "* of the site file"
    yield from notes(site)


def all_locks(site: Site) -> list[Interlock]:
    """Of all batteries; one that belongs to each of them stands here once. Raises Trouble."""
    found = {lock.name: lock for one in site.units for lock in rules_for(site, one)}
    return list(found.values())


def _owners(site: Site, locks: list[Interlock]) -> list[str]:
    """Which battery each acts on; `all` for a device that belongs to none, such as a fire detector."""
    owners = [site.battery_of(lock.device) for lock in locks]
    return [one.name if one else "all" for one in owners]


def notes(site: Site) -> Iterator[str]:
    """What does not hold, and why."""
    for rule in omitted(site):
        yield f"taken out: {rule.name} of {rule.device or rule.kind}: {rule.omit}"
    for one in _of_each_battery(site):
        if limits := unguarded(site, one):
            why = "is not given" if one.chemistry is None else f"is {one.chemistry}"
            whose = "battery" if len(site.battery) == 1 else one.of
            yield f"{whose}.chemistry {why}: the BMS alone guards against {', '.join(limits)}"


def _of_each_battery(site: Site) -> list[Unit]:
    """One PCS of each tells of all: the cells are the same."""
    return list({one.of: one for one in site.units}.values())


def run(path: Path | None) -> int:
    """The command."""
    for line in matrix(load_site(path)) if path else _lines([(f"{r.name} ({r.kind})", r) for r in shipped()]):
        print(line)
    return 0


def _lines(rows: list[tuple[str, InterlockRule]], owners: list[str] | None = None) -> Iterator[str]:
    names = _column("interlock", [name for name, _ in rows])
    if owners is not None:
        names = [f"{name}  {owner}" for name, owner in zip(names, _column("battery", owners), strict=True)]
    yield f"{names[0]}  {'  '.join(EFFECTS)}  {'ends':<8}  cause"
    for name, (_, rule) in zip(names[1:], rows, strict=True):
        marks = "  ".join(f"{mark:^{len(effect)}}" for mark, effect in zip(_marks(rule), EFFECTS, strict=True))
        start = f"{name}  {marks}  {rule.reset:<8}  "
        first, *more = wrap(cause(rule, plain=True), max(40, WIDTH - len(start)))
        yield start + first
        yield from (" " * len(start) + line for line in more)


def _column(head: str, cells: list[str]) -> list[str]:
    """The head and the cells, as wide as the widest."""
    width = max(len(one) for one in [head, *cells])
    return [f"{one:<{width}}" for one in [head, *cells]]


def _row(rule: InterlockRule) -> list[str]:
    return [f"`{rule.name}`", cause(rule), *_marks(rule), rule.reset, _unknown(rule), rule.text]


def _marks(rule: InterlockRule) -> list[str]:
    imposed = [IMPOSES[effect] for effect in rule.effect]
    left = f"{rule.derate or 0.0:g} %"
    sides = (
        [one.share for one in imposed if one.low > -math.inf],
        [one.share for one in imposed if one.high < math.inf],
    )
    orders = (
        any(not one.start for one in imposed),
        any(one.stop for one in imposed),
        any(one.lockout for one in imposed),
    )
    limits = [(left if all(shares) else "X") if shares else "" for shares in sides]
    return [*limits, *("X" if one else "" for one in orders)]


def cause(rule: InterlockRule, *, plain: bool = False) -> str:
    """When it acts and when no more, in words."""
    quote = "" if plain else "`"
    point = f"{quote}{rule.point}{quote}"
    back = f", clear at {rule.clear:g}" if rule.clear is not None else ""
    says = {
        "above": lambda: f"{point} > {rule.above:g}{back}",
        "below": lambda: f"{point} < {rule.below:g}{back}",
        "rises": lambda: f"{point} rises by more than {rule.rises:g} in {rule.within:g} s",
        "equals": lambda: f"{point} is {_names(rule.equals, quote)}",
        "unless": lambda: f"{point} is not {_names(rule.unless, quote)}",
        "contains": lambda: _names(rule.contains, quote),
        "silent": lambda: f"{point} not known for {rule.silent:g} s",
    }[rule.condition]()
    delays = [f"{name} {value:g} s" for name, value in (("hold", rule.hold), ("off", rule.off)) if value]
    return "; ".join([says, *delays])


def _names(names: Iterable[str] | None, quote: str) -> str:
    return " or ".join(f"{quote}{name}{quote}" for name in names or ())


def _unknown(rule: InterlockRule) -> str:
    if rule.silent is not None:
        return "is the cause"
    if rule.unknown == "nothing":
        return "as last known"
    after = f"after {rule.unknown_after:g} s" if rule.unknown_after else "at once"
    return f"{after}, as if active" if rule.unknown == "active" else after
