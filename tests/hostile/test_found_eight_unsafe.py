"""Flexible loads and a policy after what happens in the field: minimum times, restarts, meters that are late."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.kept import Kept, Stored
from schemas.messages import ControlMode, Mode, Value
from tests.consumers.policy_site import PolicySite
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_load_desk import LAMPS, NOON, PUMP, SWITCHED, Story


@pytest.mark.parametrize("times", ["", "minimum_off = 60\n", "minimum_off = 120\nminimum_on = 30\n"])
def test_a_load_with_a_minimum_time_off_is_not_switched_more_often_by_a_site_at_its_limit(
    tmp_path: Path, times: str
) -> None:
    """Its minimum time off made what gives way forget how often it had to go: a compressor was started each four
    minutes for as long as the site hovered at its limit, where one without minimum times waits a quarter of an hour."""
    it = Story(tmp_path, SWITCHED + times)
    shares = list[float]()
    for second in range(0, 7200, 2):
        it.base = 70e3 if second // 120 % 2 else 90e3
        it.tick(2)
        shares.append(it.shares["two"])
    assert sum(a != b for a, b in pairwise(shares)) <= 14


def test_a_short_restart_long_after_the_last_write_blocks_no_load_for_an_hour(tmp_path: Path) -> None:
    """What is kept was as old as the last change. A load that had been off for half an hour counted as unseen for as
    long, and so as started as often as it may be: it took nothing for an hour after a restart of five seconds."""
    it = Story(tmp_path, PUMP + "starts_per_hour = 2\nminimum_off = 300\n")
    kept: Kept | None = None
    for _ in range(0, 5300, 4):
        it.tick(4, each=4)
        now = it.desk.keep(it.now, it.second)
        assert now is not None
        kept = now if now.differs(kept) else kept  # as the service writes it
    assert kept is not None
    it.second += 5
    it.desk = Desk.of(it.site)
    mode = ControlMode(mode=Mode.AUTO, at=it.now - timedelta(hours=1), who="x")
    it.desk.begin(Stored(mode, kept=kept), Stored(mode), it.now, it.second)
    it.plan(one=10e3)
    it.tick(4)
    assert (it.shares["one"], it.why()) == (1.0, "10.0 kW: as it is planned")


class Ramps(Story):
    """A car, a drive: it follows what it is told at 5 % of its rating in 2 s; or it does not dim at all."""

    deaf = False
    real: float = 0.0

    def powers(self) -> dict[str, float]:
        told = 20e3 * self.shares["two"]
        goal = 20e3 if self.deaf and told > 0 else told
        self.real += max(-1e3, min(1e3, goal - self.real))
        return {"one": 0.0, "two": self.real}


def test_a_load_that_was_just_told_less_is_not_switched_off_while_it_ramps(tmp_path: Path) -> None:
    """The plan lowers a car from 20 to 10 kW as the site comes near its limit: half of it would do, and it was switched
    off, for a minute at least, because it still drew more than that."""
    it = Ramps(tmp_path, LAMPS)
    it.base = 70e3
    it.plan(two=20e3)
    it.tick(120)
    it.plan(two=10e3)
    it.base = 85e3
    for _ in range(30):
        it.tick(2)
        assert it.shares["two"] == 0.5
    assert it.base + it.real <= 98e3


def test_a_load_that_does_not_dim_is_switched_off_before_a_limit_is_passed_for_ever(tmp_path: Path) -> None:
    """It was told 14 of its 20 kW each 2 s, drew 20, and the import limit stayed passed for as long as that was so."""
    it = Ramps(tmp_path, LAMPS)
    it.base, it.deaf = 70e3, True
    it.tick(120)
    it.base = 84e3
    it.tick(70)
    for _ in range(300):
        it.tick(2)
        assert (it.shares["two"], it.base + it.real <= 100e3) == (0.0, True)


class Seldom(PolicySite):
    """A device that says one of its points well only each so many seconds."""

    of: str = ""
    point: str = ""
    each: int = 1

    def _read(self, desk: Desk, device: str, values: Mapping[str, Value]) -> None:
        if device == self.of and self.second % self.each:
            values = {point: value for point, value in values.items() if point != self.point}
        super()._read(desk, device, values)


@pytest.mark.parametrize("each", [6, 30])
@pytest.mark.parametrize("point", ["ccl", "u", "soc"])
def test_a_bms_that_says_its_limits_seldom_moves_no_battery_to_full_power_and_back_for_ever(
    tmp_path: Path, point: str, each: int
) -> None:
    """Each word was good for 5 s: every half minute the battery went to all that it has, and back."""
    it = Seldom(plant_site(tmp_path), NOON)
    it.of, it.point, it.each = "bms1", point, each
    it.run(60, 90e3)
    powers = list[float]()
    for _ in range(300):
        it.run(1, 90e3)
        powers.append(it.powers["pcs1"])
    assert max(powers) == 0.0
    assert "the BMS" in it.reasons[-1]
    it.each = 1
    it.run(20, 90e3)
    assert it.powers["pcs1"] > 80e3, "two words in time, and it is there again"
