"""What is late, retained, unknown or contradictory is refused, and the refusal says why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.command_history import Arrival, History
from bridges.control.guard import Holder, Refusal, Station, actions, is_limit, refusal, understood
from schemas.messages import Action, Authority, Cause, Command, OutcomeState

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGAN = 100.0
"""Monotonic seconds at which the bridge began; it is noon 1000 s later."""
NOW = 1100.0
SOURCES = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
STATION = Station(points=["p_set"], actions=[Action.START], sources=SOURCES)
EPOCH, ANOTHER = "0" * 16, "1" * 16


def command(**change: Any) -> Command:
    wish: dict[str, Any] = {
        "id": "c1",
        "at": NOON,
        "until": NOON + timedelta(seconds=10),
        "source": "dispatch",
        "authority": Authority.PLAN,
        "values": {"p_set": 1000.0},
        "reason": "test",
    }
    return Command(**(wish | change))


def came(one: Command, *, wall: datetime = NOON, mono: float = NOW, retained: bool = False) -> Arrival:
    return Arrival(one, retained, wall, mono)


def judge(
    arrival: Arrival,
    station: Station = STATION,
    history: History | None = None,
    holder: Holder | None = None,
    now: float | None = None,
) -> Refusal | None:
    return refusal(arrival, station, history or History(BEGAN), holder, arrival.mono if now is None else now)


def test_a_good_command_is_let_through() -> None:
    assert judge(came(command())) is None


@pytest.mark.parametrize(
    ("change", "wall", "cause"),
    [
        ({}, 10, Cause.EXPIRED),
        ({"at": NOON + timedelta(seconds=6), "until": NOON + timedelta(seconds=16)}, 0, Cause.CLOCK_SKEW),
        ({}, 3600, Cause.CLOCK_SKEW),
        ({"until": NOON + timedelta(hours=1)}, 0, Cause.TOO_LONG),
        ({"id": "old"}, 0, Cause.DUPLICATE),
        ({"at": NOON - timedelta(seconds=3)}, 0, Cause.OUT_OF_ORDER),
        ({"source": "thief"}, 0, Cause.FOREIGN_SOURCE),
        ({"values": {"p_sett": 1.0}}, 0, Cause.UNKNOWN),
        ({"values": {}, "action": Action.STOP}, 0, Cause.UNKNOWN),
        ({"values": {"p_set": 1.0, "p_limit_pct": 50.0}}, 0, Cause.UNKNOWN),
        ({"authority": Authority.DSO}, 0, Cause.AUTHORITY),
        ({"source": "scada", "authority": Authority.PROTECTION}, 0, Cause.AUTHORITY),
    ],
)
def test_a_bad_command_is_refused(change: dict[str, Any], wall: float, cause: Cause) -> None:
    history = History(BEGAN)
    history.remember(came(command(id="old", at=NOON - timedelta(seconds=2)), mono=NOW - 2))
    no = judge(came(command(**change), wall=NOON + timedelta(seconds=wall)), history=history)
    assert no is not None
    assert no.cause is cause
    assert no.reason.startswith(cause.value)
    assert (no.state is OutcomeState.EXPIRED) == (cause is Cause.EXPIRED)


def test_what_waits_in_the_queue_grows_older_by_the_monotonic_clock() -> None:
    waiting = came(command())
    assert judge(waiting, now=NOW + 9.9) is None
    no = judge(waiting, now=NOW + 10.0)
    assert no is not None
    assert (no.cause, no.state) == (Cause.EXPIRED, OutcomeState.EXPIRED)


@pytest.mark.parametrize(("skew", "seconds"), [(-4.0, 10.0), (0.0, 10.0), (4.0, 6.0)])
def test_a_clock_that_is_behind_makes_no_command_live_longer(skew: float, seconds: float) -> None:
    assert came(command(), wall=NOON + timedelta(seconds=skew)).deadline == NOW + seconds


def test_retained_and_read_only_are_refused_before_anything_else() -> None:
    retained = judge(came(command(), retained=True))
    watched = judge(came(command()), Station(["p_set"], [], SOURCES, read_only=True))
    assert (retained and retained.cause, watched and watched.cause) == (Cause.RETAINED, Cause.READ_ONLY)


def test_what_was_sent_before_the_bridge_began_is_not_obeyed_again() -> None:
    reborn = History(NOW - 1.0)
    no = judge(came(command(at=NOON - timedelta(seconds=2))), history=reborn)
    assert no is not None
    assert no.cause is Cause.BEFORE_START


@pytest.mark.parametrize("step", [-86_400.0, -3600.0, -30.0, 30.0, 3600.0, 86_400.0])
def test_a_step_of_all_clocks_shuts_nobody_out(step: float) -> None:
    """Both clocks were set: the next command of the same source follows, whether it is numbered or not."""
    for numbers in (False, True):
        history = History(BEGAN)
        first = {"epoch": EPOCH, "number": 7} if numbers else {}
        second = {"epoch": EPOCH, "number": 8} if numbers else {}
        history.remember(came(command(id="before", **first), mono=NOW))
        wall = NOON + timedelta(seconds=2 + step)
        after = command(id="after", at=wall, until=wall + timedelta(seconds=10), **second)
        late = NOW + 2.0 if numbers or step > 0 else NOW + 61.0
        assert judge(came(after, wall=wall, mono=late), history=history) is None


def test_the_order_of_a_source_is_its_number_not_its_clock() -> None:
    history = History(BEGAN)
    history.remember(came(command(id="n5", epoch=EPOCH, number=5)))
    older = command(id="n4", epoch=EPOCH, number=4, at=NOON + timedelta(seconds=1))
    again = command(id="n5b", epoch=EPOCH, number=5)
    for one in (older, again):
        no = judge(came(one), history=history)
        assert no is not None
        assert no.cause is Cause.OUT_OF_ORDER
    history.remember(came(command(id="reborn", epoch=ANOTHER, number=1)))
    delayed = judge(came(command(id="n6", epoch=EPOCH, number=6)), history=history)
    assert delayed is not None, "an epoch that has ended does not come back"
    assert judge(came(command(id="m2", epoch=ANOTHER, number=2)), history=history) is None


def test_the_same_source_may_weaken_its_own_claim() -> None:
    holder = Holder(Authority.OPERATOR, "dispatch", NOW + 10)
    assert judge(came(command(authority=Authority.PLAN)), holder=holder) is None


@pytest.mark.parametrize(("deadline", "refused"), [(NOW + 10, True), (NOW, False)])
def test_a_weaker_source_waits_until_the_stronger_one_has_ended(deadline: float, refused: bool) -> None:
    holder = Holder(Authority.OPERATOR, "dispatch", deadline)
    no = judge(came(command(source="scada", authority=Authority.PLAN)), holder=holder)
    assert (no is not None and no.cause is Cause.AUTHORITY) == refused


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, True),
        ({"authority": Authority.SELF_CONSUMPTION}, True),
        ({"authority": Authority.OPERATOR}, False),
        ({"values": {}, "action": Action.START}, True),
        ({"values": {}, "action": Action.RESET}, False),
        # what brings it to rest passes, whoever sends it
        ({"values": {}, "action": Action.STOP}, False),
        ({"values": {}, "action": Action.STANDBY}, False),
        ({"values": {}, "action": Action.GRID_FORMING}, True),
        ({"authority": Authority.OPERATOR, "follows_meter": True}, True),
        ({"authority": Authority.PLAN, "follows_meter": False}, True),
    ],
)
@pytest.mark.parametrize("cause", [Cause.METER_POLARITY, Cause.SWINGING, Cause.REVERSED])
def test_who_closes_a_loop_over_a_meter_that_is_not_believed_is_refused(
    change: dict[str, Any], refused: bool, cause: Cause
) -> None:
    able = [Action.START, Action.STOP, Action.STANDBY, Action.RESET, Action.GRID_FORMING]
    why = {cause: "meter: its sign is wrong"}
    no = judge(came(command(**change)), Station(["p_set", "q_set"], able, SOURCES, distrust=why))
    assert (no is not None) == refused
    assert no is None or no.cause is cause
    assert no is None or no.reason.startswith(f"{cause.value}: meter: its sign is wrong")


@pytest.mark.parametrize(
    ("cause", "follows", "names"),
    [(Cause.SWINGING, None, True), (Cause.SWINGING, False, False), (Cause.METER_POLARITY, None, False)],
)
def test_who_is_refused_for_a_swing_hears_how_a_schedule_avoids_it(
    cause: Cause, follows: bool | None, names: bool
) -> None:
    """Nothing but a person's look helps against a meter that is the wrong way round."""
    no = judge(came(command(follows_meter=follows)), Station(["p_set"], [], SOURCES, distrust={cause: "why"}))
    assert no is not None
    assert ("a schedule by the clock says `follows_meter: false`" in no.reason) == names


def test_a_device_that_is_steered_at_its_panel_takes_no_command() -> None:
    no = judge(came(command()), Station(["p_set"], [], SOURCES, local=True))
    assert no is not None
    assert no.cause is Cause.LOCAL


LIMIT: dict[str, Any] = {"values": {"p_limit_pct": 60.0}, "authority": Authority.DSO, "source": "scada"}


def test_what_limits_and_what_does_not() -> None:
    assert is_limit(command(**LIMIT))
    assert not is_limit(command(values={"p_limit_pct": 60.0}))
    assert not is_limit(command(**LIMIT | {"values": {"p_limit_pct": 60.0, "p_set": 1.0}}))


@pytest.mark.parametrize("values", [{"p_limit_pct": 101.0}, {"p_limit_pct": -1.0}, {"pf_set": 1.1}, {"pf_set": -2.0}])
def test_what_lies_outside_of_any_range_is_refused(values: dict[str, float]) -> None:
    no = judge(came(command(values=values)), Station(["p_limit_pct", "pf_set"], [], SOURCES))
    assert no is not None
    assert no.cause is Cause.OUT_OF_RANGE


def test_what_a_device_understands() -> None:
    assert understood(["p_set", "q_set"]) == ["p_set", "pf_set", "q_set"]
    assert understood(["p_set", "q_set"], command(**LIMIT)) == ["p_limit_pct", "p_set", "pf_set", "q_set"]
    assert understood(["p_limit_pct"]) == ["p_limit_pct"]
    assert Action.RESET in actions([], steers_battery=True)
    assert actions([Action.STOP], steers_battery=False) == [Action.STOP]


@given(st.floats(0, 1e6), st.floats(-3600, 3600), st.floats(0.001, 3600))
def test_an_expired_command_is_never_obeyed(late: float, at: float, lives: float) -> None:
    born = NOON + timedelta(seconds=at)
    dead = born + timedelta(seconds=lives)
    one = command(at=born, until=dead)
    assert judge(came(one, wall=dead + timedelta(seconds=late)), history=History(-1e9)) is not None
    waiting = came(one, wall=born)
    assert judge(waiting, history=History(-1e9), now=waiting.deadline + late) is not None


sent = st.tuples(st.sampled_from("abc"), st.integers(-9, 9), st.booleans(), st.floats(0, 5))


@given(st.lists(sent, max_size=30))
def test_no_id_is_obeyed_twice_and_no_source_goes_back(commands: list[tuple[str, int, bool, float]]) -> None:
    """Whatever is repeated, delayed or comes in another order."""
    history, obeyed, now = History(BEGAN), list[Command](), NOW
    for name, second, numbered, pause in commands:
        now += pause / 30
        order = {"epoch": EPOCH, "number": second + 10} if numbered else {}
        at = NOON + timedelta(seconds=second / 9)
        one = command(id=f"{name}{second}", at=at, until=NOON + timedelta(seconds=11), **order)
        arrival = came(one, mono=now)
        if judge(arrival, history=history, now=now) is None:
            history.remember(arrival)
            obeyed.append(one)
    assert len({one.id for one in obeyed}) == len(obeyed)
    numbers = [one.number for one in obeyed if one.number is not None]
    assert numbers == sorted(set(numbers))
