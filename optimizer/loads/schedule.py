"""The cheapest schedule of one load: a dynamic program over on and off, the time in that state, and what it keeps or
takes. Pure.

The state is a switch state and one number. Off counts down the steps until it may be started again, from its minimum
time off and its starts per hour; on counts up the steps since its start. Backwards from the end of the horizon

    V[t](s, x) = min over what may follow s of cost(P, t) + penalty(x') + V[t + 1](s', x')

and forwards from what is measured the best of what may follow is taken. Between the values of x that are kept V is
taken to be straight; all else is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from optimizer.loads.load import HOUR, Load, LoadNow, must_stay
from optimizer.loads.marginal import Marginal
from optimizer.loads.motion import Motion, motion
from optimizer.outlook import Outlook, Vector

QUARTER = 900.0
TINY = 1e-6
"""Per switching: of equal schedules the one that switches less."""


@dataclass(frozen=True)
class Schedule:
    """By step."""

    name: str
    power: Vector
    """W, mean over the step."""
    value: Vector
    """Of the band at the end of each step, or kWh to go at it."""
    outside: float = 0.0
    """Of a band: its width times hours outside of it. Of energy: kWh that are missing at deadlines."""
    later: float = 0.0
    """kWh that it leaves to be taken after the horizon; of a band against its value 0, so for comparing only."""
    words: tuple[str, ...] = ()
    """What cannot be kept, for people."""


@dataclass(frozen=True)
class Switch:
    """The switch states of a load, in steps. 0 to `off - 1`: off, with so many steps to wait; from `off` on: on since
    so many steps, the last one for longer."""

    on_least: int
    """Steps it stays on."""
    rests: int
    """Steps it stays off."""
    apart: int
    """Steps from a start to the next."""
    off: int
    """As many states it has that are off."""

    @classmethod
    def of(cls, load: Load) -> "Switch":
        once = load.rule.starts_per_hour == 1  # steps of a quarter of an hour start no load three times in an hour
        least, rests = ceil(load.rule.minimum_on / QUARTER), ceil(load.rule.minimum_off / QUARTER)
        apart = round(HOUR / QUARTER) if once else 1
        longest = round(HOUR / QUARTER) if load.rule.starts_per_hour else 1  # as dispatch may have left it
        return cls(max(1, least), max(1, rests), apart, max(rests, apart, longest) + 2)

    @property
    def ages(self) -> int:
        return max(self.on_least, self.apart)

    @property
    def count(self) -> int:
        return self.off + self.ages

    def is_on(self, state: int) -> bool:
        return state >= self.off

    def age(self, state: int) -> int:
        """Steps since the start."""
        return state - self.off + 1

    def stays(self, state: int) -> int:
        """The state after a step without a change."""
        return min(state + 1, self.count - 1) if self.is_on(state) else max(state - 1, 0)

    def turns(self, state: int) -> int:
        """After a step in which it was switched at the beginning."""
        if not self.is_on(state):
            return self.off
        return max(self.rests - 1, self.apart - self.age(state) - 1, 0)

    def may_turn(self, state: int) -> bool:
        return self.age(state) >= self.on_least if self.is_on(state) else state == 0

    def begin(self, load: Load, now: LoadNow, first: float) -> int:
        """As it was measured; never freer than that. `first`: seconds of the first step."""
        wait = _steps(must_stay(load, now), first)
        if not now.on:
            return min(wait, self.off - 1)
        apart = _steps(HOUR - now.seconds, first) if self.apart > 1 else 1
        age = min(self.on_least - wait if wait else self.ages, self.apart - apart if self.apart > 1 else self.ages)
        return self.off + max(0, min(age, self.ages) - 1)


def _steps(seconds: float, first: float) -> int:
    """Steps that a time lasts, the first of which is shorter."""
    if seconds <= 1.0:
        return 0
    return 1 if seconds <= first + 1.0 else 1 + ceil((seconds - first - 1.0) / QUARTER)


@dataclass(frozen=True)
class _Problem:
    """One load before its horizon."""

    load: Load
    switch: Switch
    moves: Motion
    prices: Marginal
    free: tuple[bool, ...]
    lasts: tuple[bool, ...]
    """By step, whether its hours leave it its minimum time on."""

    def choices(self, state: int, step: int) -> Iterator[tuple[int, float]]:
        """The state that follows, and the share of the rating."""
        on = self.switch.is_on(state)
        if not self.free[step]:  # it goes to its fallback, whatever its times
            goes_on = self.load.rule.fallback == "on"
            yield (self.switch.stays(state) if on is goes_on else self.switch.turns(state)), float(goes_on)
            return
        ways = [(self.switch.stays(state), on)]
        if self.switch.may_turn(state) and (on or self.lasts[step]):
            ways.append((self.switch.turns(state), not on))
        for after, runs in ways:
            yield from ((after, share) for share in (self.load.shares if runs else (0.0,)))

    def stage(self, value: Vector, share: float, step: int) -> tuple[Vector, Vector]:
        """The value at the end of a step, and what the step costs."""
        hours = float(self.prices.hours[step])
        power = self.moves.usable(value, share * self.load.rated, hours)
        after = self.moves.after(value, power, step)
        return after, self.prices.cost(power, step) + self.moves.penalty(after, step, hours)


def schedule(load: Load, now: LoadNow, outlook: Outlook, prices: Marginal) -> Schedule:
    """The cheapest one that keeps what can be kept. Raises ValueError when the value of its band is not known."""
    moves = motion(load, now, outlook.starts, prices)
    free = tuple(load.free(at) for at in outlook.starts)
    lasts = tuple(load.lasts(at) for at in outlook.starts)
    problem = _Problem(load, Switch.of(load), moves, prices, free, lasts)
    return _forwards(problem, _backwards(problem), now)


def _backwards(problem: _Problem) -> list[Vector]:
    """The cost from each step on, by switch state and value."""
    switch, moves, steps = problem.switch, problem.moves, len(problem.free)
    ahead = [np.tile(moves.final(moves.grid), (switch.count, 1))]
    shares = sorted({0.0, 1.0, *problem.load.shares})
    for step in reversed(range(steps)):
        found = {share: problem.stage(moves.grid, share, step) for share in shares}
        beyond = {}
        for share, (after, cost) in found.items():
            place, part = _between(moves.grid, moves.next(after, step))
            beyond[share] = cost + ahead[-1][:, place] * (1 - part) + ahead[-1][:, place + 1] * part
        each = np.empty_like(ahead[-1])
        for state in range(switch.count):
            each[state] = np.min(
                [
                    beyond[share][after] + TINY * (switch.is_on(state) is not switch.is_on(after))
                    for after, share in problem.choices(state, step)
                ],
                axis=0,
            )
        ahead.append(each)
    return ahead[::-1]


def _between(grid: Vector, value: Vector) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Vector]:
    """The place in the grid below each value, and how far it is to the next."""
    at = np.clip((value - grid[0]) / (grid[1] - grid[0]), 0.0, len(grid) - 1.0)
    place = np.minimum(at.astype(np.intp), len(grid) - 2)
    return place, at - place


def _forwards(problem: _Problem, ahead: list[Vector], now: LoadNow) -> Schedule:
    switch, moves = problem.switch, problem.moves
    state = switch.begin(problem.load, now, 3600 * float(problem.prices.hours[0]))
    value, powers, values, missing = moves.begin, list[float](), list[float](), 0.0
    for step in range(len(problem.free)):
        best, following, share = np.inf, state, 0.0
        for after, one in problem.choices(state, step):
            end, cost = problem.stage(np.array([value]), one, step)
            place, part = _between(moves.grid, moves.next(end, step))
            later = ahead[step + 1][after, place] * (1 - part) + ahead[step + 1][after, place + 1] * part
            total = float((cost + later)[0]) + TINY * (switch.is_on(state) is not switch.is_on(after))
            if total < best:
                best, following, share = total, after, one
        hours = float(problem.prices.hours[step])
        power = moves.usable(np.array([value]), share * problem.load.rated, hours)
        ended = moves.after(np.array([value]), power, step)
        missing += float(moves.penalty(ended, step, hours)[0]) / moves.weight
        powers.append(float(power[0]))
        values.append(float(ended[0]))
        state, value = following, float(moves.next(ended, step)[0])
    if moves.band is not None:
        missing /= moves.band[1] - moves.band[0]
    later = moves.stored * value
    found = Schedule(problem.load.name, np.array(powers), np.array(values), missing, later)
    return replace(found, words=_words(problem, found))


def _words(problem: _Problem, found: Schedule) -> tuple[str, ...]:
    """What cannot be kept."""
    load, moves = problem.load, problem.moves
    if moves.band is None:
        short = [(step, float(found.value[step])) for step in sorted(moves.due) if found.value[step] > 0.01]
        whole = (load.rule.energy or 0.0) / 1000
        return tuple(
            f"{load.name}: {left:.1f} of {whole:.1f} kWh will be missing at its deadline of {load.rule.deadline:%H:%M}"
            for _, left in short[:1]
        )
    low, high = moves.band
    slack = 0.01 * (high - low)
    outside = (found.value < low - slack) | (found.value > high + slack)
    if not outside.any():
        return ()
    point = load.rule.comfort.point if load.rule.comfort else ""
    last = float(found.value[outside][-1])
    hours = float(problem.prices.hours[outside].sum())
    return (f"{load.name}: {point} is outside of {low:g} to {high:g} for {hours:.1f} h, {last:.1f} at last",)
