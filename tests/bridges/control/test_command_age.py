"""How old a command is when the wall clock was set while it was held back: never younger than it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.command_age import LATE, SLACK, Sending, StepWatch, earliest, in_rhythm
from bridges.control.command_history import Arrival, History
from bridges.control.guard import Station, refusal
from runtime.clock import SMALLEST, Step
from schemas.messages import Authority, Cause, Command

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIFE = 10.0
EPOCH = "ab" * 8


def back(at: float, seconds: float) -> Step:
    return Step(at, timedelta(seconds=-seconds))


@pytest.mark.parametrize(
    ("sending", "steps", "sent"),
    [
        # the clock was never set
        (Sending(95.0, 100.0, LIFE), [], 95.0),
        # set back by 12 s at 98: sent at 83 and held back, it looks as if sent at 95
        (Sending(95.0, 100.0, LIFE), [back(98.0, 12.0)], 83.0),
        # by its number it came after one that was sent at 90
        (Sending(95.0, 100.0, LIFE, after=90.0), [back(98.0, 12.0)], 95.0),
        # long after the step: nobody can have sent it by the former clock
        (Sending(195.0, 200.0, LIFE), [back(98.0, 12.0)], 195.0),
        # set ahead: by the former clock it would come from the future
        (Sending(95.0, 100.0, LIFE), [Step(98.0, timedelta(seconds=12))], 95.0),
        # by an hour: held back for an hour, or sent just now
        (Sending(99.0, 100.0, LIFE), [back(98.0, 3600.0)], -3501.0),
        (Sending(99.0, 100.0, LIFE, live=True), [back(98.0, 3600.0)], 99.0),
        (Sending(299.0, 300.0, LIFE), [back(98.0, 3600.0)], -3301.0),
        # a rhythm alone proves nothing of a small step: what waits in a slow line keeps its distances
        (Sending(95.0, 100.0, LIFE, live=True), [back(98.0, 12.0)], 83.0),
        # set back twice
        (Sending(95.0, 100.0, LIFE), [back(90.0, 20.0), back(98.0, 12.0)], 63.0),
        # a glitch ahead and back is none for what was sent after it
        (Sending(99.0, 100.0, LIFE), [Step(80.0, timedelta(seconds=3600)), back(90.0, 3600.0)], 99.0),
    ],
)
def test_the_earliest_moment_it_may_have_been_sent(sending: Sending, steps: list[Step], sent: float) -> None:
    assert earliest(sending, steps) == sent


@pytest.mark.parametrize(
    ("sent", "came", "rhythm"),
    [(2.0, 2.0, True), (2.0, 2.4, True), (2.0, 0.0, False), (2.0, 15.0, False), (-58.0, 2.0, False), (0.1, 0.1, False)],
)
def test_what_was_held_back_has_no_rhythm(sent: float, came: float, rhythm: bool) -> None:
    assert in_rhythm(sent, came) == rhythm


@pytest.mark.parametrize("little", [0.05, 0.3, 0.9, 12.0])
def test_a_step_is_found_also_when_it_is_made_little_by_little(little: float) -> None:
    watch, wall = StepWatch(), NOON
    for second in range(int(12 / little) + 1):
        watch.look(float(second), wall + timedelta(seconds=second))
        wall -= timedelta(seconds=little)
    found = -sum((step.by for step in watch.steps), timedelta()).total_seconds()
    assert found == pytest.approx(12.0, abs=SMALLEST.total_seconds() + little) or little < SMALLEST.total_seconds() / 60
    assert not StepWatch().steps


class World:
    """A sender and a bridge whose clocks are set together, and what lies between them."""

    def __init__(self) -> None:
        self.now, self.moved, self.number = 1000.0, 0.0, 0
        self.history = History(0.0)

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.now + self.moved)

    def wait(self, seconds: float) -> None:
        """The bridge looks at its clock in each cycle."""
        ends = self.now + seconds
        while self.now < ends:
            self.history.watch.look(self.now, self.wall())
            self.now = min(self.now + 1.0, ends)
        self.history.watch.look(self.now, self.wall())

    def send(self, *, numbered: bool, life: float = LIFE) -> tuple[float, Command]:
        """When, and what."""
        self.number += 1
        order: dict[str, Any] = {"epoch": EPOCH, "number": self.number} if numbered else {}
        at = self.wall()
        return self.now, Command(
            id=f"c{self.number}", at=at, until=at + timedelta(seconds=life), source="dispatch",
            authority=Authority.PLAN, values={"p_set": 1.0}, reason="age", **order,
        )  # fmt: skip

    def come(self, command: Command) -> Cause | None:
        """It comes now, and is taken at once."""
        self.history.watch.look(self.now, self.wall())
        arrival = self.history.dated(Arrival(command, False, self.wall(), self.now))
        station = Station(["p_set"], [], {"dispatch": Authority.OPERATOR})
        no = refusal(arrival, station, self.history, None, self.now)
        if no is None:
            self.history.remember(arrival)
        return None if no is None else no.cause


happens = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.1, 90)),
    st.tuples(st.just("step"), st.floats(-200, 200)),
    st.tuples(st.just("send"), st.just(0.0)),
    st.tuples(st.just("hold"), st.just(0.0)),
    st.tuples(st.just("release"), st.just(0.0)),
)


@given(st.lists(happens, max_size=40), st.booleans())
def test_nothing_is_obeyed_that_is_older_than_it_may_be(story: list[tuple[str, float]], numbered: bool) -> None:
    """Whatever is held back for however long, and however the clocks are set meanwhile."""
    world, held = World(), list[tuple[float, Command]]()
    world.wait(1.0)
    for what, size in story:
        match what:
            case "wait":
                world.wait(size)
            case "step":
                world.moved += size
                world.wait(0.001)
            case "send":
                world.come(world.send(numbered=numbered)[1])
            case "hold":
                held.append(world.send(numbered=numbered))
            case _ if held:
                sent, command = held.pop(0)
                if world.come(command) is None:
                    assert world.now - sent <= LIFE + 2 * SMALLEST.total_seconds()


@pytest.mark.parametrize("step", [-86_400.0, -3600.0, -90.0, -30.0, -12.0, -3.0])
@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_nobody_is_shut_out_for_as_long_as_the_step(step: float, numbered: bool, known: bool) -> None:
    world = World()
    world.wait(1.0)
    if known:
        assert world.come(world.send(numbered=numbered)[1]) is None
        world.wait(1.0)
    world.moved += step
    began, obeyed = world.now, None
    while obeyed is None:
        world.wait(2.0)
        obeyed = world.now if world.come(world.send(numbered=numbered)[1]) is None else None
        assert world.now - began < 90, "shut out"
    by_order = LATE + 4 if known and not numbered else 0.0  # without numbers time is the order, for a minute
    doubted = 2.0 if known and numbered else min(-step + SLACK + 2, LATE + LIFE + SLACK + 4)
    assert obeyed - began <= max(doubted, by_order) + 2
