"""The meter shows what is left over, and every Wh is in exactly one counter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.battery import Battery
from simulator.bess import Bess
from simulator.pcs import Pcs
from simulator.plant import Plant, Surroundings
from simulator.pv import Pv

STEPS = st.lists(
    st.tuples(st.floats(-150_000, 150_000), st.floats(0, 400_000), st.floats(0, 1), st.floats(0.1, 900)), max_size=40
)


def plant(soc: float = 50.0) -> Plant:
    battery = Battery(200_000, 100_000, 2000 * soc)
    return Plant({"pcs": Bess(battery, Pcs(100_000, 100_000, timeout=0))}, {"pv": Pv(150_000, 150_000)})


@given(STEPS, st.floats(0, 100))
def test_the_site_balances_in_power_and_in_energy(steps: list[tuple[float, float, float, float]], soc: float) -> None:
    site = plant(soc)
    start, battery_ac = site.battery.stored, 0.0
    converter = 0.0
    for wanted, load, sun, dt in steps:
        site.pcs.p_set = wanted
        site.step(dt, Surroundings(load, sun))
        battery_ac += site.pcs.p * dt / 3600
        converter += (site.pcs.dc - site.pcs.p) * dt / 3600
        assert site.grid == pytest.approx(site.load - site.pv["pv"].p - site.pcs.p)
        assert converter >= -1e-6
    produced = site.pv["pv"].energy
    assert site.e_import - site.e_export + produced + battery_ac == pytest.approx(site.e_load, abs=0.01)
    # from the cells to the meter: what left the cells is load, export, or one of the two losses
    assert start - site.battery.stored == pytest.approx(battery_ac + converter + site.battery.lost, abs=0.01)


def test_a_blocked_battery_takes_the_power_back_and_says_so() -> None:
    site = plant()
    site.battery.extra_volts = 0.4
    site.battery.limit(0)
    site.pcs.p_set = -80_000
    site.step(1, Surroundings(0, 0))
    assert site.battery.current == pytest.approx(0)
    assert site.pcs.derating
    assert site.pcs.p == pytest.approx(-300, abs=10)  # fans and control, now out of the grid


def test_a_curtailed_plant_gives_its_share() -> None:
    site = plant()
    site.pv["pv"].limit_pct, site.pv["pv"].limited = 30.0, True
    site.step(1, Surroundings(0, 0.8))
    assert site.pv["pv"].p == 45_000
    assert site.pv["pv"].curtailed


def test_it_remembers_over_a_restart() -> None:
    before, after = plant(80), plant(20)
    before.pcs.p_set = 50_000
    before.step(900, Surroundings(90_000, 0.5))
    after.recall(before.remember())
    assert after.remember() == before.remember()
