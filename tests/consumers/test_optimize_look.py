"""What a plan is made from beside forecasts and prices: cells, reserves, rules, flexible loads, worn batteries, CO2."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from consumers.optimize.look import Sight, look
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from consumers.optimize.think import reserve_prices, think
from optimizer.loads.load import Load, state_of
from schemas.messages import ControlDispatch, LoadDispatch, LoadState, Mode
from schemas.site import Site
from schemas.site_file import load_site
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_load_desk import METER
from tests.consumers.test_optimize_pure import NOON, filled, fold, said, told

FCR = 'reserve = [{ name = "fcr", up = 20e3, down = 10e3, minutes = 30 }]\n'
BACKUP = "plan = { hours = 24, backup_minutes = 60 }\n"
MORNING = (
    'rule = [{ name = "morning", when = [{ hours = { start = "04:00", end = "08:00" } }], '
    "then = { import_limit = 40e3 } }, "
    '{ name = "evening", when = [{ hours = { start = "17:00", end = "18:00" } }], then = { soc_min = 40 } }]\n'
)


def seen(site: Site, situation: Situation | None = None) -> Sight:
    return look(situation or told(site), Past(site), {}, NOON, 0.0)


def test_what_the_cells_allow_now_is_no_surprise_to_the_plan(tmp_path: Path) -> None:
    site = plant_site(tmp_path)
    situation = told(site)
    assert situation.allowed(0) == pytest.approx((160e3 / 0.95, 160e3 * 0.95))
    fold(situation, "bms1", said(1, {"soc": 55.0, "ccl": 50.0, "dcl": 100.0, "u": 800.0}), 1)
    charge, discharge = situation.allowed(1)
    assert charge == pytest.approx(40e3 / 0.95)
    assert discharge == pytest.approx(80e3 * 0.95)
    most = look(situation, Past(site), {}, NOON, 1.0).bare.most_charge
    assert most[0] == pytest.approx(charge)
    assert most[-1] == 100e3, "a derate is not for ever"
    assert situation.allowed(90) == (np.inf, np.inf), "there is nothing to plan for"


def test_reserves_are_kept_and_each_has_its_price(tmp_path: Path) -> None:
    site = plant_site(tmp_path, more=FCR + BACKUP)
    sight = seen(site)
    assert len(sight.bare.starts) == 96
    assert {one.name for one in sight.kept} == {"fcr", "backup"}
    assert sight.outlook.most_discharge[1] == pytest.approx(80e3)
    assert sight.outlook.floors[0] > 20e3 + 30e3, "an hour of the load above soc_min"
    thought = think(told(site), Past(site), {}, NOON, 0.0)
    assert thought.wrong == []
    assert reserve_prices(told(site), Past(site), {}, NOON, 0.0).keys() == {"fcr", "backup"}


def test_what_a_rule_will_limit_is_planned_for(tmp_path: Path) -> None:
    site = plant_site(tmp_path, more=MORNING)
    assert not site.wrong_rules
    outlook = seen(site).outlook
    hours = [at.astimezone(site.zone).hour for at in outlook.starts]
    assert {hour for hour, most in zip(hours, outlook.import_limit, strict=True) if most == 40e3} == {4, 5, 6, 7}
    assert {hour for hour, low in zip(hours, outlook.floors, strict=True) if low == 80e3} == {17}
    assert think(told(site), Past(site), {}, NOON, 0.0).wrong == []


def test_a_worn_battery_is_planned_with_what_is_left_of_it(tmp_path: Path) -> None:
    site = plant_site(tmp_path)
    situation = told(site)
    situation.worn["battery"] = 150e3, 0.9
    battery = seen(site, situation).outlook.battery
    assert (battery.energy, battery.efficiency) == (150e3, 0.9)


def test_co2_has_its_price_in_the_plan(tmp_path: Path) -> None:
    site = plant_site(tmp_path, more="carbon = { intensity = 400, price = 100 }\n")
    assert seen(site).outlook.carbon == pytest.approx(0.04)
    thought = think(told(site), Past(site), {}, NOON, 0.0)
    assert thought.wrong == []
    assert thought.plan.carbon_idle > 0


TAKES = 'energy = 20e3, deadline = "22:00", fallback = "off"'


def flexible(folder: Path, profile: str = "dimmable", rule: str = TAKES) -> Site:
    """The plant with a load of 10 kW, that takes 20 kWh until 22:00."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "dimmable.toml").write_text(METER, encoding="utf-8")
    more = f'load = [{{ device = "oven", {rule} }}]\n'
    plant_site(folder, more=more.replace("load", "#load"))
    path = folder / "site.toml"
    oven = f'    {{ name = "oven", profile = "{profile}", address = "tcp://127.0.0.1:506", rated_power = 10e3 }},\n]'
    text = path.read_text(encoding="utf-8").replace("#load", "load").rstrip().removesuffix("]") + oven
    path.write_text(text, encoding="utf-8")
    return load_site(path)


def test_a_flexible_load_is_no_part_of_the_forecast_and_planned_with_the_battery(tmp_path: Path) -> None:
    site = flexible(tmp_path)
    past = filled(site, {"grid": [50e3] * 4, "pcs1": [0.0] * 4, "pv1": [0.0] * 4, "oven": [10e3] * 4})
    assert [value for _, value in past.load()] == [40e3] * 4
    situation = told(site)
    fold(situation, "oven", said(0, {"p": 10e3}), 0)
    assert (situation.load(0), situation.rest(0)) == (60e3, 50e3)
    off = LoadState(on=False, since=NOON - timedelta(hours=2))
    dispatch = ControlDispatch(
        at=NOON, mode=Mode.AUTO, reason="", batteries={}, loads={"oven": LoadDispatch(state=off, reason="")}
    )
    situation.hear_dispatch(dispatch, 0.0)
    load = Load.of(site.load[0], site.profiles["oven"], 10e3, site.zone)
    assert state_of(situation.loads(0.0)["oven"], NOON) is not None
    thought = think(situation, past, {}, NOON, 0.0)
    assert thought.wrong == []
    deadline = load.deadline(NOON)
    assert deadline is not None
    taken = sum((step.power * step.seconds for step in thought.plan.loads["oven"] if step.at < deadline), 0.0)
    assert taken / 3600 == pytest.approx(20e3, rel=0.2)


RELAY = """
make = "test"
model = "relay"
kind = "load"
source = "this test"
[points]
switch = { register = 7 }
[commands]
switch = { register = 7, low = 0, high = 1, fallback = 0 }
"""


def test_a_load_without_a_meter_of_its_own_is_not_in_the_forecast_beside_the_plan(tmp_path: Path) -> None:
    """A relay that opens the compressor's contact: 0 is on. Half of a quarter it was on."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "relay.toml").write_text(RELAY, encoding="utf-8")
    site = flexible(tmp_path, "relay", 'energy = 20e3, deadline = "22:00", fallback = "off", on = 0, off = 1')
    past = filled(site, {"grid": [50e3] * 3, "pcs1": [0.0] * 3, "pv1": [0.0] * 3, "oven.switch": [1.0, 0.5, 0.0]})
    assert [value for _, value in past.load()] == [50e3, 45e3, 40e3]
    situation = told(site)
    fold(situation, "oven", said(0, {"switch": 0.0}), 0)
    assert (situation.load(0), situation.rest(0)) == (60e3, 50e3)
    assert think(situation, past, {}, NOON, 0.0).wrong == []


def test_a_load_that_only_sheds_is_forecast_as_it_is_measured_and_planned_with_nothing(tmp_path: Path) -> None:
    """A heat pump that draws 3 of its 10 kW on the mean: its rating is no forecast of it."""
    site = flexible(tmp_path, "dimmable", 'sheds = true, fallback = "on"')
    past = filled(site, {"grid": [50e3] * 4, "pcs1": [0.0] * 4, "pv1": [0.0] * 4, "oven": [3e3] * 4})
    assert [value for _, value in past.load()] == [50e3] * 4
    situation = told(site)
    fold(situation, "oven", said(0, {"p": 3e3}), 0)
    assert situation.rest(0) == 60e3
    planned, without = think(situation, past, {}, NOON, 0.0), look(situation, past, {}, NOON, 0.0)
    assert [step.load for step in planned.plan.steps] == pytest.approx(without.outlook.load.tolist(), abs=1)


def test_a_load_that_is_silent_counts_once(tmp_path: Path) -> None:
    """Its fallback is on: the plan carries its rating, so what is read now is less by that."""
    site = flexible(tmp_path, "dimmable", 'energy = 20e3, deadline = "22:00", fallback = "on"')
    situation = told(site)
    assert (situation.load(0), situation.rest(0)) == (60e3, 50e3)
