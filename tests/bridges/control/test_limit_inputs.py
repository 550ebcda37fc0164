"""What the guard knows, from what was read and when."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridges.control.limit_inputs import limit_inputs
from bridges.control.limits import RAMP, clamp, limits
from bridges.telemetry.latest_values import LatestValues
from schemas.messages import Telemetry
from schemas.site import Site, load_site

DEMO = load_site(Path(__file__).parents[3] / "site.toml")


def board(at: float) -> LatestValues:
    """Every device read at one moment: a calm site."""
    read = LatestValues()
    for device, values in {
        "pcs": {"p": 0.0},
        "bms": {"u": 700.0, "ccl": 200.0, "dcl": 200.0, "soc": 50.0},
        "meter": {"p": 50_000.0},
    }.items():
        read.note(
            device, Telemetry(at=datetime(2026, 6, 1, tzinfo=UTC), epoch="0" * 16, seq=1, values=dict(values)), at
        )
    return read


def room(site: Site, rested: float) -> float:
    """How far the first step goes after so many seconds at rest, when everything is wanted."""
    now = 10_000.0
    seen = limit_inputs(site, board(now), now, moved=now - rested, powers=[], applied={"p_set": 0.0}, wanted={})
    allowed, steps = clamp(1e6, limits(seen))
    assert steps[-1][0] == RAMP
    return allowed


@pytest.mark.parametrize("rested", [1.0, 10.0, 3600.0])
def test_after_a_rest_the_first_step_is_one_cycle_of_ramp(rested: float) -> None:
    poll, ramp = DEMO.named("pcs").poll, DEMO.battery.ramp
    assert room(DEMO, rested) == pytest.approx(1.5 * poll * ramp)


def test_within_a_cycle_it_is_the_time_that_passed() -> None:
    assert room(DEMO, 0.1) == pytest.approx(0.1 * DEMO.battery.ramp)


def test_what_is_too_old_is_not_known() -> None:
    now = 10_000.0
    seen = limit_inputs(DEMO, board(now - 60), now, moved=now, powers=[], applied={}, wanted={})
    assert (seen.voltage, seen.charge_current, seen.soc, seen.grid, seen.battery) == (None,) * 5
