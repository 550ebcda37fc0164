"""One message never ends dispatch or optimize: whatever is a valid message is heard, and the next decision is made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.dispatch.kept import Stored
from consumers.optimize.look import look
from consumers.optimize.situation import Situation
from optimizer.tariff import Series
from schemas.messages import (
    Action,
    Cause,
    ControlMode,
    ControlRequest,
    Mode,
    Outcome,
    OutcomeState,
    Plan,
    Telemetry,
)
from schemas.site import Site
from tests.consumers.test_dispatch_desk import NOON, Story, plant_site
from tests.consumers.test_optimize_pure import filled
from tests.optimizer.test_dispatch import DAWN, DUSK, INSTANTS, POWERS, strange_plans

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
DEVICES = ["grid", "pcs1", "bms1", "pv1", "nobody"]
POINTS = ("p", "soc", "u", "ccl", "dcl", "state")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return plant_site(tmp_path_factory.mktemp("site"))


@st.composite
def samples(draw: st.DrawFn) -> tuple[str, Telemetry]:
    values: dict[str, Any] = {
        point: draw(POWERS | TEXTS | st.just([])) for point in draw(st.sets(st.sampled_from(POINTS)))
    }
    seq = draw(st.integers(1, 2**63 - 1))
    device = draw(st.sampled_from(DEVICES))
    return device, Telemetry(at=draw(INSTANTS), epoch=draw(EPOCHS), seq=seq, values=values)


EPOCHS = st.sampled_from(["0" * 16, "f" * 16])


@st.composite
def requests(draw: st.DrawFn) -> ControlRequest:
    said: dict[str, Any] = {"at": draw(INSTANTS), "who": draw(TEXTS.filter(bool)), "why": draw(TEXTS)}
    said["until"] = draw(st.none() | INSTANTS)
    match draw(st.sampled_from([*Mode, Action.GRID_FORMING])):
        case Mode.MANUAL:
            return ControlRequest(mode=Mode.MANUAL, power=draw(POWERS), **said | {"until": draw(INSTANTS)})
        case Action.GRID_FORMING:
            return ControlRequest(action=Action.GRID_FORMING, **said | {"until": None, "why": "x" + said["why"]})
        case mode:
            return ControlRequest(mode=Mode(mode), **said)


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    cause = draw(st.none() | st.sampled_from([*Cause, "newer_than_we"]))
    state = draw(st.sampled_from(list(OutcomeState)))
    name = draw(st.sampled_from(["dispatch-102", "dispatch-104", "x"]))
    return Outcome(id=name, at=draw(INSTANTS), state=state, cause=cause, reason=draw(TEXTS), source="dispatch")


@st.composite
def modes(draw: st.DrawFn) -> ControlMode:
    until, power = draw(st.none() | INSTANTS), draw(st.none() | POWERS)
    return ControlMode(at=draw(INSTANTS), mode=draw(st.sampled_from(Mode)), who=draw(TEXTS), until=until, power=power)


PLANS = strange_plans().filter(lambda plan: plan.peak is None or abs(plan.peak) <= 1e12)
"""As they can be read: what no plant has is refused there."""
MESSAGES = samples() | requests() | outcomes() | PLANS | st.none()
Heard = tuple[str, Telemetry] | ControlRequest | Outcome | Plan | None


def hear(story: Story, message: Heard) -> None:
    now, mono = story.now, story.second
    match message:
        case (device, sample):
            story.desk.read(device, sample, now, mono)
        case ControlRequest():
            assert story.desk.hear(message, now, mono).model_dump_json()
        case Outcome():
            if (told := story.desk.hear_outcome(message, now, mono)) is not None:
                assert told.model_dump_json()
        case _:
            story.desk.plans.hear(message, now)


def at_work(story: Story) -> None:
    """A decision is made, and what must be kept can be kept."""
    order = story.order()
    assert order is None or abs(order.wanted.power) <= 100e3
    assert order is None or len(order.wanted.reason) <= 500
    kept = story.desk.keep(story.now, story.second)
    assert kept is not None
    assert kept.model_dump_json()


YEAR_9999 = ("grid", Telemetry(at=DUSK, epoch="0" * 16, seq=1, values={"p": 1e3}))
YEAR_1 = ("grid", Telemetry(at=DAWN, epoch="0" * 16, seq=1, values={"p": 1e3}))


@given(
    st.lists(MESSAGES, max_size=8), st.none() | modes(), st.sampled_from(["running", "off", "fault", "", "starting"])
)
@example([YEAR_9999], None, "running")
@example([YEAR_1], None, "running")
def test_dispatch_hears_anything(site: Site, heard: list[Heard], kept: ControlMode | None, state: str) -> None:
    story = Story(site)
    story.desk.begin(Stored(), Stored(kept), story.now, story.second)
    for message in heard:
        story.second += 2
        story.hear_all(state=state)
        hear(story, message)
        at_work(story)
    # and what is right is believed again soon after, unless somebody has asked for something else
    for _ in range(5):
        story.second += 1
        story.hear_all(grid=30e3, soc=80.0, state=state)
    assert story.desk.fold.load.value is not None
    assert story.desk.hear(ControlRequest(at=story.now, mode=Mode.LOCKOUT, who="x"), story.now, story.second).followed
    at_work(story)
    assert story.desk.control is not None
    assert story.desk.control.mode.mode is Mode.LOCKOUT


@given(st.lists(samples(), max_size=8))
@example([YEAR_9999, ("bms1", Telemetry(at=DUSK, epoch="0" * 16, seq=1, values={"soc": 1.0}))])
@example([YEAR_1])
def test_optimize_hears_anything(site: Site, heard: list[tuple[str, Telemetry]]) -> None:
    situation, good = Situation.of(site), {"grid": {"p": 30e3}, "pcs1": {"p": 10e3}, "bms1": {"soc": 55.0}}
    second, seq = 0.0, 10**6

    def now() -> datetime:
        return NOON + timedelta(seconds=second)

    for device, sample in heard:
        second += 1
        situation.fold(device, sample, now(), second)
    for _ in range(5):
        second, seq = second + 1, seq + 1
        for device, values in good.items():
            said: dict[str, Any] = {"at": now(), "epoch": "0" * 16, "seq": seq, "values": values}
            situation.fold(device, Telemetry(**said), now(), second)
    assert situation.missing(second) == []
    assert situation.soc(second) == 55.0
    found = look(situation, filled(site, {}), dict[str, Series](), now(), second).outlook
    assert found.soc == 55.0
    assert all(abs(value) < 1e300 for value in found.load)


@pytest.mark.parametrize("at", [DAWN, DUSK, datetime(2026, 1, 1, tzinfo=UTC)])
def test_a_plan_of_any_time_is_no_reason_to_stop(site: Site, at: datetime) -> None:
    story = Story(site)
    story.hear_all(soc=80.0)
    strange = Plan(id="x", at=at, until=DUSK, currency="EUR", steps=[], peak=1e11, cost=0.0, cost_idle=0.0)
    story.desk.plans.hear(strange, story.now)
    assert story.power() == 30e3
