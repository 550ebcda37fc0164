"""Battery, then inverter; the reverse to stop. Each stage is told once, and what takes too long is said."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.sequence import STAGES, Contactor, Inverter, Sequence, Sight, Stage
from schemas.messages import Action

V, C = Inverter, Contactor
OPEN = Sight(V.STOPPED, C.OPEN, resting=True)
CLOSED = replace(OPEN, contactor=C.CLOSED)
RUNS = Sight(V.RUNNING, C.CLOSED, resting=True)
LOADED = replace(RUNS, resting=False)
SILENT = Sight(V.SILENT, C.NOT_OURS, resting=True)

STORIES: dict[str, tuple[Action, list[Sight], list[Stage | None]]] = {
    "start": (
        Action.START,
        [OPEN, replace(OPEN, contactor=C.UNKNOWN), CLOSED, replace(CLOSED, inverter=V.BETWEEN), RUNS],
        [Stage.BATTERY_ON, None, Stage.INVERTER_ON, None, Stage.DONE],
    ),
    "it runs already": (Action.START, [RUNS], [Stage.DONE]),
    "the contactor falls on the way": (
        Action.START,
        [CLOSED, OPEN, CLOSED, RUNS],
        [Stage.INVERTER_ON, Stage.BATTERY_ON, None, Stage.DONE],
    ),
    "a battery that switches itself": (
        Action.START,
        [replace(OPEN, contactor=C.NOT_OURS), replace(RUNS, contactor=C.NOT_OURS)],
        [Stage.INVERTER_ON, Stage.DONE],
    ),
    "a battery that is lost has an unknown contactor: the inverter waits": (
        Action.START,
        [replace(OPEN, contactor=C.UNKNOWN)] * 3,
        [Stage.BATTERY_ON, None, None],
    ),
    "stop": (
        Action.STOP,
        [LOADED, RUNS, CLOSED, OPEN],
        [Stage.REST, Stage.INVERTER_OFF, Stage.BATTERY_OFF, Stage.DONE],
    ),
    "it stands already": (Action.STOP, [OPEN], [Stage.DONE]),
    "an unknown power is no rest": (Action.STOP, [replace(RUNS, resting=None)] * 2, [Stage.REST, None]),
    "an inverter that does not say": (Action.STOP, [SILENT, SILENT], [Stage.INVERTER_OFF, Stage.DONE]),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story(story: str) -> None:
    goal, sights, stages = STORIES[story]
    sequence = Sequence(goal, 0.0)
    assert [sequence.go_on(seen, float(second)) for second, seen in enumerate(sights)] == stages


def test_what_takes_too_long_is_overdue() -> None:
    sequence = Sequence(Action.START, 0.0)
    sequence.go_on(OPEN, 0.0)
    assert (sequence.overdue(29.0), sequence.overdue(31.0)) == (False, True)
    sequence.go_on(CLOSED, 31.0)
    assert not sequence.overdue(40.0), "each stage has its own patience"


def test_an_inverter_that_does_not_let_go_of_its_power_is_stopped_all_the_same() -> None:
    sequence = Sequence(Action.STOP, 0.0)
    assert sequence.go_on(LOADED, 0.0) is Stage.REST
    assert sequence.go_on(LOADED, 5.0) is None
    assert sequence.go_on(LOADED, 10.5) is Stage.INVERTER_OFF
    assert sequence.go_on(LOADED, 11.0) is None


sights = st.builds(
    Sight,
    st.sampled_from([V.STOPPED, V.RUNNING, V.BETWEEN, V.UNKNOWN]),
    st.sampled_from([C.OPEN, C.CLOSED, C.UNKNOWN]),
    st.sampled_from([True, False, None]),
)


@given(st.sampled_from(list(STAGES)), st.lists(st.tuples(sights, st.floats(0, 20)), max_size=30))
def test_whatever_is_seen_no_contactor_opens_under_an_inverter_that_runs(
    goal: Action, seen: list[tuple[Sight, float]]
) -> None:
    sequence, now, told = Sequence(goal, 0.0), 0.0, list[Stage]()
    for sight, pause in seen:
        now += pause
        stage = sequence.go_on(sight, now)
        if stage is Stage.BATTERY_OFF:
            assert sight.inverter is V.STOPPED
        if stage is Stage.INVERTER_ON:
            assert sight.contactor is C.CLOSED
        told += [stage] if stage is not None and stage is not Stage.DONE else []
    assert len(told) == len(set(told)), "each is told once"
    assert set(told) <= set(STAGES[goal])
