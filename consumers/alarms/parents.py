"""Which alarm explains which: `suppressed_by` must name what exists, and must not come back to itself. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from consumers.alarms.expression.wrong import MEANT, guess
from schemas.alarm_name import alarm_names
from schemas.site_alarm import AlarmRule

Pair = tuple[str, str]


class Named(NamedTuple):
    """What `suppressed_by` may name beside the alarms that are judged: it then explains nothing."""

    rules: Collection[str] = ()
    """Rules of the site file, also those that are refused: one that is wrong takes no other with it."""
    services: Collection[str] = ()
    """Rules for parts of joulebus, which are met when a part is heard of: `service_down-bridge`."""

    def holds(self, parent: str) -> bool:
        return parent in self.rules or any(parent.startswith(f"{one}-") for one in (*self.services, *self.rules))


def unsound(found: Mapping[Pair, AlarmRule], whose: Mapping[Pair, int], known: Named) -> Iterator[tuple[int, str, str]]:
    """Rules of the site file whose parents cannot be: their number, the key, and in words what is wrong.

    `found`: all rules of a site, by name and device; `whose`: the number of those that the site file gives.
    """
    names = {name: pair for pair, name in alarm_names(found.keys()).items()}
    parents = {pair: [*_parents(pair, rule, found, names)] for pair, rule in found.items()}
    for number in dict.fromkeys(whose.values()):
        mine = [pair for pair in whose if whose[pair] == number]
        rule = found[mine[0]]
        turn = next((words for pair in mine if (words := _cycle(pair, parents))), "")
        if words := _unknown(mine, rule, found, names, known) or turn:
            yield number, ".suppressed_by", f"alarm {rule.name}: {words}"


def parent_of(parent: str, device: str, found: Mapping[Pair, AlarmRule], names: Mapping[str, Pair]) -> Pair | None:
    """The alarm that is meant: a rule of the same device, or an alarm by its whole name."""
    return (parent, device) if (parent, device) in found else names.get(parent)


def _parents(pair: Pair, rule: AlarmRule, found: Mapping[Pair, AlarmRule], names: Mapping[str, Pair]) -> Iterator[Pair]:
    for parent in rule.suppressed_by:
        if (one := parent_of(parent, pair[1], found, names)) is not None:
            yield one


def _unknown(  # whose, and all that may be named
    mine: list[Pair],
    rule: AlarmRule,
    found: Mapping[Pair, AlarmRule],
    names: Mapping[str, Pair],
    known: Named,
) -> str:
    """A name that explains none of a rule's alarms: one for a kind may name what only some of its devices can say."""
    devices = [device for _, device in mine]
    for parent in rule.suppressed_by:
        if known.holds(parent) or any(parent_of(parent, device, found, names) for device in devices):
            continue
        near = dict.fromkeys([*(name for name, device in found if device in devices), *names])
        return f"an alarm {parent!r} does not exist; {_hint(parent, near)}"
    return ""


def _hint(parent: str, known: Collection[str]) -> str:
    """The one that was probably meant. A site has hundreds of alarms, and nobody reads a list of them."""
    meant = guess(parent, known)
    if meant.startswith(MEANT):
        return meant
    first = next(iter(known), "bms_silent")
    return (
        f"name a rule of the same device, such as {first!r}, or an alarm by its whole name (docs/alarms.md lists them)"
    )


def _cycle(start: Pair, parents: Mapping[Pair, list[Pair]]) -> str:
    """The way from an alarm over its parents back to itself, in words; empty where there is none."""
    ways: list[list[Pair]] = [[start]]
    seen: set[Pair] = set()
    while ways:
        way = ways.pop()
        for parent in parents.get(way[-1], []):
            if parent == start:
                turn = " -> ".join(name for name, _ in [*way, start])
                return f"{turn} is a cycle: each would hide the other; take one of them out"
            if parent not in seen:
                seen.add(parent)
                ways.append([*way, parent])
    return ""
