"""The PV of a hybrid is PV to every consumer, and no smaller load: on the page, in a plan's past and in its present.
It goes through the battery's inverter: nobody counts on the same watts twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.limit_watch import PATIENCE
from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from consumers.status.state import Moment, State, fold
from consumers.status.values import flow
from optimizer.plan import plan
from schemas.messages import Telemetry, Value
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import TELEMETRY
from tests.consumers.test_dispatch_desk import Story
from tests.optimizer.outlooks import battery, grid, outlook

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
SAID: dict[str, dict[str, Value]] = {
    "grid": {"p": -3e3},
    "hybrid": {
        "p": -2e3,
        "pv_p_1": 4e3,
        "pv_p_2": 3e3,
        "ac_p": 5e3,
        "soc": 50.0,
        "dc_u": 400.0,
        "ccl": 25.0,
        "dcl": 25.0,
    },
    "sun": {"p": 1e3},
}
"""8 kW of sun, 2 kW of it into the battery, 3 kW out of the site: a load of 3 kW."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    path = tmp_path / "site.toml"
    path.write_text(
        """
site = "hybrid"
tariff = "tariff.toml"
grid = { meter = "grid", import_limit = 50e3, export_limit = 50e3 }
battery = { pcs = "hybrid", energy = 10e3 }
device = [
    { name = "grid", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" },
    { name = "hybrid", profile = "goodwe_et", address = "tcp://127.0.0.1:503", rated_power = 10e3 },
    { name = "sun", profile = "sunspec_pv", address = "tcp://127.0.0.1:504", rated_power = 5e3 },
]
""",
        encoding="utf-8",
    )
    return load_site(path)


def said(device: str) -> Telemetry:
    return Telemetry(at=NOON, epoch="0" * 16, seq=1, values=SAID[device])


def test_what_a_plan_begins_with(site: Site) -> None:
    situation = Situation.of(site)
    for device in SAID:
        situation.fold(device, said(device), NOON, 1.0)
    assert (situation.pv(2.0), situation.load(2.0), situation.soc(2.0)) == (8e3, 3e3, 50.0)
    assert situation.missing(2.0) == []


def test_the_past_of_a_plan(site: Site) -> None:
    past = Past(site)
    for device, points in SAID.items():
        for point in {"p", "pv_p_1", "pv_p_2"} & points.keys():
            past.means[device if point == "p" else f"{device}.{point}"] = {NOON: float(str(points[point]))}
    assert past.pv() == [(NOON, 8e3)]
    assert past.load() == [(NOON, 3e3)]


def test_the_page(site: Site) -> None:
    state, now = State(site, broker=True), Moment(NOON + timedelta(seconds=1), 1.0)
    for device in SAID:
        fold(state, TELEMETRY, {"site": site.site, "device": device}, said(device), now)
    shown = flow(state, now)
    assert {name: shown[name]["value"] for name in ("grid", "battery", "pv", "load")} == {
        "grid": -3e3, "battery": -2e3, "pv": 8e3, "load": 3e3,
    }  # fmt: skip


def test_a_site_without_a_battery_has_a_load_too(site: Site) -> None:
    past = Past(site.model_copy(update={"battery": []}))
    past.means = {"grid": {NOON: 2e3}, "sun": {NOON: 1e3}}
    assert past.load() == [(NOON, 3e3)]


DESK: dict[str, tuple[float, float]] = {
    "at night it gives all of its rating": (0.0, 10e3),
    "at noon what its PV leaves": (8e3, 2e3),
    "its PV gives more than the inverter": (12e3, 0.0),
}


@pytest.mark.parametrize("moment", DESK)
def test_what_its_battery_is_asked_for(site: Site, moment: str) -> None:
    """10 kW were asked while 8 kW of PV went through the inverter of 10."""
    sun, most = DESK[moment]
    it = Story(site)
    for _ in range(2):
        it.second += 1
        it.hear("hybrid", {"p": 0.0, "pv_p_1": sun, "pv_p_2": 0.0, "state": "running", "soc": 50.0, "dc_u": 400.0,
                           "ccl": 50.0, "dcl": 50.0})  # fmt: skip
        it.hear("grid", p=20e3)
    order = it.orders()["hybrid"]
    assert order.wanted.power == pytest.approx(most)
    assert ("its PV in the same inverter" in order.wanted.reason) == (sun > 0)


def test_what_a_plan_counts_on() -> None:
    """All of its rating and its PV were sold at a high price: the inverter can only give one of the two."""
    dear = [0.30, 0.30, 0.05, 0.05]
    at: dict[str, Any] = {
        "sell": dear,
        "pv": 8e3,
        "load": 1e3,
        "rated": 10e3,
        "battery": battery(energy=10e3),
        "grid": grid(),
    }
    steps = plan(outlook(1, **at, inside=8e3), {}).steps
    assert max(step.power for step in steps) <= 2e3 + 1.0
    assert max(step.power for step in plan(outlook(1, **at), {}).steps) > 5e3, "that of an inverter of its own may"


def test_how_much_of_the_sun_goes_through_the_batteries_inverters(site: Site) -> None:
    situation = Situation.of(site)
    for device in SAID:
        situation.fold(device, said(device), NOON, 1.0)
    ahead = look(situation, Past(site), {}, NOON, 1.0).outlook
    assert ahead.inside == pytest.approx(ahead.pv * 10 / 15), "of 10 and 5 kW"


def test_pv_that_nobody_can_limit_is_named_when_the_limit_is_not_held(site: Site) -> None:
    """Its battery is full, and nothing may be fed in. No register of this hybrid limits its PV."""
    closed = site.model_copy(update={"grid": site.grid.model_copy(update={"export_limit": 0.0})})
    it = Story(closed)
    for _ in range(0, int(PATIENCE) + 4, 2):
        it.second += 2
        it.hear("grid", p=-6e3)
        it.orders()
    assert it.desk.watch.words == "feed-in is 6 kW, at most 0 kW may be; nobody can limit the PV of hybrid"
