"""What the page shows of two batteries: sums, and of each its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.status.series import actual, today
from consumers.status.state import Moment, State, fold
from consumers.status.view import view
from schemas.messages import Cause, DeviceState, DeviceStatus, Limited, Outcome, OutcomeState, Telemetry
from schemas.topics import DEVICE_STATUS, OUTCOME, TELEMETRY
from tests.consumers.test_dispatch_batteries import two

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
NOW = Moment(NOON, 0.0)


@pytest.fixture
def state(tmp_path: Path) -> State:
    """Both work: 40 and 20 kW, at 80 and 50 %."""
    state = State(two(tmp_path), broker=True)
    for number, (device, values) in enumerate(
        {
            "grid": {"p": 5e3},
            "pcs1": {"p": 40e3},
            "pcs2": {"p": 20e3},
            "bms1": {"soc": 80.0},
            "bms2": {"soc": 50.0},
        }.items()
    ):
        said = Telemetry(at=NOON, epoch="0" * 16, seq=number + 1, values=dict(values))
        fold(state, TELEMETRY, {"site": "plant", "device": device}, said, NOW)
    return state


def tell(state: State, device: str, outcome: str, **more: Any) -> None:
    given = {"id": "d1", "at": NOON, "state": OutcomeState(outcome), "source": "dispatch", **more}
    fold(state, OUTCOME, {"site": "plant", "device": device}, Outcome.model_validate(given), NOW)


def test_powers_add_up_and_charges_are_weighed_by_their_energy(state: State) -> None:
    page = view(state, NOW)
    assert (page["flow"]["battery"]["value"], page["flow"]["load"]["value"]) == (60e3, 65e3)
    assert (page["soc"]["value"], page["soc"]["state"]) == (pytest.approx(70.0), "live")
    assert [(one["battery"], one["power"]["value"], one["soc"]["value"]) for one in page["batteries"]] == [
        ("hall", 40e3, 80.0),
        ("yard", 20e3, 50.0),
    ]


def test_one_that_is_silent_makes_the_sum_old_and_says_why(state: State) -> None:
    gone = DeviceStatus(at=NOON, state=DeviceState.OFFLINE, causes=[Cause.NO_ANSWER], reason="no answer", dropped=[])
    fold(state, DEVICE_STATUS, {"site": "plant", "device": "pcs2"}, gone, NOW)
    page = view(state, NOW)
    assert page["flow"]["battery"]["state"] == "stale"
    hall, yard = page["batteries"]
    assert (hall["state"], hall["reason"]) == ("online", "")
    assert (yard["state"], yard["reason"]) == ("offline", "pcs2: no answer")


def test_what_was_told_adds_up_and_a_limit_names_its_battery(state: State) -> None:
    assert view(state, NOW)["dispatch"] is None
    limit = Limited(point="p_set", source="bms:current", wanted=30e3, allowed=20e3)
    tell(state, "pcs1", "verified", requested={"p_set": 40e3}, applied={"p_set": 40e3})
    tell(state, "pcs2", "limited", requested={"p_set": 30e3}, applied={"p_set": 20e3}, limited_by=[limit])
    page = view(state, NOW)
    assert (page["dispatch"]["wanted"], page["dispatch"]["applied"]) == (70e3, 60e3)
    assert [one["source"] for one in page["dispatch"]["limited_by"]] == ["bms:current (yard)"]
    assert [one["dispatch"]["applied"] for one in page["batteries"]] == [40e3, 20e3]
    later = Moment(NOON + timedelta(seconds=20), 20.0)
    assert not view(state, later)["dispatch"]["current"]


def test_the_curve_of_the_charge_is_weighed_too(state: State) -> None:
    span = today(NOON, state.site.zone)
    columns = actual(
        {"soc": [[(NOON, 80.0)], [(NOON, 50.0)]], "battery": [[(NOON, 1e3)], [(NOON, 2e3)]]}, span, [200e3, 100e3]
    )
    assert [value for value in columns["soc"] if value is not None] == [pytest.approx(70.0)]
    assert [value for value in columns["battery"] if value is not None] == [3e3]
