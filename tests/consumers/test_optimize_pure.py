"""What optimize makes of telemetry, of the archive and of price files, before any plan."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.prices import read_prices
from consumers.optimize.situation import Situation
from consumers.optimize.think import think
from optimizer.billing import Quarter
from schemas.messages import Telemetry, Value
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import Quality
from tests.consumers.test_dispatch_desk import plant_site

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return plant_site(tmp_path_factory.mktemp("site"))


def said(second: float, values: dict[str, Value], **more: Any) -> Telemetry:
    at = NOON + timedelta(seconds=second)
    return Telemetry(at=at, epoch="0" * 16, seq=100_000 + int(second * 1000), values=values, **more)


def fold(situation: Situation, device: str, sample: Telemetry, heard: float, ahead: float = 0.0) -> None:
    """A sample is heard at a second of the monotonic clock; the wall clock is so far ahead."""
    situation.fold(device, sample, NOON + timedelta(seconds=heard + ahead), heard)


CELLS: dict[str, Value] = {"soc": 55.0, "u": 800.0, "ccl": 200.0, "dcl": 200.0}
"""They allow more than the rating of the PCS."""


def told(site: Site) -> Situation:
    situation = Situation.of(site)
    fold(situation, "grid", said(0, {"p": 30e3}), 0)
    fold(situation, "pcs1", said(0, {"p": 10e3}), 0)
    fold(situation, "bms1", said(0, CELLS), 0)
    fold(situation, "pv1", said(0, {"p": 20e3}), 0)
    return situation


def test_load_is_what_grid_battery_and_pv_make(site: Site) -> None:
    situation = told(site)
    assert (situation.load(0), situation.pv(0)) == (60e3, 20e3)
    assert situation.soc(0) == 55.0
    assert situation.missing(0) == []


def test_silence_is_named_and_pv_may_sleep(site: Site) -> None:
    later = 90.0
    situation = told(site)
    fold(situation, "grid", said(89, {"p": 30e3}), 89)
    assert situation.missing(later) == ["pcs1", "bms1"]
    assert situation.pv(later) == 0.0
    assert situation.ages(later) == {"grid": 1.0, "pcs1": 90.0, "bms1": 90.0, "pv1": 90.0}
    assert Situation.of(site).missing(0) == ["grid", "pcs1", "bms1"]


@pytest.mark.parametrize("ahead", [86_400.0, -86_400.0])
def test_all_clocks_are_set_and_set_back_and_no_old_value_is_young(site: Site, ahead: float) -> None:
    """The BMS fell silent while the clocks were wrong: what it said then is as old as it is."""
    situation = told(site)
    for second in range(1, 60):
        moved = {"at": NOON + timedelta(seconds=second + ahead)}
        for device, point in (("grid", "p"), ("pcs1", "p"), ("bms1", "soc")):
            fold(situation, device, said(second, {point: 70.0}).model_copy(update=moved), second, ahead)
    assert situation.missing(59) == []
    for second in range(60, 200):  # the clocks are right again, and the BMS says nothing more
        for device in ("grid", "pcs1"):
            fold(situation, device, said(second, {"p": 70.0}), second)
    assert situation.missing(200) == ["bms1"]
    assert situation.ages(200)["bms1"] == 141
    for second in range(200, 203):
        fold(situation, "bms1", said(second, {"soc": 33.0}), second)
    assert situation.soc(202) == 33.0, "and what it says now is heard"


@pytest.mark.parametrize(
    "late",
    [
        said(5, {"p": 90e3}, historical=True),
        said(-5, {"p": 90e3}),
        said(5, {"p": 90e3}, quality={"p": Quality.IMPLAUSIBLE}),
        said(5, {"p": "off"}),
        said(5, {}),
    ],
    ids=["late", "older", "not good", "a word", "not read"],
)
def test_what_does_not_tell_of_now_changes_nothing(site: Site, late: Telemetry) -> None:
    situation = told(site)
    fold(situation, "grid", late, 5)
    assert situation.load(0) == 60e3


def test_a_spike_is_smoothed(site: Site) -> None:
    situation = told(site)
    fold(situation, "grid", said(1, {"p": 200e3}), 1)
    assert 30e3 < situation.means["grid"].value < 32e3


@given(st.permutations(["grid", "pcs1", "bms1", "pv1"]), st.integers(1, 3))
def test_order_and_repetition_of_devices_do_not_matter(site: Site, order: list[str], times: int) -> None:
    values: dict[str, dict[str, Value]] = {
        "grid": {"p": 30e3},
        "pcs1": {"p": 10e3},
        "bms1": CELLS,
        "pv1": {"p": 20e3},
    }
    situation = Situation.of(site)
    for _ in range(times):
        for device in order:
            fold(situation, device, said(0, values[device]), 0)
    assert situation == told(site)


def filled(site: Site, means: dict[str, list[float]], before: datetime = NOON) -> Past:
    """Means of the quarter hours before an instant, oldest first."""
    past = Past(site)
    for device, values in means.items():
        past.means[device] = {before - (len(values) - i) * QUARTER: value for i, value in enumerate(values)}
    return past


def billed(situation: Situation, powers: list[float], before: datetime = NOON) -> Situation:
    """What the archive has of the meter: quarter hours before an instant that were seen whole, oldest first."""
    first = before - len(powers) * QUARTER
    quarters = [Quarter(first + i * QUARTER, max(0.0, power) / 4, 900.0) for i, power in enumerate(powers)]
    situation.billing = situation.billing.archived({}, first).lately(quarters, before)
    return situation


def test_the_past_of_the_load_is_the_sum_and_a_sleeping_inverter_is_dark(site: Site) -> None:
    past = filled(site, {"grid": [10.0, 20.0, -30.0], "pcs1": [1.0, 2.0], "pv1": [50.0]})
    assert [value for _, value in past.load()] == [21.0, 22.0]
    assert [value for _, value in past.pv()] == [0.0, 50.0]


def test_a_plan_is_made_of_all_of_it(site: Site) -> None:
    past = filled(site, {"grid": [50e3] * 96, "pcs1": [0.0] * 96, "pv1": [0.0] * 96})
    situation = billed(told(site), [50e3] * 96)
    outlook = look(situation, past, {}, NOON, 0.0).outlook
    assert (outlook.soc, outlook.rated) == (55.0, 100e3)
    (one,) = outlook.charges
    assert (one.component.rate, [*one.peaks.values()]) == (15.0, [50e3])
    assert (outlook.load[0], outlook.pv[0], outlook.buy[0], outlook.sell[0]) == (60e3, 20e3, 0.12, 0.05)
    assert {at.hour for at, price in zip(outlook.starts, outlook.buy, strict=True) if price > 0.2} == {15, 16, 17, 18}
    plan, wrong, _ = think(situation, past, {}, NOON, 0.0)
    assert wrong == []
    assert plan.inputs == {"grid": 0.0, "pcs1": 0.0, "bms1": 0.0, "pv1": 0.0}
    assert all(step.policy for step in plan.steps if step.at < plan.until), "nobody knows the load for sure"


PRICES = "timestamp_utc,price_eur_per_mwh\n2026-06-10T10:15:00Z,50.5\n2026-06-10T10:00:00Z,-20\n2026-06-10T10:30:00Z,\n"


@pytest.mark.parametrize("name", ["prices.csv", "prices.csv.gz"])
def test_a_price_file_is_read(tmp_path: Path, name: str) -> None:
    packed = gzip.compress(PRICES.encode()) if name.endswith(".gz") else PRICES.encode()
    (tmp_path / name).write_bytes(packed)
    series = read_prices(tmp_path / name)
    assert series.hold == QUARTER
    assert [series.at(NOON + timedelta(minutes=m)) for m in (-1, 0, 14, 15, 30)] == [None, -0.02, -0.02, 0.0505, None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"timestamp_utc,price_eur_per_mwh\nyesterday,3\n", r"prices.csv:2: not `timestamp_utc"),
        (b"time,price_eur_per_mwh\n2026-06-10T10:00:00Z,3\n", r"prices.csv:1: not `timestamp_utc"),
        (b"timestamp_utc,price_eur_per_mwh\n2026-06-10T10:00:00Z,3 EUR\n", r"prices.csv:2: .*3 EUR"),
        (b"\xff\xfe\x00", r"prices.csv:1: it cannot be read"),
        (None, r"prices.csv cannot be read"),
    ],
)
def test_a_bad_price_file_is_said(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "prices.csv").write_bytes(content)
    with pytest.raises(Trouble, match=words):
        read_prices(tmp_path / "prices.csv")
