"""What the rules that hold come to together, and where it stands: above the plan, below everything else. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from optimizer.rules.judge import Proposal
from optimizer.rules.words import proposal
from optimizer.storage import Storage

EDGE = 1.0
"""% of SoC over which a power fades towards a `soc_min`, `reserve` or `soc_max`: it never chatters at the edge."""
WIDEST = frozenset({"soc_min", "reserve"})
"""Of these the highest is the narrowest; of all other limits the lowest."""
TARGETS = frozenset({"grid_target", "power"})
AT_GRID = ("import_limit", "export_limit")

Bound = tuple[float, float, str]
"""Lowest and highest power in W, and whose it is."""


@dataclass(frozen=True)
class Wish:
    """One thing that is proposed, by one rule."""

    key: str
    """Of `then`."""
    value: float
    rule: str
    priority: int
    words: str
    """`rule `noon` holds: meter.p 412 kW > 400 kW for 60 s; import limit 380 kW until 13:00`"""


@dataclass(frozen=True)
class Wishes:
    """Of each kind of limit the narrowest, and one target at most."""

    limits: Mapping[str, Wish] = field(default_factory=dict)
    """By the key of `then`."""
    target: Wish | None = None
    ties: Sequence[str] = ()
    """Targets of one priority that contradict each other, in words."""

    def limit(self, key: str) -> float:
        """W, of a limit of power; infinite where nobody wishes one."""
        return self.limits[key].value if key in self.limits else inf


NONE = Wishes()


def combine(proposals: Iterable[Proposal]) -> Wishes:
    """The narrowest limit wins, of targets the highest priority, of equal ones the first in the file."""
    limits, targets, ties = dict[str, Wish](), list[Wish](), list[str]()
    for one in proposals:
        for key, value in one.rule.then.given.items() if one.proposes else ():
            wish = Wish(key, value, one.rule.name, one.rule.priority, one.words)
            if key in TARGETS:
                targets.append(wish)
            elif key not in limits or _narrower(key, value, limits[key].value):
                limits[key] = wish
    first = max(targets, key=lambda wish: wish.priority, default=None)  # of equals the first
    for other in targets:
        if first is None or other is first or other.priority != first.priority:
            continue
        if (other.key, other.value) != (first.key, first.value):
            ties.append(
                f"rules `{first.rule}` and `{other.rule}` hold at the same priority, {first.priority}, and contradict "
                f"each other: {proposal(first.key, first.value)} is followed and not {proposal(other.key, other.value)}"
            )
    return Wishes(limits, first, tuple(ties))


def _narrower(key: str, value: float, other: float) -> bool:
    return value > other if key in WIDEST else value < other


# in the arbitration -------------------------------------------------------------------------------


def instead(wishes: Wishes, power: float, why: str, net: float, spare: float | None) -> tuple[float, str]:
    """W of the battery and why: the target in place of what the plan wants. `net`: W the grid carries if the battery
    rests; `spare`: W of curtailed PV, which goes before a battery that would discharge."""
    one = wishes.target
    if one is None:
        return power, why
    if one.key == "power":
        return one.value, one.words
    wanted = net - one.value
    return (wanted if spare is None else min(wanted - spare, 0.0)), one.words


def bounds(wishes: Wishes, net: float, soc: float, battery: Storage, rated: float) -> list[Bound]:
    """What the limits leave the battery. Whoever puts them before all other bounds lets those win: the later does.

    By priority, the higher one later. Of one priority those of the battery come after those of the grid: energy that
    is to be kept is not spent on an import limit. `net` as for `instead`, `soc` in %, `rated` in W of the batteries.
    """
    order = sorted(wishes.limits.values(), key=lambda one: (one.priority, one.key not in AT_GRID))
    return [(*_span(one, net, soc, battery, rated), one.words) for one in order]


def _span(one: Wish, net: float, soc: float, battery: Storage, rated: float) -> tuple[float, float]:
    match one.key:
        case "import_limit":
            return net - one.value, inf
        case "export_limit":
            return -inf, net + one.value
        case "charge_limit":
            return -one.value, inf
        case "discharge_limit":
            return -inf, one.value
        case "soc_max":
            return -_faded(one.value - soc, rated), inf
    return -inf, _faded(soc - least_soc(one, battery), rated)


def least_soc(one: Wish, battery: Storage) -> float:
    """% of SoC that a `soc_min` or a `reserve` keeps."""
    return one.value if one.key == "soc_min" else battery.soc_min + 100 * one.value / battery.energy


def _faded(left: float, rated: float) -> float:
    """W, where so many % of SoC are left until the edge."""
    return rated * min(1.0, max(0.0, left / EDGE))
