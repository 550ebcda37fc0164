"""The past is quick, complete, plausible, and the same each time."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from schemas.messages import Telemetry
from schemas.site import Site
from simulator.past import past
from simulator.service import SimulatedSite

END = datetime(2026, 6, 20, 9, 2, 3, tzinfo=UTC)
START = END - timedelta(days=7)


@pytest.fixture(scope="module")
def week(site: Site) -> list[tuple[str, Telemetry]]:
    return list(past(site, START, END))


def column(week: list[tuple[str, Telemetry]], device: str, point: str) -> list[float]:
    found = [message.number(point) for name, message in week if name == device]
    return [value for value in found if value is not None]


def test_seven_days_take_seconds(site: Site) -> None:
    """Two or three on a quiet machine: who starts the demo waits for it."""
    before = time.process_time()
    assert len(list(past(site, START, END))) == 4 * 7 * 288
    assert time.process_time() - before < 10


def test_every_step_of_every_device_is_there_once(week: list[tuple[str, Telemetry]]) -> None:
    keys = {(name, message.epoch, message.seq) for name, message in week}
    assert len(keys) == len(week)
    times = sorted({message.at for _, message in week})
    assert times[0] >= START
    assert times[-1] < END
    assert {b - a for a, b in pairwise(times)} == {timedelta(minutes=5)}
    assert all(message.historical for _, message in week)


def test_the_same_past_has_the_same_keys_and_values(site: Site, week: list[tuple[str, Telemetry]]) -> None:
    assert list(past(site, END - timedelta(hours=2), END)) != week[-4 * 24 :]  # another midnight, other state
    assert list(past(site, START, END))[-100:] == week[-100:]


def test_load_is_grid_and_battery_and_pv(week: list[tuple[str, Telemetry]]) -> None:
    series = (column(week, "meter", "p"), column(week, "pcs", "p"), column(week, "pv", "p"))
    loads = [sum(powers) for powers in zip(*series, strict=True)]
    assert 10_000 < min(loads) < 40_000
    assert 200_000 < max(loads) < 620_000


def test_counters_only_rise_and_agree_with_the_power(week: list[tuple[str, Telemetry]]) -> None:
    imports, exports, powers = (column(week, "meter", point) for point in ("e_import", "e_export", "p"))
    for counter in (imports, exports, column(week, "pv", "e_inj_total"), column(week, "bms", "e_charge_total")):
        assert all(b >= a for a, b in pairwise(counter))
    net = imports[-1] - imports[0] - exports[-1] + exports[0]
    assert net == pytest.approx(sum(powers[1:]) / 12, rel=0.002)


def test_the_battery_was_used_within_its_limits(week: list[tuple[str, Telemetry]]) -> None:
    soc = column(week, "bms", "soc")
    assert 5 < min(soc) < 40
    assert 60 < max(soc) < 95


def test_the_running_site_goes_on_where_its_past_ends(site: Site, week: list[tuple[str, Telemetry]]) -> None:
    plant = SimulatedSite(site, start=END, past=timedelta(days=7)).world.plant
    assert plant.battery.soc == pytest.approx(column(week, "bms", "soc")[-1], abs=3)
    assert plant.e_import >= column(week, "meter", "e_import")[-1] - 64
