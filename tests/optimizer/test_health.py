"""Energy and efficiency of batteries that are known, found from noisy counters, within the error that is stated."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from optimizer.health import Counted, Estimate, estimate, usable
from schemas.site_battery import Battery
from tests.optimizer.cells import Cells

NOMINAL = 200e3
SITE = Battery.model_validate({"pcs": "pcs1", "bms": "bms1", "energy": NOMINAL})

KINDS: dict[str, Cells] = {
    "aged, and its BMS does not know": Cells(),
    "new, SoC in whole percent": Cells(energy=198e3, efficiency=0.96, step=1.0),
    "poor, counters of 3 %": Cells(energy=150e3, efficiency=0.90, noise=0.03),
    "its SoC leaps at the ends": Cells(energy=160e3, believed=210e3, drift=0.15),
    "never full: the BMS counts": Cells(high=90.0, believed=170e3, drift=0.05),
}


@pytest.mark.parametrize("cells", KINDS.values(), ids=KINDS)
def test_the_error_lies_within_what_is_stated_in_nine_of_ten_trials(cells: Cells) -> None:
    inside = {"energy": 0, "efficiency": 0}
    for seed in range(30):
        found = estimate(cells.lived(20, np.random.default_rng(seed)), NOMINAL)
        assert found is not None
        inside["energy"] += abs(found.energy - cells.energy) <= 2 * found.energy_sigma
        inside["efficiency"] += abs(found.efficiency - cells.efficiency) <= 2 * found.efficiency_sigma
    assert min(inside.values()) >= 27, inside


def test_days_that_are_missing_make_no_energy() -> None:
    """A third of the days is lost, whole or their energies alone; none of the stretches runs over them."""
    inside = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        lived = Cells().lived(40, rng)
        for day in range(40):
            if rng.random() < 0.33:
                lost = slice(96 * day + int(rng.integers(0, 48)), 96 * day + 90)
                for one in (lived.charged, lived.discharged, *([lived.soc] if rng.random() < 0.5 else [])):
                    one[lost] = np.nan
        found = estimate(lived, NOMINAL)
        assert found is not None
        assert 0.6 < lived.known < 0.95
        inside += abs(found.energy - 170e3) <= 2 * found.energy_sigma
    assert inside >= 27


def test_a_soc_that_is_set_anew_while_it_counts_is_left_out() -> None:
    lived = Cells(low=20.0, high=90.0, believed=170e3).lived(30, np.random.default_rng(1))
    found = estimate(lived, NOMINAL)
    lived.soc[96 * 15 + 20 : 96 * 15 + 60] -= 25.0
    leapt = estimate(lived, NOMINAL)
    assert found is not None
    assert leapt is not None
    assert leapt.stretches < found.stretches
    assert leapt.energy == pytest.approx(found.energy, rel=0.01)


def test_with_both_ends_it_is_sure_and_without_them_it_is_not() -> None:
    seen = estimate(Cells().lived(30, np.random.default_rng(2)), NOMINAL)
    counts = estimate(Cells(high=90.0).lived(30, np.random.default_rng(2)), NOMINAL)
    assert seen is not None
    assert counts is not None
    assert seen.whole >= 3
    assert seen.energy_sigma < 0.02 * seen.energy
    assert counts.whole == 0
    assert counts.energy_sigma > 0.1 * counts.energy, "its BMS counts with 200 kWh where there are 170"
    assert usable(SITE, counts)[0] == SITE.energy
    assert usable(SITE, seen)[0] == pytest.approx(seen.energy)


@pytest.mark.parametrize(
    "lived",
    [
        Counted(np.array([]), np.array([]), np.array([])),
        Counted(np.full(960, 50.0), np.zeros(960), np.zeros(960)),
        Counted(np.full(960, np.nan), np.full(960, np.nan), np.full(960, np.nan)),
        Counted(np.linspace(10, 90, 960), np.full(960, 200.0), np.zeros(960)),
    ],
    ids=["nothing", "it rests", "unknown", "it only charges"],
)
def test_what_tells_nothing_is_not_estimated(lived: Counted) -> None:
    assert estimate(lived, NOMINAL) is None


def test_series_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="give as many of each"):
        Counted(np.zeros(3), np.zeros(2), np.zeros(3))


FOUND = Estimate(170e3, 0.93, 2e3, 0.005, 20, 10)


@pytest.mark.parametrize(
    ("found", "energy", "efficiency"),
    [
        (None, 200e3, 0.95),
        (FOUND, 170e3, 0.93),
        (replace(FOUND, energy=230e3, efficiency=0.99), 200e3, 0.95),
        (replace(FOUND, energy=60e3, efficiency=0.4), 100e3, 0.475),
        (replace(FOUND, energy_sigma=9e3), 200e3, 0.93),
        (replace(FOUND, efficiency_sigma=0.03), 170e3, 0.95),
    ],
    ids=["unknown", "sure", "never more", "never less than half", "energy unsure", "efficiency unsure"],
)
def test_a_plan_gets_no_more_than_the_site_file_and_no_less_than_half(
    found: Estimate | None, energy: float, efficiency: float
) -> None:
    assert usable(SITE, found) == (energy, efficiency, inf if found is None else found.energy_sigma)
