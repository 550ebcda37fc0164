"""When a rule holds: stories at the rhythm of dispatch, and what is always so."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.rules.conditions import Sight
from optimizer.rules.facts import Now, Quarters
from optimizer.rules.judge import NEXT, PROPOSING, State, end_of, kept, recalled
from schemas.messages import Mode
from schemas.site_rules import Until
from tests.optimizer.outlooks import BERLIN, NOON
from tests.optimizer.rules.stories import TICK, Life, prices, rule


def test_it_holds_after_its_hold_and_says_why() -> None:
    life = Life(rule(when=[{"quantity": "import", "above": 400e3, "hold": 60}], until={"at": "13:00"}))
    assert life.see(60, import_=412e3) == [State.ARMING] * 30
    assert life.see(import_=430e3) == [State.LASTING]
    says = "rule `noon` holds: grid import 430 kW > 400 kW for 60 s; import limit 380 kW until 13:00"
    assert life.words == says
    life.see(600, import_=20e3)
    assert life.words == says, "the values are those that made it hold"


def test_a_spike_shorter_than_its_hold_is_nothing() -> None:
    life = Life(rule(when=[{"quantity": "import", "above": 400e3, "hold": 60}]))
    for _ in range(5):
        assert State.HOLDING not in life.see(58, import_=412e3)
        assert life.see(import_=100e3) == [State.IDLE]


def test_it_ends_when_the_condition_was_gone_for_off() -> None:
    life = Life(rule(off=120))
    assert life.see(import_=412e3) == [State.HOLDING]
    assert set(life.see(118, import_=100e3)) == {State.ENDING}
    assert life.see(import_=412e3) == [State.HOLDING], "what was gone for less has not been gone"
    assert life.see(120, import_=100e3)[-1] is State.ENDING
    assert life.see(import_=100e3) == [State.IDLE]


def test_beyond_clear_and_not_before_it_ends() -> None:
    life = Life(rule(when=[{"quantity": "soc", "below": 20, "clear": 30}], then={"discharge_limit": 0.0}, off=10))
    assert life.see(soc=19.9) == [State.HOLDING]
    assert set(life.see(600, soc=29.0)) == {State.HOLDING}
    life.see(14, soc=31.0)
    assert life.state is State.IDLE
    assert set(life.see(600, soc=25.0)) == {State.IDLE}, "it begins only below the limit"


def test_unknown_ends_it_at_once_and_it_pauses() -> None:
    life = Life(rule(off=60))
    assert life.see(import_=412e3) == [State.HOLDING]
    assert life.see() == [State.UNKNOWN]
    assert life.words == "rule `noon` is unknown and proposes nothing: nobody knows grid import above 400 kW"
    assert set(life.see(58, import_=412e3)) == {State.ARMING}
    assert life.see(import_=412e3) == [State.HOLDING]


def test_one_unknown_condition_makes_the_rule_unknown_whatever_the_others_say() -> None:
    life = Life(rule(when=[{"quantity": "import", "above": 400e3}, {"quantity": "soc", "above": 50}]))
    assert life.see(import_=412e3) == [State.UNKNOWN]
    assert life.see(import_=1e3) == [State.UNKNOWN]
    assert life.see(import_=412e3, soc=60) == [State.HOLDING]


def test_hours_begin_and_end_on_the_second() -> None:
    """From 12:00:10 to 12:00:50 in Berlin, in July."""
    life = Life(rule(when=[{"hours": {"start": "12:00:10", "end": "12:00:50"}}]))
    found = life.see(60)
    assert [state in PROPOSING for state in found] == [False] * 5 + [True] * 20 + [False] * 5


def test_outside_of_its_hours_a_measured_rule_ends_at_once() -> None:
    when = [{"quantity": "import", "above": 400e3}, {"hours": {"start": "11:00", "end": "12:01"}}]
    life = Life(rule(when=when, off=3600))
    assert set(life.see(60, import_=412e3)) == {State.HOLDING}
    assert life.see(import_=412e3) == [State.IDLE]


def test_a_duration_is_its_most_and_it_begins_anew_only_after_its_condition_was_gone() -> None:
    life = Life(rule(until={"after": 600}, off=10))
    assert set(life.see(600, import_=412e3)) == {State.LASTING}
    assert set(life.see(3600, import_=412e3)) == {State.SPENT}
    assert life.see(import_=1e3) == [State.IDLE]
    assert life.see(import_=412e3) == [State.LASTING]


def test_what_lasts_goes_on_while_nothing_is_known() -> None:
    life = Life(rule(until={"after": 600}))
    life.see(import_=412e3)
    assert set(life.see(590)) == {State.LASTING}
    assert life.see(20)[-1] is State.SPENT


def test_a_clock_that_is_set_back_prolongs_nothing() -> None:
    life = Life(rule(until={"at": "13:00"}))
    life.see(import_=412e3)
    life.now -= timedelta(days=300)
    assert set(life.see(3590, import_=1e3)) == {State.LASTING}
    assert State.LASTING not in life.see(20, import_=412e3)[5:]


@pytest.mark.parametrize(
    ("at", "begin", "end"),
    [
        ("13:00", "2026-06-10T10:00:00+00:00", "2026-06-10T11:00:00+00:00"),
        ("13:00", "2026-06-10T11:00:00+00:00", "2026-06-11T11:00:00+00:00"),
        ("03:00", "2026-10-24T20:00:00+00:00", "2026-10-25T02:00:00+00:00"),  # the night of 25 hours
        ("02:30", "2026-03-28T20:00:00+00:00", "2026-03-29T01:30:00+00:00"),  # a time that this night leaves out
    ],
)
def test_the_next_such_local_time(at: str, begin: str, end: str) -> None:
    found = end_of(Until.model_validate({"at": at}), datetime.fromisoformat(begin), BERLIN)
    assert found == datetime.fromisoformat(end)


def test_the_cheapest_hours_of_the_day() -> None:
    """Prices fall until 23:00: the two cheapest hours are the last ones."""
    quarters = prices(lambda at: 1.0 - at.astimezone(BERLIN).hour / 100)
    life = Life(rule(when=[{"quantity": "price_import", "cheapest": 2}]), quarters=quarters)
    begin = NOON.astimezone(BERLIN).replace(hour=21, minute=59, second=58)
    life.now = begin
    assert life.see(4) == [State.IDLE, State.HOLDING]
    life.now = begin + timedelta(hours=2)
    assert life.see(4) == [State.HOLDING, State.IDLE]
    assert "rule `noon` is idle" in life.words


def test_of_a_day_with_a_missing_price_nobody_knows_the_cheapest_hours() -> None:
    quarters = prices(lambda _: 0.1)
    less = {at: price for at, price in quarters.buy.items() if at != NOON - timedelta(hours=6)}
    life = Life(rule(when=[{"quantity": "price_import", "cheapest": 2}]), quarters=Quarters(less))
    assert life.see() == [State.UNKNOWN]
    assert "the price of import among the 2 cheapest hours of the day" in life.words


def test_the_forecast_of_the_pv_counts_for_the_whole_day() -> None:
    """1 kW in each quarter of 24 h."""
    few = Life(rule(when=[{"quantity": "pv_today", "below": 25e3}]), quarters=prices(lambda _: 0.1))
    assert few.see() == [State.HOLDING]
    assert "the PV forecast of today 24 kWh < 25 kWh" in few.words
    many = Life(rule(when=[{"quantity": "pv_today", "below": 23e3}]), quarters=prices(lambda _: 0.1))
    assert many.see() == [State.IDLE]


@pytest.mark.parametrize(
    ("condition", "value", "so"),
    [
        ({"above": 5}, 5.1, True),
        ({"above": 5}, 5.0, False),
        ({"below": 5}, 4.9, True),
        ({"between": [4, 5]}, 5.0, True),
        ({"between": [4, 5]}, 5.1, False),
        ({"equals": "fault"}, "fault", True),
        ({"equals": "fault"}, "running", False),
        ({"contains": "door"}, ["door", "fan"], True),
        ({"contains": "door"}, [], False),
        ({"above": 5}, "running", None),
        ({"equals": "fault"}, 3.0, None),
        ({"contains": "door"}, "door", None),
    ],
    ids=str,
)
def test_a_point(condition: dict[str, Any], value: Any, so: bool | None) -> None:
    life = Life(rule(when=[{"device": "tank", "point": "t", **condition}]))
    life.see(points={("tank", "t"): value})
    assert life.state is {True: State.HOLDING, False: State.IDLE, None: State.UNKNOWN}[so]


def test_a_date_and_a_mode() -> None:
    life = Life(rule(when=[{"dates": ["06-10"]}, {"mode": "lockout"}]))
    assert life.see() == [State.IDLE]
    assert life.see(mode=Mode.LOCKOUT) == [State.HOLDING]
    life.now += timedelta(days=1)
    assert life.see(mode=Mode.LOCKOUT) == [State.IDLE]


def test_what_lasts_outlives_a_restart_and_nothing_else_does() -> None:
    rules = [rule("long", until={"at": "13:00"}), rule("short")]
    life = Life(*rules)
    life.see(import_=412e3)
    stored = kept(life.memory)
    assert [*stored] == ["long"]
    again = Life(*rules)
    again.now, again.steady = life.now + timedelta(minutes=30), 5.0
    again.memory = recalled(rules, stored, Now(again.steady, again.now))
    again.see()
    assert [one.state for one in again.judged.proposals] == [State.LASTING, State.UNKNOWN]
    assert "grid import 412 kW > 400 kW; import limit 380 kW until 13:00" in again.words
    late = recalled(rules, stored, Now(5.0, NOON + timedelta(hours=1)))
    assert late == {}, "it was over while nobody ran"
    assert recalled([rule("long")], stored, Now(5.0, life.now)) == {}, "it has no end of its own any more"


def test_every_state_has_its_answer() -> None:
    """A missing key would be an error in the middle of the night."""
    asked = {
        State.ENDING: {*Sight},
        State.LASTING: {*Sight},
    }
    for state in State:
        assert NEXT[state].keys() >= asked.get(state, {*Sight} - {Sight.OVER})


SAMPLES = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([None, 100e3, 399e3, 401e3, 500e3])), min_size=1, max_size=30
)


@given(
    SAMPLES,
    st.sampled_from([10.0, 30.0, 60.0]),
    st.sampled_from([0.0, 10.0]),
    st.sampled_from([None, {"after": 20}, {"after": 90}]),
)
def test_nothing_chatters_and_unknown_is_never_true(
    samples: list[tuple[int, float | None]], off: float, hold: float, until: dict[str, Any] | None
) -> None:
    """It begins once in `off` at most; it ends before only because something is not known, or its own end has come. It
    never begins on what is unknown, nor holds on it but to an end of its own."""
    when = [{"quantity": "import", "above": 400e3, "hold": hold}]
    life, begins, states = Life(rule(when=when, off=off, until=until)), list[float](), [State.IDLE]
    since = 0.0
    for ticks, power in samples:
        for _ in range(ticks):
            (state,) = life.see() if power is None else life.see(import_=power)
            before, at = states[-1], life.steady - TICK
            states.append(state)
            if power is None:
                assert state in (State.UNKNOWN, State.LASTING, State.SPENT)
                assert not (state is State.LASTING and before is not State.LASTING)
            if state in PROPOSING and before not in PROPOSING:
                assert power is not None
                assert power > 400e3
                begins.append(at)
                since = at
            if before in PROPOSING and state not in PROPOSING and power is not None and until is None:
                assert at - since >= off, "it held for its least"
    assert all(b - a >= off for a, b in pairwise(begins)), begins
