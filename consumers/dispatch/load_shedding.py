"""Which flexible loads give way to a limit, by how much, and when they come back. Pure: the clock is an argument."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from consumers.dispatch.load_seen import LoadSeen
from optimizer.loads.choice import YIELDS, Choice, Why, shed
from optimizer.loads.load import HOUR
from schemas.messages import Authority, HeldLimit

RELEASE = 60.0
"""Seconds after which a load that was shed may come back: the limit is left for so long, and by as much as it draws."""
LONGEST = 900.0
"""The same at last: each time within an hour that it had to go again doubles them. A site that hovers at its limit
would else switch it each minute."""
NEAR = 0.98
"""Of a limit: from there on the next step of any load would pass it."""
DEAF = 1.1
"""Of what it is told: a dimmable load that draws more for `RELEASE` beyond a limit does not dim, and is switched."""
OBEYS = 30.0
"""Seconds after which a load that still draws more than it is told does not obey: what it should give others give."""
HARD = (Authority.DSO, Authority.PROTECTION)
"""Whose limits go before the minimum times of a load."""


@dataclass(frozen=True)
class Strain:
    """How near the site is to a limit."""

    lacks: float
    """W beyond what the grid may carry when the batteries give all that they can; negative: W that are free."""
    why: str = ""
    """Which limit."""
    hard: bool = False
    """It is one of `HARD`."""


CALM = Strain(-inf)
UNSEEN = Strain(0.0, "the grid connection is not seen, what is off stays off")
"""Nobody knows how near it is: what runs runs on, and what would give way to a limit does not start."""


@dataclass
class Way:
    """One load that gives way."""

    last: float = -inf
    """When it was last in the way of a limit."""
    turns: deque[float] = field(default_factory=lambda: deque(maxlen=60))
    """When it had to go while it ran."""
    cap: float = 1.0
    """Of its rating, that a dimmable one may draw..."""
    lowered: float = -inf
    """...and when that was lowered last, or raised: it is raised once in `RELEASE`, by what was free all the time."""
    free: float = inf
    """The least share that was free since then."""
    obeyed: float = -inf
    """When it last drew no more than it was told, or no limit was passed."""
    drew: float = inf
    """Since when it draws more than it is told."""

    def rests(self, mono: float, *, short: bool) -> None:
        """It is off, or on for more than a limit. How often it had to go is remembered. `short`: it would not fit."""
        self.last = mono if short else self.last
        self.cap, self.lowered, self.free, self.obeyed, self.drew = 1.0, -inf, inf, mono, inf

    def waits(self, mono: float) -> bool:
        """It was in the way a short while ago."""
        times = sum(mono - turn < HOUR for turn in self.turns)
        return mono - self.last < min(RELEASE * 2.0 ** max(0, times - 1), LONGEST)

    def gives(self, told: float, draws: float, mono: float) -> float:
        """W more, or less, that it will draw than it does; nothing less of one that does not obey."""
        self.drew = min(self.drew, mono) if draws > DEAF * told else inf
        return told - draws if mono - self.drew <= OBEYS else max(told - draws, 0.0)

    def fit(self, share: float, mono: float) -> float:
        """What a dimmable one may draw, of which `share` would fit now."""
        if share < self.cap:
            self.cap, self.lowered, self.free = share, mono, inf
        self.free = min(self.free, share)
        if mono - self.lowered >= RELEASE:
            self.cap, self.lowered, self.free = min(1.0, self.free), mono, inf
        return self.cap


@dataclass
class Shedding:
    """All loads, in the order of the site file: the first gives way first."""

    ways: dict[str, Way] = field(default_factory=dict)

    def look(
        self, seen: Mapping[str, LoadSeen], choices: Mapping[str, Choice], strain: Strain, mono: float
    ) -> dict[str, Choice]:
        """What is left of what each wants: what runs goes until enough of it is gone, and what would start has to
        fit."""
        found, lacks = dict(choices), strain.lacks
        for name, choice in choices.items():
            one = seen[name]
            if not (one.load.rule.sheds and choice.on and choice.why in (*YIELDS, Why.TIMES)):
                if name in self.ways:
                    short = choice.why is Why.TIMES and lacks + one.load.rated > 0
                    self.ways[name].rests(mono, short=short)
                continue
            draws = one.power if one.on else 0.0
            dimmed = self._dimmed(one, choice, strain, lacks, mono) if one.load.dims else None
            found[name] = dimmed or self._switched(one, choice, strain, lacks, mono)
            more = self.ways[name].gives(one.load.rated * (found[name].share or 0.0), draws, mono)
            # what starts together must fit together
            lacks += max(0.0, more) if found[name] is choice else more
        return found

    def _switched(self, one: LoadSeen, choice: Choice, strain: Strain, lacks: float, mono: float) -> Choice:
        way = self.ways.setdefault(one.load.name, Way())
        more = 0.0 if one.on else one.load.rated * (choice.share or 0.0)
        in_the_way = lacks + more > 0 if strain is not UNSEEN else not one.on
        if in_the_way and one.on and not way.waits(mono):
            way.turns.append(mono)
        if in_the_way:
            way.last = mono
        if in_the_way or (way.waits(mono) and strain is not UNSEEN):
            return shed(one.load, one.now(mono), choice, strain.why or "a limit was near", hard=strain.hard)
        return choice

    def _dimmed(self, one: LoadSeen, choice: Choice, strain: Strain, lacks: float, mono: float) -> Choice | None:
        """As much as fits, or the choice itself where that fits; None where it is to be switched: nothing that it can
        run at fits, or it was told less and does not dim."""
        way, rated = self.ways.setdefault(one.load.name, Way(obeyed=mono)), one.load.rated
        told = rated * min(way.cap, choice.share or 0.0)
        # one that was found deaf is so until it is off
        if not one.on or (mono - way.obeyed <= RELEASE and (lacks <= 0 or one.power <= DEAF * told)):
            way.obeyed = mono
        if not one.on or strain is UNSEEN:
            return None
        share = way.fit((one.power - lacks) / rated, mono)
        if share < one.load.shares[0] or mono - way.obeyed > RELEASE:
            return None
        if share >= (choice.share or 0.0):
            return choice if lacks > 0 else None
        return Choice(share, Why.SHED, f"{share * rated / 1000:.1f} kW: {strain.why or 'a limit was near'}")


def strained(
    grid: float | None, spare: float, bounds: Sequence[tuple[float, str]], hard: str = "", relieved: float = 0.0
) -> Strain:
    """`grid`: W at the connection point as its meter shows it, None while it is not known; `relieved`: W less than that
    it may carry by now. `spare`: W that the batteries can give beside what they give, without what is kept in reserve.
    `bounds`: W that may be drawn, each with whose it is; `hard`: which of them goes before minimum times."""
    if not bounds:
        return CALM
    if grid is None:
        return UNSEEN
    most, why = min(bounds)
    words = f"{grid / 1000:.0f} kW of {most / 1000:.0f} kW are drawn, {why}"
    return Strain(grid - relieved - spare - NEAR * most, words, bool(hard) and why == hard)


def consumption(held: Iterable[HeldLimit], limit: float, most: float) -> tuple[str, bool]:
    """Whose import limit of `most` W it is, in words, and whether it goes before minimum times. `limit`: the site
    file's."""
    if most >= limit:
        return "the import limit", False
    of = [one for one in held if one.direction == "consumption" and one.power <= most + 1.0]
    hard = next((one for one in of if one.authority in HARD), None)
    return ("the import limit", False) if hard is None else (f"a limit by {hard.source} as {hard.authority}", True)
