"""Energy is conserved and the BMS protects the cells, whatever is asked of the battery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.battery import CHARGE_BY_VOLTAGE, OPEN_CIRCUIT, Battery, along

POWERS = st.lists(st.tuples(st.floats(-300_000, 300_000), st.floats(0.0, 900.0)), max_size=60)


def battery(soc: float) -> Battery:
    return Battery(200_000.0, 100_000.0, 200_000.0 * soc / 100)


@given(POWERS, st.floats(0, 100))
def test_no_energy_comes_from_nowhere(asked: list[tuple[float, float]], soc: float) -> None:
    pack = battery(soc)
    before, terminals = pack.stored, 0.0
    for power, dt in asked:
        terminals += pack.step(power, dt) * dt / 3600
    assert before - pack.stored == pytest.approx(terminals + pack.lost, abs=1e-3)
    assert pack.discharged - pack.charged == pytest.approx(terminals, abs=1e-3)
    assert pack.lost >= 0


@given(POWERS, st.floats(0, 100))
def test_the_cells_stay_between_empty_and_full(asked: list[tuple[float, float]], soc: float) -> None:
    pack = battery(soc)
    for power, dt in asked:
        carried = pack.step(power, dt)
        assert 0 <= pack.soc <= 100
        assert 0 <= pack.ccl <= pack.rated_current
        assert 0 <= pack.dcl <= pack.rated_current
        assert carried * power >= 0 or abs(carried) < 1e-6


@given(st.floats(-300_000, 300_000), st.floats(0, 100))
def test_the_current_keeps_the_limits_it_announced(power: float, soc: float) -> None:
    pack = battery(soc)
    ccl, dcl = pack.ccl, pack.dcl
    pack.step(power, 0.1)
    assert -ccl - 1e-9 <= pack.current <= dcl + 1e-9


@pytest.mark.parametrize(("power", "end"), [(80_000, "dcl"), (-80_000, "ccl")], ids=["empty", "full"])
def test_limits_close_towards_the_end(power: float, end: str) -> None:
    pack = battery(50)
    open_limit = getattr(pack, end)
    for _ in range(4 * 360):
        pack.step(power, 10)
    assert getattr(pack, end) < 0.1 * open_limit
    assert 2.5 < pack.cell_volts[0] < pack.cell_volts[1] <= 3.66


def test_voltage_sinks_under_load_and_rises_with_charge() -> None:
    pack = battery(50)
    rest = pack.voltage
    pack.step(100_000, 0)
    loaded = pack.voltage
    pack.step(-100_000, 0)
    assert loaded < rest < pack.voltage
    assert rest == pytest.approx(240 * 3.30, rel=0.005)


def test_a_hot_module_blocks_both_directions_and_limits_come_back_slowly() -> None:
    pack = battery(50)
    pack.extra_kelvin = 35.0
    pack.step(0, 1)
    assert (pack.ccl, pack.dcl) == (0, 0)
    assert pack.step(50_000, 1) == pytest.approx(0)
    pack.extra_kelvin = 0.0
    pack.step(0, 30)
    assert 0 < pack.dcl < 0.2 * pack.rated_current


def test_an_hour_of_full_power_warms_the_cells() -> None:
    pack = battery(90)
    before = pack.temperature
    for _ in range(360):
        pack.step(100_000, 10)
    assert before < pack.temperature < before + 10


@given(st.floats(-1, 5))
def test_curves_stay_between_their_ends(x: float) -> None:
    assert 0 <= along(CHARGE_BY_VOLTAGE, x) <= 1
    assert 2.6 <= along(OPEN_CIRCUIT, x) <= 3.65
