"""What the page shows of two batteries: sums, and of each its own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consumers.status.series import actual, today
from consumers.status.state import Moment, State, fold
from consumers.status.view import view
from optimizer.why_heads import HEADS, head
from optimizer.why_words import Place
from schemas.messages import (
    Action,
    Cause,
    ControlDispatch,
    ControlMode,
    DeviceState,
    DeviceStatus,
    Limited,
    Outcome,
    OutcomeState,
    ServiceStatus,
    Telemetry,
    Why,
)
from schemas.rack import RackMap
from schemas.site_file import load_site
from schemas.state_words import ASK
from schemas.topics import CONTROL_DISPATCH, CONTROL_MODE, DEVICE_STATUS, OUTCOME, SERVICE_STATUS, TELEMETRY
from schemas.why import WAYS, WhyCode, way
from tests.consumers.test_dispatch_batteries import two

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize(("soc", "counted"), [(91.1, 90.0), (90.0, None), (90.04, None), (4.0, 10.0)])
def test_what_the_plan_does_not_count_is_said_of_its_battery(state: State, soc: float, counted: float | None) -> None:
    said = Telemetry(at=NOON, epoch="0" * 16, seq=9, values={"soc": soc})
    fold(state, TELEMETRY, {"site": "plant", "device": "bms2"}, said, NOW)
    assert [one["counted"] for one in view(state, NOW)["batteries"]] == [None, counted]


@pytest.mark.parametrize(("word", "whole", "charged"), [("open", 50e3, 80.0), ("closed", 100e3, 60.0)])
def test_what_a_rack_that_is_not_connected_holds_is_no_energy_of_the_site(
    word: str, whole: float, charged: float
) -> None:
    """`80 of 100 kWh` stood beside the 80 % of the one rack of 50 kWh that was left."""
    state = State(load_site(ROOT / "tests" / "racks.toml"), broker=True)
    says = RackMap.of(state.site.profiles["bms2"]).says
    told: dict[str, dict[str, Any]] = {"bms": {"soc": 80.0}, "bms2": {"soc": 40.0, says: word, "i": 0.0}}
    for seq, (device, values) in enumerate(told.items()):
        said = Telemetry(at=NOON, epoch="0" * 16, seq=seq + 1, values=dict(values))
        fold(state, TELEMETRY, {"site": "racks", "device": device}, said, NOW)
    found = view(state, NOW)["soc"]
    assert (found["value"], found["of"]) == (pytest.approx(charged), whole)


@pytest.mark.parametrize(("grid", "mark"), [(-61e3, "live"), (-90e3, "implausible")])
def test_a_load_below_0_is_doubted(state: State, grid: float, mark: str) -> None:
    """60 kW out of the batteries and 90 kW into the grid: the meter is the wrong way round, or PV is not read."""
    said = Telemetry(at=NOON, epoch="0" * 16, seq=9, values={"p": grid})
    fold(state, TELEMETRY, {"site": "plant", "device": "grid"}, said, NOW)
    load = view(state, NOW)["flow"]["load"]
    assert (load["value"], load["state"]) == (60e3 + grid, mark)


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


COVERS = {"takes_part": True, "power": 60e3, "reason": "covers the load"}
GONE = {"takes_part": False, "reason": "it is silent; nothing is sent"}


def due(power: float, code: str, **change: Any) -> dict[str, Any]:
    return {"power": power, "why": [{"code": code, "price": 0.1, "value": 0.3, "per": "month", **change}]}


BOTH = {"batteries": {"hall": COVERS, "yard": COVERS}}
HOLDS = due(0.0, "keeps_for_peak", limit=44.0)
OF_THE_PV = "Discharging 60.0 kW: covers the load"
HEADLINES: dict[str, tuple[dict[str, Any], str, float | None]] = {
    "both work": (BOTH | due(60e3, "covers_load"), OF_THE_PV, 60e3),
    "a reason that does not fit is left out": (BOTH | due(60e3, "charges_for_later"), "Discharging 60.0 kW", 60e3),
    "of a newer dispatch": (BOTH | due(60e3, "moonlight"), "Discharging 60.0 kW", 60e3),
    "a limit, and what it is for": (
        BOTH | {"power": 60e3, "why": [{"code": "at_rated", "limit": 60e3}, {"code": "holds_peak", "per": "month"}]},
        "Discharging 60.0 kW: holds the month's peak, all of its power",
        60e3,
    ),
    "what is measured goes another way": (
        BOTH | due(-80e3, "charges_for_price", at="2026-06-10T16:00:00Z"),
        "Told to charge 80.0 kW: cheap now, dear at 18:00",
        60e3,
    ),
    "read only": (
        BOTH | {"read_only": True} | due(-80e3, "stores_pv"),
        "Read only, would be charging 80.0 kW: stores PV",
        60e3,
    ),
    "one is told nothing any more": (
        {"batteries": {"hall": COVERS, "yard": GONE}} | due(60e3, "covers_load"),
        OF_THE_PV,
        40e3,
    ),
    "none is told anything": (
        {"batteries": {"hall": GONE, "yard": GONE}},
        "No command: no battery takes part",
        None,
    ),
    "all rest": (
        {"batteries": {"hall": GONE | {"power": 0.0, "reason": "rests: it is silent"}, "yard": GONE}},
        "Told to rest: it is silent",
        40e3,
    ),
    "read only, and it would rest": (
        {
            "batteries": {"hall": GONE | {"power": 0.0, "reason": "rests: it is silent"}, "yard": GONE},
            "read_only": True,
        },
        "Read only, would be resting: it is silent",
        40e3,
    ),
    "read only, and it would start": (
        {"batteries": {"hall": GONE | {"action": "start", "reason": "off"}, "yard": GONE}, "read_only": True},
        "Read only, would tell: start: off",
        40e3,
    ),
    "one is started": (
        {"batteries": {"hall": GONE | {"action": "start", "reason": "off"}, "yard": GONE}},
        "Start: off",
        40e3,
    ),
    "stopped": ({"mode": "lockout", "batteries": {"hall": GONE, "yard": GONE}}, "Stopped: locked out by anna", None),
    "at the device": ({"mode": "local", "batteries": {}}, "No command: anna steers at the device", 60e3),
    "it holds energy": (BOTH | HOLDS, "Told to rest: holds 44 % for the month's peak", 60e3),
}


@pytest.mark.parametrize("story", HEADLINES)
def test_the_headline_is_what_is_told_now(state: State, story: str) -> None:
    """`Discharge 92.0 kW` stood there while no battery was told anything: it was the outcome of a command before."""
    tell(state, "pcs1", "verified", requested={"p_set": 40e3}, applied={"p_set": 40e3})
    tell(state, "pcs2", "verified", requested={"p_set": 20e3}, applied={"p_set": 20e3})
    does, words, applied = HEADLINES[story]
    given = {"at": NOON.isoformat(), "mode": "auto", "reason": "as it is", **does}
    said = ControlDispatch.model_validate_json(json.dumps(given))
    fold(state, CONTROL_DISPATCH, {"site": "plant"}, said, NOW)
    fold(state, CONTROL_MODE, {"site": "plant"}, ControlMode(at=NOON, mode=said.mode, who="anna"), NOW)
    fold(state, SERVICE_STATUS, {"site": "plant", "service": "dispatch"}, ServiceStatus(state="online"), NOW)
    found = view(state, NOW)
    assert (found["headline"], found["dispatch"]["applied"]) == (words, applied)


def test_of_a_silent_battery_the_headline_says_what_it_is_told_and_not_that_it_does_it(state: State) -> None:
    """`Charging 80.0 kW` stood there while nobody heard of the battery, and `Discharging` beside each."""
    late = Moment(NOON + timedelta(seconds=60), 60.0)
    told = BOTH | due(-80e3, "charges_for_price", at="2026-06-10T16:00:00Z")
    given = {"at": late.at.isoformat(), "mode": "auto", "reason": "as it is", **told}
    fold(state, CONTROL_DISPATCH, {"site": "plant"}, ControlDispatch.model_validate_json(json.dumps(given)), late)
    fold(state, SERVICE_STATUS, {"site": "plant", "service": "dispatch"}, ServiceStatus(state="online"), late)
    found = view(state, late)
    assert found["headline"] == "Told to charge 80.0 kW: cheap now, dear at 18:00"
    assert {one["headline"] for one in found["batteries"]} == {"Told to discharge 60.0 kW"}


def test_a_headline_never_goes_another_way_than_its_reason() -> None:
    """Each code has a head; at a power it does not fit it says nothing."""
    assert HEADS.keys() == {*WhyCode}
    for code, goes in WAYS.items():
        why = [Why(code=code, value=1.0, limit=2.0, price=3.0, at=NOON, of="whom", per="month")]
        said = {power for power in (-9e3, 0.0, 9e3) if head(why, power, Place("EUR", ZoneInfo("UTC")), NOON)}
        assert {way(power) for power in said} == {goes}, code


def test_the_curve_of_the_charge_is_weighed_too(state: State) -> None:
    span = today(NOON, state.site.zone)
    columns = actual(
        {"soc": [[(NOON, 80.0)], [(NOON, 50.0)]], "battery": [[(NOON, 1e3)], [(NOON, 2e3)]]}, span, [200e3, 100e3]
    )
    assert [value for value in columns["soc"] if value is not None] == [pytest.approx(70.0)]
    assert [value for value in columns["battery"] if value is not None] == [3e3]


# --- what each does, and why -----------------------------------------------------------------------------

LOCKOUT = {"mode": "lockout", "who": "anna", "why": "fire"}
AUTO = {"mode": "auto", "who": "dispatch"}
NOT_WE = "pcs2 is off, and it was not we: start it, or ask for auto"
OFF = {"takes_part": False, "reason": NOT_WE}
OUT = {"takes_part": False, "reason": "stops the PCS", "locked_out": "reversed: the wrong way", "action": "stop"}
LOCKED = f"locked out alone: reversed: the wrong way; stops the PCS; {ASK}"
STOPPED = {"takes_part": False, "reason": "the PCS is stopped"}
BEN = {"takes_part": False, "reason": "ben steers at the device; nothing is sent"}
WHYS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[Any, Any], tuple[str, str, str]]] = {
    "all work": (
        AUTO,
        {"power": 60e3, "reason": "covers the load"},
        (COVERS, COVERS),
        ("covers the load",) * 3,
    ),
    "a reason like any other words": (
        AUTO,
        {"power": 60e3, "reason": "auto: 5.0 kW, yard: as planned; hall: too"},
        (COVERS | {"reason": "auto: 5.0 kW, yard: as planned; hall: too"}, COVERS),
        ("auto: 5.0 kW, yard: as planned; hall: too",) * 2 + ("covers the load",),
    ),
    "one is aside": (
        AUTO,
        {"power": 90e3, "reason": f"covers the load; yard takes no part: {NOT_WE}"},
        (COVERS, OFF),
        (f"covers the load; yard takes no part: {NOT_WE}", "covers the load", NOT_WE),
    ),
    "one is out": (
        AUTO,
        {"power": 90e3, "reason": f"covers the load; yard takes no part: {LOCKED}"},
        (COVERS, OUT),
        (f"covers the load; yard takes no part: {LOCKED}", "covers the load", LOCKED),
    ),
    "one does not obey": (
        AUTO,
        {"power": 90e3, "reason": "covers the load"},
        (COVERS, COVERS | {"complaint": "not_obeyed: no"}),
        ("covers the load; yard: not_obeyed: no", "covers the load", "covers the load; not_obeyed: no"),
    ),
    "a lockout": (
        LOCKOUT,
        {"reason": "lockout by anna: fire"},
        ({"takes_part": False, "reason": "rests", "power": 0.0}, STOPPED | {"complaint": "not_followed"}),
        (
            "lockout by anna: fire; hall: rests; yard: the PCS is stopped; yard: not_followed; ask for auto to end it",
            "lockout by anna: fire; rests; ask for auto to end it",
            "lockout by anna: fire; the PCS is stopped; not_followed; ask for auto to end it",
        ),
    ),
    "a lockout of its only battery left": (
        LOCKOUT | {"who": "dispatch", "why": "the PCS has tripped and its reset did not help"},
        {"reason": "lockout by dispatch: the PCS has tripped and its reset did not help"},
        (
            {
                "takes_part": False,
                "reason": "the PCS has tripped",
                "locked_out": "the PCS has tripped and its reset did not help",
            },
            {"takes_part": False, "reason": "the PCS is stopped", "locked_out": "reversed: the wrong way"},
        ),
        (
            (
                "lockout by dispatch: the PCS has tripped and its reset did not help; "
                "yard: locked out: reversed: the wrong way; the PCS is stopped; ask for auto to end it"
            ),
            "lockout by dispatch: the PCS has tripped and its reset did not help; ask for auto to end it",
            (
                "lockout by dispatch: the PCS has tripped and its reset did not help; "
                "locked out: reversed: the wrong way; the PCS is stopped; ask for auto to end it"
            ),
        ),
    ),
    "local": (
        {"mode": "local", "who": "ben", "until": "2026-06-10T12:00:00Z"},
        {"reason": BEN["reason"]},
        (BEN, BEN),
        ("ben steers at the device; nothing is sent; it ends at 14:00, or ben asks for auto",) * 3,
    ),
    "a grid mode": (
        {"mode": "lockout", "who": "anna"},
        {"reason": "grid_forming, asked by anna: phase 1, then 2", "action": "grid_forming"},
        (
            {"takes_part": False, "reason": "grid_forming, asked by anna: phase 1, then 2", "action": "grid_forming"},
            STOPPED,
        ),
        (
            "form a grid, asked by anna: phase 1, then 2; ask for auto to end it",
            "form a grid, asked by anna: phase 1, then 2; ask for auto to end it",
            "the PCS is stopped; ask for auto to end it",
        ),
    ),
    "read only": (
        AUTO,
        {"power": -5e3, "reason": "stores, as planned", "read_only": True},
        (COVERS | {"reason": "stores, as planned"},) * 2,
        ("read only, would do this: stores, as planned",) * 3,
    ),
}


@pytest.mark.parametrize("story", WHYS)
def test_each_says_what_it_does_who_locked_it_and_how_it_ends(state: State, story: str) -> None:
    """Whatever the words are: nothing is read out of them."""
    mode, site, (hall, yard), words = WHYS[story]
    held = ControlMode.model_validate_json(json.dumps({"at": NOON.isoformat()} | mode))
    given = {"at": NOON.isoformat(), "mode": mode["mode"], "batteries": {"hall": hall, "yard": yard}} | site
    does = ControlDispatch.model_validate_json(json.dumps(given))
    for topic, said in ((CONTROL_MODE, held), (CONTROL_DISPATCH, does)):
        fold(state, topic, {"site": "plant"}, said, NOW)
    online = ServiceStatus(state="online", detail="something quite different")
    fold(state, SERVICE_STATUS, {"site": "plant", "service": "dispatch"}, online, NOW)
    page = view(state, NOW)
    assert (page["why"], *(one["why"] for one in page["batteries"])) == words
    late = Moment(NOON + timedelta(seconds=60), 60.0)
    assert {view(state, late)["why"], *(one["why"] for one in view(state, late)["batteries"])} == {""}


def test_an_action_that_was_followed_is_said_in_plain_words(state: State) -> None:
    """`grid_forming` and `islanded` stood there."""
    for action in Action:
        tell(state, "pcs1", "verified", action=action, reason="islanded")
        found = view(state, NOW)["dispatch"]
        assert "_" not in found["told"] + found["reason"]
        assert found["reason"] != "islanded"
    tell(state, "pcs1", "not_obeyed", action=Action.STOP, reason="it still runs")
    assert view(state, NOW)["dispatch"]["reason"] == "it still runs"
