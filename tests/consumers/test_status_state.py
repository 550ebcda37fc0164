"""What the page says of a site: the truth, also when the truth is that nobody knows."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from consumers.alarms.rules import transitions
from consumers.alarms.states import LATCHING
from consumers.status.state import ANSWERS, Moment, State, fold
from consumers.status.view import view
from schemas.billing import BilledComponent, Billing
from schemas.messages import (
    Alarm,
    AlarmPriority,
    AlarmState,
    BatteryDispatch,
    Cause,
    ControlDispatch,
    ControlMode,
    DeviceState,
    DeviceStatus,
    Limited,
    LoadDispatch,
    Mode,
    Outcome,
    OutcomeState,
    Plan,
    PlanHeld,
    PlanUse,
    RequestOutcome,
    ServiceStatus,
    Step,
    Telemetry,
    Value,
)
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_file import load_site
from schemas.topics import (
    ALARM,
    ALARM_OUTCOME,
    BILLING,
    CONTROL_DISPATCH,
    CONTROL_MODE,
    CONTROL_OUTCOME,
    DEVICE_STATUS,
    OUTCOME,
    PLAN,
    SERVICE_STATUS,
    TELEMETRY,
    Topic,
)
from schemas.units import Quality
from tests.consumers.test_dispatch_balance import load_plant

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EPOCH = "00112233aabbccdd"

SITE = """
site = "{name}"
title = "Test & <Site>"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 100e3, export_limit = 50e3 }}
battery = {{ pcs = "pcs1", bms = "bms1", energy = 200e3 }}
"""
DEVICES = {
    "grid": "janitza_umg96rme",
    "pcs1": "sinexcel_pws2",
    "bms1": "pylontech_powercube_m2",
    "pv1": "sunspec_pv",
}


def page_site(folder: Path, name: str = "plant", more: str = "") -> Site:
    """A site with one device of each kind, with shipped profiles, and further tables of its file."""
    blocks = [
        f'[[device]]\nname = "{device}"\nprofile = "{profile}"\naddress = "tcp://127.0.0.1:{502 + number}"\n'
        "rated_power = 100e3\n"
        for number, (device, profile) in enumerate(DEVICES.items())
    ]
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    (folder / "site.toml").write_text(SITE.format(name=name) + "".join(blocks) + more, encoding="utf-8")
    return load_site(folder / "site.toml")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(page_site(tmp_path), broker=True)


def at(second: float) -> Moment:
    return Moment(NOON + timedelta(seconds=second), 1000.0 + second)


def hear(state: State, second: float, topic: Topic[Any], message: BaseModel | None, **place: str) -> None:
    fold(state, topic, {"site": "plant", **place}, message, at(second))


def measured(second: float, seq: int = 1, **values: float) -> Telemetry:
    return Telemetry(at=NOON + timedelta(seconds=second), epoch=EPOCH, seq=seq, values=dict(values))


def alarm(state: AlarmState = AlarmState.UNACKNOWLEDGED, priority: AlarmPriority = AlarmPriority.HIGH) -> Alarm:
    return Alarm(at=NOON, state=state, priority=priority, device="bms1", point="soc", text="Low.", since=NOON)


def step(minute: float, power: float = 10e3) -> Step:
    return Step(
        at=NOON + timedelta(minutes=minute), seconds=900.0, power=power, soc=50.0, grid=20e3, load=30e3, pv=0.0,
        price_import=0.3, price_export=0.1, marginal_value=0.2, reason=f"from minute {minute:.0f}",
    )  # fmt: skip


def plan(*steps: Step) -> Plan:
    until = steps[-1].at + timedelta(seconds=steps[-1].seconds)
    return Plan(id="p1", at=NOON, until=until, currency="EUR", steps=list(steps), cost=1.0, cost_idle=2.0)


# --- power -----------------------------------------------------------------------------------------


def all_measured(state: State, second: float, grid: float, battery: float, pv: float) -> None:
    for device, power in (("grid", grid), ("pcs1", battery), ("pv1", pv)):
        hear(state, second, TELEMETRY, measured(second, p=power), device=device)


def test_the_load_is_what_grid_battery_and_pv_bring(state: State) -> None:
    all_measured(state, 0, grid=5e3, battery=-20e3, pv=40e3)
    flow = view(state, at(1))["flow"]
    assert [flow[name]["value"] for name in ("grid", "battery", "pv", "load")] == [5e3, -20e3, 40e3, 25e3]
    assert {part["state"] for part in flow.values()} == {"live"}


@pytest.fixture
def loaded(tmp_path: Path) -> State:
    return State(load_plant(tmp_path, ', behind = "hall"'), broker=True)


def each(state: State, second: float) -> tuple[list[tuple[str, str, float | None, str]], str]:
    shown = view(state, at(second))["loads"]
    rows = [(one["load"], one["behind"], one["value"], one["state"]) for one in shown["list"]]
    return rows, shown["doubt"]


def test_the_load_is_told_by_name_and_the_rest_is_what_nobody_measures(loaded: State, state: State) -> None:
    all_measured(loaded, 0, grid=30e3, battery=10e3, pv=20e3)
    for device, power in (("hall", 40e3), ("press", 15e3), ("pv_meter", 20e3)):
        hear(loaded, 0, TELEMETRY, measured(0, p=power), device=device)
    hall, press = ("hall", "", 40e3, "live"), ("press", "hall", 15e3, "live")
    assert each(loaded, 1) == ([hall, press, ("other load", "", 20e3, "live")], "")
    hear(loaded, 1, TELEMETRY, measured(1, 2, p=90e3), device="hall")
    (*_, other), doubt = each(loaded, 1)
    assert other == ("other load", "", -30e3, "implausible")
    assert doubt.startswith("the measured loads draw more than grid, batteries and PV bring")
    assert each(state, 1) == ([], ""), "a site that measures none has no list"


def test_the_rest_beside_a_load_that_has_not_told_is_unknown_and_not_zero(loaded: State) -> None:
    all_measured(loaded, 0, grid=30e3, battery=10e3, pv=20e3)
    hear(loaded, 0, TELEMETRY, measured(0, p=15e3), device="press")
    assert each(loaded, 1)[0] == [
        ("hall", "", None, "missing"), ("press", "hall", 15e3, "live"), ("other load", "", None, "missing")
    ]  # fmt: skip
    hear(loaded, 0, TELEMETRY, measured(0, p=40e3), device="hall")
    all_measured(loaded, 50, grid=30e3, battery=10e3, pv=20e3)
    assert each(loaded, 51)[0][-1] == ("other load", "", 20e3, "stale")


def test_a_load_nobody_can_know_is_not_guessed(state: State) -> None:
    hear(state, 0, TELEMETRY, measured(0, p=5e3), device="grid")
    load = view(state, at(1))["flow"]["load"]
    assert (load["value"], load["state"]) == (None, "missing")


@pytest.mark.parametrize(
    ("second", "shown"), [(0, "live"), (9.9, "live"), (10.1, "stale"), (3600, "stale")], ids="{}".format
)
def test_a_value_older_than_its_patience_is_stale(state: State, second: float, shown: str) -> None:
    all_measured(state, 0, 1e3, 2e3, 3e3)
    flow = view(state, at(second))["flow"]
    assert {part["state"] for part in flow.values()} == {shown}
    assert flow["grid"]["age"] == pytest.approx(second)


@pytest.mark.parametrize(
    ("late", "shown"), [(0, "live"), (8, "live"), (30, "stale"), (-3600, "live")], ids=["now", "8 s", "30 s", "ahead"]
)
def test_a_value_that_comes_late_is_as_old_as_it_says(state: State, late: float, shown: str) -> None:
    hear(state, 0, TELEMETRY, measured(-late, p=1e3), device="grid")
    assert view(state, at(0))["flow"]["grid"]["state"] == shown


@given(step=st.floats(-1e6, 1e6))
def test_a_step_of_the_wall_clock_makes_nothing_younger_or_older(
    tmp_path_factory: pytest.TempPathFactory, step: float
) -> None:
    state = State(page_site(tmp_path_factory.mktemp("clock")), broker=True)
    hear(state, 0, TELEMETRY, measured(0, p=1e3), device="grid")
    stepped = Moment(NOON + timedelta(seconds=4 + step), 1004.0)
    assert view(state, stepped)["flow"]["grid"] == {"value": 1e3, "unit": "W", "state": "live", "age": 4.0}


def test_what_the_outbox_sends_afterwards_is_not_now(state: State) -> None:
    hear(state, 0, TELEMETRY, measured(0, 5, p=1e3), device="grid")
    late = Telemetry(at=NOON, epoch=EPOCH, seq=6, historical=True, values={"p": 9e3})
    hear(state, 1, TELEMETRY, late, device="grid")
    hear(state, 1, TELEMETRY, measured(0, 4, p=7e3), device="grid")
    assert view(state, at(1))["flow"]["grid"]["value"] == 1e3


def test_a_new_outbox_counts_from_one_again(state: State) -> None:
    hear(state, 0, TELEMETRY, measured(0, 900, p=1e3), device="grid")
    renewed = Telemetry(at=NOON, epoch="ffffffffffffffff", seq=1, values={"p": 2e3})
    hear(state, 1, TELEMETRY, renewed, device="grid")
    assert view(state, at(1))["flow"]["grid"]["value"] == 2e3


def test_a_value_of_bad_quality_says_so(state: State) -> None:
    doubtful = Telemetry(at=NOON, epoch=EPOCH, seq=1, values={"p": 5e3}, quality={"p": Quality.FROZEN})
    all_measured(state, 0, 1e3, 2e3, 3e3)
    hear(state, 0, TELEMETRY, doubtful.model_copy(update={"seq": 2}), device="grid")
    seen = view(state, at(1))
    assert (seen["flow"]["grid"]["state"], seen["flow"]["load"]["state"]) == ("frozen", "frozen")
    assert seen["devices"][0]["doubtful"] == {"p": "frozen"}


def test_without_the_broker_nothing_is_live(state: State) -> None:
    all_measured(state, 0, 1e3, 2e3, 3e3)
    hear(state, 0, SERVICE_STATUS, ServiceStatus(state="online", at=NOON), service="bridge")
    state.broker = False
    seen = view(state, at(1))
    assert {part["state"] for part in seen["flow"].values()} == {"stale"}
    assert {device["state"] for device in seen["devices"]} == {"unknown"}
    assert {service["state"] for service in seen["services"]} == {"unknown"}


# --- devices and services ----------------------------------------------------------------------------


def test_a_device_says_how_it_is_and_silence_says_more(state: State) -> None:
    def shown(second: float) -> tuple[str, str]:
        found = view(state, at(second))["devices"][0]
        return found["state"], found["reason"]

    assert shown(0) == ("silent", "nothing heard yet")
    hear(state, 0, DEVICE_STATUS, DeviceStatus(at=NOON, state=DeviceState.ONLINE), device="grid")
    hear(state, 0, TELEMETRY, measured(0, p=1e3), device="grid")
    assert shown(1) == ("online", "")
    assert shown(20) == ("silent", "last heard 20 s ago")
    hear(state, 21, DEVICE_STATUS, DeviceStatus(at=NOON, state=DeviceState.OFFLINE, reason="timeout"), device="grid")
    assert shown(21) == ("offline", "timeout")


def test_an_offline_device_has_no_live_values(state: State) -> None:
    all_measured(state, 0, 1e3, 2e3, 3e3)
    hear(state, 1, DEVICE_STATUS, DeviceStatus(at=NOON, state=DeviceState.OFFLINE), device="pcs1")
    flow = view(state, at(1))["flow"]
    assert [flow[name]["state"] for name in ("grid", "battery", "load")] == ["live", "stale", "stale"]


def test_the_alarms_of_a_device_are_shown_wherever_its_map_keeps_them(state: State) -> None:
    none: dict[str, Any] = {name: [] for name in ("alarms", *(f"alarms_{n}" for n in range(2, 7)))}
    values = none | {"alarms_5": ["bms_timeout"]}
    hear(state, 0, TELEMETRY, Telemetry(at=NOON, epoch=EPOCH, seq=1, values=values), device="pcs1")
    assert view(state, at(1))["devices"][1]["flags"] == ["bms_timeout"]
    assert view(state, at(500))["devices"][1]["flags"] is None, "old flags are no flags"


ONLINE = ServiceStatus(state="online", at=NOON, version="0.1.0", lag=0.2)


@pytest.mark.parametrize(
    ("status", "second", "shown"),
    [
        (ONLINE, 11.9, "online"),
        (ONLINE, 12.1, "down"),
        (ONLINE.model_copy(update={"at": NOON - timedelta(minutes=5)}), 0.0, "down"),
        (ServiceStatus(state="offline"), 0.0, "down"),
        (None, 0.0, "down"),
    ],
    ids=["speaks", "went silent", "an old retained word", "its last will", "never heard"],
)
def test_a_service_is_down_when_it_is_silent(
    state: State, status: ServiceStatus | None, second: float, shown: str
) -> None:
    hear(state, 0, SERVICE_STATUS, status, service="archive")
    services = {one["service"]: one["state"] for one in view(state, at(second))["services"]}
    assert services["archive"] == shown
    assert set(services) == {"bridge", "archive", "alarms", "optimize", "dispatch", "status"}


# --- alarms ------------------------------------------------------------------------------------------


def test_the_worst_new_alarm_comes_first(state: State) -> None:
    for name, priority, known in (
        ("a", AlarmPriority.LOW, AlarmState.UNACKNOWLEDGED),
        ("b", AlarmPriority.CRITICAL, AlarmState.SHELVED),
        ("c", AlarmPriority.HIGH, AlarmState.ACKNOWLEDGED),
        ("d", AlarmPriority.HIGH, AlarmState.UNACKNOWLEDGED),
    ):
        hear(state, 0, ALARM, alarm(known, priority), alarm=name)
    assert [one["alarm"] for one in view(state, at(0))["alarms"]["list"]] == ["d", "a", "c", "b"]


@pytest.mark.parametrize("end", [None, alarm(AlarmState.NORMAL)], ids=["cleared", "normal"])
def test_an_alarm_that_ended_is_gone(state: State, end: Alarm | None) -> None:
    hear(state, 0, ALARM, alarm(), alarm="soc_low-bms1")
    hear(state, 1, ALARM, end, alarm="soc_low-bms1")
    assert view(state, at(1))["alarms"]["list"] == []


@pytest.mark.parametrize(
    ("known", "asks"),
    [
        (AlarmState.UNACKNOWLEDGED, ["ack", "shelve"]),
        (AlarmState.ACKNOWLEDGED, ["shelve"]),
        (AlarmState.RETURNED, ["ack"]),
        (AlarmState.LATCHED_UNACKNOWLEDGED, ["ack"]),
        (AlarmState.LATCHED, ["reset"]),
        (AlarmState.SHELVED, ["unshelve"]),
        (AlarmState.OUT_OF_SERVICE, ["in_service"]),
        (AlarmState.SUPPRESSED, []),
    ],
)
def test_only_what_an_alarm_answers_to_is_offered(state: State, known: AlarmState, asks: list[str]) -> None:
    hear(state, 0, ALARM, alarm(known), alarm="a")
    assert view(state, at(0))["alarms"]["list"][0]["asks"] == asks


@pytest.mark.parametrize("known", sorted({state for state, _ in LATCHING}))
def test_what_is_offered_of_a_latching_alarm_is_taken(state: State, known: AlarmState) -> None:
    """`Shelve` was offered, and then refused."""
    rule = AlarmRule(name="a", device="bms1", above=1.0, latched=True)
    hear(state, 0, ALARM, alarm(known).model_copy(update={"latched": True}), alarm="a")
    offered = [ask for one in view(state, at(0))["alarms"]["list"] for ask in one["asks"]]
    taken = {str(event) for source, event in transitions(rule) if source is known}
    assert set(offered) <= taken or known in {AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.OUT_OF_SERVICE}
    assert "shelve" not in offered


def counts(**given: tuple[int, int]) -> dict[str, dict[str, int]]:
    """Of each priority how many are active, and not acknowledged."""
    found = {str(one): given.get(str(one), (0, 0)) for one in AlarmPriority}
    return {one: {"active": active, "unseen": unseen} for one, (active, unseen) in found.items()}


TOLD = {"active": True, "requests": ["comment", "ack", "out_of_service", "boil_an_egg"]}


def test_what_an_alarm_says_may_be_asked_is_what_is_offered(state: State) -> None:
    hear(state, 0, ALARM, alarm().model_copy(update=TOLD), alarm="a")
    assert view(state, at(0))["alarms"]["list"][0]["asks"] == ["ack", "comment", "out_of_service"]


RETURNED = AlarmState.RETURNED
FLEE = "Leave the room and call the fire service."
OVER: dict[str, tuple[dict[str, Any], bool, str]] = {
    "older, active": ({"text": FLEE}, True, FLEE),
    "older, over": ({"state": RETURNED, "text": FLEE}, False, "Too hot"),
    "active": ({"active": True, "text": f"Hot. {FLEE}", "response": FLEE, "cause": "Hot."}, True, "Hot."),
    "a rule without a cause": ({"active": True, "text": FLEE, "response": FLEE}, True, "Too hot"),
    "over": ({"state": RETURNED, "active": False, "cause": "It was hot.", "response": FLEE}, False, "It was hot."),
    "over, no cause": ({"state": RETURNED, "active": False, "text": f"Over. {FLEE}", "response": FLEE}, False, "Over."),
    "over, but a response": ({"state": RETURNED, "active": False, "text": FLEE, "response": FLEE}, False, "Too hot"),
    "shelved, and so": ({"state": AlarmState.SHELVED, "active": True, "cause": "It is hot."}, True, "It is hot."),
}  # fmt: skip


@pytest.mark.parametrize(("said", "active", "what"), OVER.values(), ids=OVER)
def test_of_what_is_over_nobody_is_told_to_run(state: State, said: dict[str, Any], active: bool, what: str) -> None:
    """At 23 degC the page said in red to leave the room and to call the fire service."""
    hear(state, 0, ALARM, alarm().model_copy(update=said), alarm="too_hot-bms1")
    (shown,) = view(state, at(0))["alarms"]["list"]
    assert (shown["active"], shown["what"], shown["over"] is None) == (active, what, active)


def test_since_when_it_is_over_is_what_it_said_first(state: State) -> None:
    for second, known in ((5, AlarmState.RETURNED), (9, AlarmState.RETURNED)):
        word = alarm(known).model_copy(update={"at": NOON + timedelta(seconds=second), "comment": f"{second}"})
        hear(state, second, ALARM, word, alarm="a")
    (shown,) = view(state, at(9))["alarms"]["list"]
    assert shown["over"] == (NOON + timedelta(seconds=5)).isoformat()
    hear(state, 10, ALARM, alarm(), alarm="a")
    assert view(state, at(10))["alarms"]["list"][0]["over"] is None


FOLLOWS: dict[str, tuple[dict[str, tuple[str, AlarmState]], dict[str, str]]] = {
    "nobody": ({"a": ("", AlarmState.UNACKNOWLEDGED)}, {"a": ""}),
    "one that is not there": ({"a": ("gone", AlarmState.UNACKNOWLEDGED)}, {"a": ""}),
    "itself": ({"a": ("a", AlarmState.UNACKNOWLEDGED)}, {"a": ""}),
    "each other": (
        {"a": ("b", AlarmState.UNACKNOWLEDGED), "b": ("a", AlarmState.UNACKNOWLEDGED)},
        {"a": "", "b": ""},
    ),
    "a chain": (
        {name: (above, AlarmState.UNACKNOWLEDGED) for name, above in (("a", ""), ("b", "a"), ("c", "b"))},
        {"a": "", "b": "a", "c": "a"},
    ),
    "what is over": (
        {"a": ("", RETURNED), "b": ("a", AlarmState.UNACKNOWLEDGED), "c": ("a", RETURNED)},
        {"b": "", "c": "a"},
    ),
    "what is shelved": ({"a": ("", AlarmState.SHELVED), "b": ("a", AlarmState.UNACKNOWLEDGED)}, {"b": ""}),
}  # fmt: skip


@pytest.mark.parametrize(("said", "under"), FOLLOWS.values(), ids=FOLLOWS)
def test_a_consequence_stands_under_its_cause_and_none_is_lost(
    state: State, said: dict[str, tuple[str, AlarmState]], under: dict[str, str]
) -> None:
    for name, (above, known) in said.items():
        hear(state, 0, ALARM, alarm(known).model_copy(update={"consequence_of": above}), alarm=name)
    found = {one["alarm"]: one["under"] for one in view(state, at(0))["alarms"]["list"]}
    assert {name: found[name] for name in under} == under
    assert all(found[above] == "" for above in found.values() if above), "what it stands under stands for itself"


def test_alarms_are_counted_by_priority(state: State) -> None:
    for name, known in (("a", AlarmState.UNACKNOWLEDGED), ("b", AlarmState.ACKNOWLEDGED), ("c", RETURNED)):
        hear(state, 0, ALARM, alarm(known), alarm=name)
    shelved = alarm(AlarmState.SHELVED, AlarmPriority.CRITICAL).model_copy(update={"active": True})
    hear(state, 0, ALARM, shelved, alarm="d")
    assert view(state, at(0))["alarms"]["counts"] == counts(high=(2, 1))


def test_silence_is_told_in_seconds(state: State) -> None:
    """`bms1.p, 0.0 kW (limit 0.0 kW)` was said of 5 s without a word."""
    silent = alarm().model_copy(update={"point": "p", "value": 5.1, "limit": 5.0, "silent": True})
    hear(state, 0, ALARM, silent, alarm="bms_silent-bms1")
    (shown,) = view(state, at(0))["alarms"]["list"]
    assert (shown["unit"], shown["silent"], shown["value"]) == ("s", True, 5.1)


SILENT: dict[str, tuple[dict[str, Any], float | None, int | None]] = {
    "it goes on": ({"began": NOON - timedelta(seconds=6)}, None, 26),
    "its telemetry came back": ({"began": NOON - timedelta(seconds=6)}, 17, 3),
    "the page knows it later": ({"began": NOON - timedelta(seconds=6)}, -2, 22),
    "nobody knows since when": ({}, None, None),
    "it is over": ({"began": NOON, "active": False}, None, None),
    "not about silence": ({"began": NOON, "silent": False}, None, None),
}


@pytest.mark.parametrize(("said", "heard", "lasts"), SILENT.values(), ids=SILENT)
def test_a_silence_that_goes_on_is_counted(
    state: State, said: dict[str, Any], heard: float | None, lasts: int | None
) -> None:
    """`no telemetry for 5.1 s` stood still for the hour that a device was away."""
    if heard is not None:
        hear(state, heard, TELEMETRY, measured(heard, p=1.0), device="pcs1")
    mute = alarm().model_copy(update={"device": "pcs1", "silent": True, "value": 5.1} | said)
    hear(state, 0, ALARM, mute, alarm="pcs_silent-pcs1")
    assert view(state, at(20))["alarms"]["list"][0]["silence"] == lasts


PRESENT: dict[str, tuple[dict[str, Any], float, float | None]] = {
    "a point and its limit": ({}, 1, 63.5),
    "an expression of it": ({"condition": "rate(soc, 60 s) > 1"}, 1, None),
    "another unit": ({"unit": "W"}, 1, None),
    "it is over": ({"active": False}, 1, None),
    "the value is old": ({}, 100, None),
    "a device that is none": ({"device": "archive"}, 1, None),
}


@pytest.mark.parametrize(("said", "second", "value"), PRESENT.values(), ids=PRESENT)
def test_beside_what_it_was_told_with_stands_what_is_so_now(
    state: State, said: dict[str, Any], second: float, value: float | None
) -> None:
    told = alarm().model_copy(update={"condition": "soc > 60 %", "unit": "%", "value": 61.0, "limit": 60.0} | said)
    hear(state, 0, ALARM, told, alarm="full-bms1")
    hear(state, 1, TELEMETRY, measured(1, soc=63.5), device="bms1")
    assert view(state, at(second))["alarms"]["list"][0]["present"] == value


def test_no_alarms_is_only_said_when_somebody_watches(state: State) -> None:
    assert view(state, at(0))["alarms"]["doubt"] == "the alarm service is down"
    hear(state, 0, SERVICE_STATUS, ONLINE, service="alarms")
    assert view(state, at(1))["alarms"] == {"doubt": "", "counts": counts(), "list": []}
    state.broker = False
    assert view(state, at(1))["alarms"]["doubt"] == "no connection to the broker"


def test_a_new_connection_forgets_what_was_only_retained(state: State) -> None:
    hear(state, 0, ALARM, alarm(), alarm="a")
    hear(state, 0, PLAN, plan(step(0)))
    hear(state, 0, TELEMETRY, measured(0, p=1e3), device="grid")
    state.renew()
    seen = view(state, at(1))
    assert (seen["alarms"]["list"], seen["plan"], seen["flow"]["grid"]["value"]) == ([], None, 1e3)


# --- plan, mode, dispatch ------------------------------------------------------------------------------


def test_the_plan_shows_the_step_of_now_and_its_own_end(state: State) -> None:
    assert view(state, at(0))["plan"] is None
    hear(state, 0, PLAN, plan(step(0), step(15)))
    shown = {minute: view(state, at(60 * minute))["plan"] for minute in (1, 14, 15, 31)}
    reasons = [found["step"] and found["step"]["reason"] for found in shown.values()]
    assert reasons == ["from minute 0", "from minute 0", "from minute 15", None]
    assert [found["valid"] for found in shown.values()] == [True, True, True, False]
    assert view(state, at(1))["plan"]["prices_until"] is None
    hear(state, 4, PLAN, plan(step(0), step(15)).model_copy(update={"prices_until": at(15).at}))
    assert view(state, at(4))["plan"]["prices_until"] == at(15).at.isoformat()
    hear(state, 5, PLAN, None)
    assert view(state, at(5))["plan"] is None


def test_the_mode_is_doubted_when_nobody_steers(state: State) -> None:
    manual = ControlMode(at=NOON, mode=Mode.MANUAL, who="Ann", power=5e3, until=NOON + timedelta(seconds=10))
    hear(state, 0, CONTROL_MODE, manual)
    assert view(state, at(0))["mode"]["doubt"] == "dispatch is down"
    hear(state, 0, SERVICE_STATUS, ONLINE, service="dispatch")
    assert view(state, at(1))["mode"] | {"doubt": ""} == view(state, at(1))["mode"]
    assert view(state, at(11))["mode"]["doubt"] == "the lease has ended"
    hear(state, 11, CONTROL_MODE, None)
    assert view(state, at(11))["mode"]["mode"] == "unknown"


def test_the_mode_says_that_no_plan_is_followed(state: State) -> None:
    held = PlanHeld(use=PlanUse.FALLBACK, since=NOON, made=NOON - timedelta(hours=1), why="no plan was heard")
    hear(state, 0, CONTROL_MODE, ControlMode(at=NOON, mode=Mode.AUTO, who="Ann", plan=held))
    assert view(state, at(1))["mode"]["plan"] == held.model_dump(mode="json")
    hear(state, 2, CONTROL_MODE, ControlMode(at=NOON, mode=Mode.AUTO, who="Ann"))  # of an older dispatch
    assert view(state, at(2))["mode"]["plan"] is None


def outcome(second: float, kind: OutcomeState, allowed: float = 8e3) -> Outcome:
    limit = Limited(point="p_set", source="bms:discharge", wanted=10e3, allowed=allowed)
    return Outcome(
        id=f"c{second}", at=NOON + timedelta(seconds=second), state=kind, requested={"p_set": 10e3},
        applied={"p_set": allowed}, measured={"p": 7.9e3}, limited_by=[limit], source="dispatch", reason="plan",
    )  # fmt: skip


def test_dispatch_says_what_came_of_the_last_command_and_what_limited_it(state: State) -> None:
    assert view(state, at(0))["dispatch"] is None
    hear(state, 0, OUTCOME, outcome(0, OutcomeState.VERIFIED), device="pcs1")
    hear(state, 1, OUTCOME, outcome(1, OutcomeState.ACCEPTED), device="pcs1")
    seen = view(state, at(2))["dispatch"]
    assert (seen["state"], seen["wanted"], seen["applied"], seen["measured"]) == ("verified", 10e3, 8e3, 7.9e3)
    limit = {"point": "p_set", "source": "bms:discharge", "wanted": 10e3, "allowed": 8e3, "unit": "W", "of": ""}
    assert seen["limited_by"] == [limit]
    assert [view(state, at(second))["dispatch"]["current"] for second in (9, 11)] == [True, False]


def billed(minutes: int = 15, **more: Any) -> Billing:
    """Said at noon, of a window that began then: 40 kW so far, 90 kW in this month."""
    begin, end = NOON.replace(day=1, hour=0), NOON.replace(day=1, hour=0) + timedelta(days=30)
    until = NOON + timedelta(minutes=minutes)
    one = {
        "name": "demand", "minutes": minutes, "window_start": NOON, "window_end": until, "imported": 1e3,
        "covered": 90.0, "mean": 40e3, "peak": 90e3, "per": "month", "period_start": begin, "period_end": end,
        "seen": 1.0, "price": 15.0, "currency": "EUR",
    }  # fmt: skip
    return Billing(at=NOON, until=NOON + timedelta(seconds=60), components=[BilledComponent.model_validate(one | more)])


def test_the_page_shows_the_peak_as_it_is_told(state: State) -> None:
    hear(state, 0, BILLING, billed())
    shown = view(state, at(10))["peak"]
    assert (shown["highest"], shown["window"], shown["per"], shown["minutes"]) == (90e3, 40e3, "month", 15)
    assert (shown["seen"], shown["doubt"]) == (1.0, "")
    hear(state, 1, BILLING, None)
    assert view(state, at(10))["peak"] is None


RATCHET = """[[import.period]]
price = 0.3
[[demand]]
name = "all"
price = 10
ratchet = { share = 0.8, months = 11 }
[[demand]]
name = "summer"
price = 5
per = "year"
"""


def test_what_else_is_billed_stands_beside_the_first_peak(tmp_path: Path) -> None:
    """The first component stood there as if it were all, and a ratchet bills more than it."""
    page_site(tmp_path)
    (tmp_path / "tariff.toml").write_text(RATCHET, encoding="utf-8")
    state = State(load_site(tmp_path / "site.toml"), broker=True)
    assert view(state, at(0))["peak"]["doubt"] == "optimize does not tell it", "the tariff knows that peaks are paid"
    may = {"start": NOON - timedelta(days=31, hours=14), "peak": 200e3, "seen": 1.0}  # midnight in Berlin
    june = NOON - timedelta(hours=14)
    first = billed(name="all", months=[may], period_start=june, counts=False)
    second = billed(name="summer", per="year", peak=70e3)
    hear(state, 0, BILLING, first.model_copy(update={"components": [*first.components, *second.components]}))
    shown = view(state, at(10))["peak"]
    assert (shown["name"], shown["highest"], shown["floor"], shown["counts"]) == ("all", 90e3, 160e3, False)
    assert shown["others"] == [{"name": "summer", "highest": 70e3, "per": "year"}]
    hear(state, 0, PLAN, plan(step(0)))
    assert view(state, at(10))["plan"]["per"] == "", "what the plan's peaks cost is of both"


def test_what_the_peak_of_a_plan_is_of_is_known_by_the_tariff(tmp_path: Path) -> None:
    """While optimize said nothing of a year's peak, the page said `the month's peak`."""
    page_site(tmp_path)
    (tmp_path / "tariff.toml").write_text(RATCHET[: RATCHET.index("[[demand]]")] + RATCHET[RATCHET.rindex("[[") :])
    state = State(load_site(tmp_path / "site.toml"), broker=True)
    hear(state, 0, PLAN, plan(step(0)))
    assert view(state, at(10))["plan"]["per"] == "year"


def test_the_peak_of_a_window_long_gone_is_not_shown(state: State) -> None:
    """Nor is a window shown as live that nobody follows any more."""
    hear(state, 0, BILLING, billed())
    assert view(state, at(61))["peak"]["window"] is None
    assert view(state, at(61))["peak"]["highest"] == 90e3
    assert view(state, at(31 * 60))["peak"] is None


def test_the_highest_of_a_month_that_is_over_is_not_shown_as_that_of_this_one(state: State) -> None:
    hear(state, 0, BILLING, billed(period_end=NOON + timedelta(seconds=30)))
    assert [view(state, at(second))["peak"]["highest"] for second in (29, 30)] == [90e3, None]


@pytest.mark.parametrize(
    ("said", "highest", "doubt"),
    [
        (Billing(at=NOON, until=NOON, fault="tariff.toml: no such file"), None, "tariff.toml: no such file"),
        (billed(peak=None, seen=None), None, "the archive cannot be read"),
        (billed(peak=90e3, seen=None), 90e3, "the archive cannot be read"),
        (billed(peak=None, seen=0.0), None, ""),
    ],
    ids=["no tariff", "no archive", "live alone", "nothing was seen"],
)
def test_an_unknown_peak_is_said_to_be_unknown(state: State, said: Billing, highest: float | None, doubt: str) -> None:
    hear(state, 0, BILLING, said)
    shown = view(state, at(1))["peak"]
    assert (shown["highest"], shown["doubt"]) == (highest, doubt)


def test_without_a_price_by_the_kw_there_is_no_billed_peak(state: State) -> None:
    hear(state, 0, BILLING, Billing(at=NOON, until=NOON + timedelta(seconds=60)))
    assert view(state, at(1))["peak"] is None


def test_a_billed_peak_that_nobody_tells_is_unknown_where_a_plan_keeps_one(state: State) -> None:
    """So it is with an access list of before `site/billing`: the page showed no peak, as if none were billed."""
    assert view(state, at(1))["peak"] is None
    hear(state, 0, PLAN, plan(step(0)).model_copy(update={"peak": 90e3}))
    assert view(state, at(1))["peak"]["doubt"] == "optimize does not tell it"
    hear(state, 0, BILLING, billed())
    assert view(state, at(1))["peak"]["highest"] == 90e3
    late = view(state, at(31 * 60))["peak"]
    assert (late["highest"], late["doubt"]) == (None, "optimize does not tell it")


def test_dispatch_says_in_its_own_words_why_it_rests(state: State) -> None:
    hear(state, 0, OUTCOME, outcome(0, OutcomeState.VERIFIED), device="pcs1")
    rests = "rests: the BMS has been silent for more than 5 s"
    mine = BatteryDispatch(takes_part=False, power=0.0, reason=rests)
    does = ControlDispatch(at=NOON, mode=Mode.AUTO, power=0.0, reason=rests, batteries={"battery": mine})
    hear(state, 0, CONTROL_DISPATCH, does)
    assert view(state, at(1))["dispatch"]["why"] == "", "nor is what nobody stands for"
    hear(state, 0, SERVICE_STATUS, ONLINE, service="dispatch")
    assert view(state, at(1))["dispatch"]["why"] == "rests: the BMS has been silent for more than 5 s"
    hear(state, 60, SERVICE_STATUS, ONLINE.model_copy(update={"at": NOON + timedelta(seconds=60)}), service="dispatch")
    assert view(state, at(60))["dispatch"]["why"] == "", "what was said long ago is no reason"
    hear(state, 60, CONTROL_DISPATCH, does.model_copy(update={"at": NOON + timedelta(seconds=60)}))
    assert view(state, at(61))["dispatch"]["why"] == rests
    hear(state, 61, CONTROL_DISPATCH, None)
    assert view(state, at(61))["dispatch"]["why"] == ""


def test_what_loads_and_rules_do_is_said(state: State) -> None:
    """The page was said to tell it, and told nothing of either."""
    pump = LoadDispatch(power=7500.0, reason="7.5 kW: as it is planned", complaint="its power does not show it")
    rules = {"noon": "rule `noon` is idle", "night": "rule `night` holds: 0.11 < 0.3; keeps at least 25 % SoC"}
    does = ControlDispatch(at=NOON, mode=Mode.AUTO, power=0.0, reason="rests", batteries={}, rules=rules)
    hear(state, 0, CONTROL_DISPATCH, does.model_copy(update={"loads": {"pump": pump}}))
    hear(state, 0, SERVICE_STATUS, ONLINE, service="dispatch")
    told = "rests; pump: 7.5 kW: as it is planned; its power does not show it; " + rules["night"]
    assert view(state, at(1))["why"] == told
    assert view(state, at(60))["why"] == "", "what was said long ago is told no more"


# --- answers, and values of another kind than the profile says -----------------------------------------


def told(name: str, cause: Cause | None = None) -> RequestOutcome:
    return RequestOutcome(id=name, at=NOON, followed=cause is None, cause=cause, reason="busy" if cause else "")


def test_an_answer_is_found_by_its_id_for_some_minutes(state: State) -> None:
    hear(state, 0, CONTROL_OUTCOME, told("a", Cause.AUTHORITY))
    hear(state, 200, ALARM_OUTCOME, told("b"), alarm="soc_low-bms1")
    refused = {"followed": False, "cause": "authority", "reason": "busy"}
    assert view(state, at(201))["answers"] == {"a": refused, "b": {"followed": True, "cause": None, "reason": ""}}
    assert set(view(state, at(301))["answers"]) == {"b"}
    state.renew()
    assert set(view(state, at(301))["answers"]) == {"b"}, "a new connection does not repeat them"


def test_the_newest_answer_of_dispatch_counts(state: State) -> None:
    """`auto: followed`, and 20 s later the start was refused: the page still said that dispatch follows."""

    def shown() -> tuple[bool, str]:
        said = view(state, at(60))["answers"]["a"]
        return said["followed"], said["reason"]

    hear(state, 0, CONTROL_OUTCOME, told("a"))
    refused = told("a", Cause.INTERLOCK).model_copy(update={"at": NOON + timedelta(seconds=20)})
    hear(state, 20, CONTROL_OUTCOME, refused)
    assert shown() == (False, "busy")
    proven = told("a").model_copy(update={"at": NOON + timedelta(seconds=30)})
    hear(state, 30, CONTROL_OUTCOME, proven)
    assert shown() == (True, "")
    again = told("a", Cause.DUPLICATE).model_copy(update={"at": NOON + timedelta(seconds=31)})
    hear(state, 31, CONTROL_OUTCOME, again)
    assert shown() == (True, ""), "that the request came twice says nothing of the first"
    assert view(state, at(329))["answers"], "its minutes are counted from its newest answer"


def test_the_first_answer_of_alarms_counts(state: State) -> None:
    """The broker may deliver a request twice: it was done, and then there is nothing to do."""
    hear(state, 0, ALARM_OUTCOME, told("a"), alarm="soc_low-bms1")
    hear(state, 1, ALARM_OUTCOME, told("a", Cause.WRONG_STATE), alarm="soc_low-bms1")
    assert view(state, at(2))["answers"]["a"]["followed"]


def test_answers_do_not_pile_up(state: State) -> None:
    for number in range(10 * ANSWERS):
        hear(state, 0, CONTROL_OUTCOME, told(f"r{number}"))
    assert len(state.answers) == ANSWERS
    assert f"r{10 * ANSWERS - 1}" in state.answers


@pytest.mark.parametrize("value", [5.0, -1e50, "running", "\ufffd" * 100, [], ["a"] * 1000], ids=repr)
@pytest.mark.parametrize("device", DEVICES)
def test_a_value_of_another_kind_is_not_shown_as_one(state: State, device: str, value: Value) -> None:
    """A bridge with another profile, or a stranger: the page goes on, and says that it cannot be."""
    points = state.site.profiles[device].points
    telemetry = Telemetry(at=NOON, epoch=EPOCH, seq=1, values=dict.fromkeys([*points, "p", "soc", "x"], value))
    hear(state, 0, TELEMETRY, telemetry, device=device)
    shown = view(state, at(1))
    json.dumps(shown, allow_nan=False)
    kinds = {"flow": shown["flow"].values(), "soc": [shown["soc"]]}
    for part in [*kinds["flow"], *kinds["soc"]]:
        assert part["value"] is None or isinstance(part["value"], int | float)
    (mine,) = (one for one in shown["devices"] if one["device"] == device)
    numbers = [one for one in mine["values"] if one["point"] in ("p", "soc")]
    assert all(one["state"] == ("live" if isinstance(value, float) else "implausible") for one in numbers)
