"""A policy in the middle of its billing window: a restart, a battery less, clocks that step, plans that are old."""

from datetime import UTC, datetime, timedelta
from math import fmod
from pathlib import Path
from random import Random
from textwrap import dedent

import pytest

from schemas.messages import Plan
from schemas.site import Site
from schemas.site_file import load_site
from tests.consumers.policy_site import Load, PolicySite
from tests.consumers.test_dispatch_batteries import SITE as TWO
from tests.consumers.test_dispatch_desk import NOON, TARIFF, plant_site
from tests.consumers.test_dispatch_policy import CAP
from tests.optimizer.test_dispatch import planned

SPARE = 0.002
"""Of the cap."""


def plan(at: datetime = NOON, *, steps: int = 8, seconds: float = 900.0, most: float = 150e3) -> Plan:
    """Holds the cap with as much as the batteries have that it knows of."""
    policy = [(0.0, 0.0), (CAP, 0.0), (CAP + most, most)]
    one = planned(0.0, load=40e3, policy=policy, cap=CAP, seconds=seconds)
    each = [one.steps[0].model_copy(update={"at": at + timedelta(seconds=seconds * turn)}) for turn in range(steps)]
    valid = {"at": at, "until": at + timedelta(hours=1), "steps": each}
    return one.model_copy(update=valid | {"peak": CAP, "peaks": {"demand": CAP}})


def one_battery(folder: Path, start: datetime = NOON, *, tells: bool = True) -> PolicySite:
    it = PolicySite(plant_site(folder), start, tells_billing=tells)
    it.hears(plan(start))
    return it


def two(folder: Path) -> Site:
    (folder / "tariff.toml").write_text(dedent(TARIFF), encoding="utf-8")
    (folder / "site.toml").write_text(TWO.format(name="plant"), encoding="utf-8")
    return load_site(folder / "site.toml")


# (a) a restart ---------------------------------------------------------------------------------------------


def falls(second: float) -> float:
    return 110e3 if second < 500 else 62e3


def late_fall(second: float) -> float:
    return 40e3 if second < 100 else 140e3 if second < 408 else 70e3


def plateau(_: float) -> float:
    return 90e3


@pytest.mark.parametrize(
    ("load", "each", "away", "tells"),
    [
        (falls, [200], 60, True),
        (late_fall, [400], 6, True),
        (late_fall, [400], 6, False),
        (plateau, [300], 60, False),
        (plateau, [300, 550, 780], 100, False),
        (falls, [50, 200, 350], 100, False),
        (late_fall, [100, 350, 600], 100, False),
    ],
    ids=["a minute", "after much", "nobody tells", "a plateau", "three times", "it falls", "it falls late"],
)
def test_after_restarts_the_window_is_held_with_what_it_had_before(
    tmp_path: Path, load: Load, each: list[int], away: int, *, tells: bool
) -> None:
    """What it had comes from the word of what is billed, or from what was kept. Without it the unseen part counted like
    the part that was seen with a battery at work, and a window of 60 kW came to 77. Three restarts, the last one 20 s
    before the end of the window, came to 62.4."""
    it = one_battery(tmp_path, tells=tells)
    for second in each:
        it.run(second - int(it.second), load).restart(away, load)
    it.run(902 - int(it.second), load)
    assert it.mean(0) <= CAP * (1 + SPARE)


def test_a_window_of_which_nothing_is_known_says_so_and_is_held(tmp_path: Path) -> None:
    """The disk kept nothing of it, and nobody tells."""
    it = one_battery(tmp_path, tells=False).run(300, 90e3)
    assert it.kept is not None
    it.kept = it.kept.model_copy(update={"windows": {}})
    it.restart(60, 90e3).run(542, 90e3)
    assert it.mean(0) <= CAP * (1 + SPARE)
    assert any("of it were not seen" in words for words in it.reasons)


def test_a_restart_under_a_low_load_gives_nothing_away(tmp_path: Path) -> None:
    it = one_battery(tmp_path).run(300, 20e3).restart(6, 20e3)
    it.run(902 - int(it.second), 75e3)
    assert max(it.told["pcs1"][1], 0.0) == pytest.approx(0.0, abs=20e3)
    assert it.mean(0) == pytest.approx((306 * 20e3 + 594 * 75e3) / 900, rel=0.01), "it came below the cap by itself"


def test_until_meter_and_battery_were_read_it_rests(tmp_path: Path) -> None:
    it = one_battery(tmp_path).run(300, 90e3).restart(20, 90e3)
    assert it.desk is not None
    assert [order.wanted.power for order in it.desk.instruct(it.now, it.second).values()] == []
    it.run(4, 90e3)
    assert it.told["pcs1"][1] > 20e3, "and within two commands it holds the window"


# (b) a battery less ----------------------------------------------------------------------------------------


def test_when_one_of_two_batteries_dies_the_other_holds_the_cap(tmp_path: Path) -> None:
    it = PolicySite(two(tmp_path), NOON)
    it.hears(plan())
    it.run(300, 130e3)
    it.dead.add("pcs2")
    it.run(602, 130e3)
    assert it.mean(0) <= CAP * (1 + SPARE)
    assert "yard takes no part: the PCS has tripped" in it.reasons[-1]


@pytest.mark.parametrize("load", [110e3, 180e3], ids=["it is enough", "it is not"])
def test_when_a_bms_allows_less_the_other_takes_what_it_can(tmp_path: Path, load: float) -> None:
    it = PolicySite(two(tmp_path), NOON)
    it.hears(plan())
    it.run(300, load)
    it.most["pcs1"] = 20e3
    it.run(590, load)
    if load < 150e3:
        assert it.mean(0, 890) <= CAP * (1 + SPARE)
    else:
        assert it.powers == pytest.approx({"pcs1": 20e3, "pcs2": 50e3}, abs=500)
        assert "limited by the BMS of hall, the PCS rating of yard" in it.reasons[-1]


# (d) clocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-30.0, 120.0, 3600.0, -3600.0])
def test_a_clock_that_steps_and_comes_back_loses_no_cap(tmp_path: Path, jump: float) -> None:
    """An hour ahead for three minutes, and the window's integral was lost: 63.5 kW."""
    it = one_battery(tmp_path).run(400, 90e3)
    it.ahead = jump
    it.run(200, 90e3)
    it.ahead = 0.0
    it.run(302, 90e3)
    assert it.mean(0) <= CAP * 1.007, "of what flowed while no window was known something is lost"
    assert it.desk is not None
    assert it.desk.fold.billing.peak <= CAP * (1 + SPARE)
    assert it.billing.peak(it.now) <= CAP * (1 + SPARE)


@pytest.mark.parametrize("jump", [-5.0, 5.0, 3600.0, -3600.0])
def test_a_clock_that_was_set_right_holds_the_window_it_stands_in(tmp_path: Path, jump: float) -> None:
    it = one_battery(tmp_path).run(400, 90e3)
    it.ahead = jump
    it.run(502 - int(fmod(jump, 900.0)), 90e3)
    assert it.mean(0, len(it.grids)) <= CAP * 1.007


@pytest.mark.parametrize("night", [datetime(2026, 3, 29, 0, 45, tzinfo=UTC), datetime(2026, 10, 25, 0, 45, tzinfo=UTC)])
def test_a_summer_time_that_begins_or_ends_counts_each_window_once(tmp_path: Path, night: datetime) -> None:
    """At 01:00 UTC Berlin goes from 2:00 to 3:00, or from 3:00 to 2:00."""
    it = one_battery(tmp_path, night).run(1801, 90e3)
    assert [it.mean(begin) <= CAP * (1 + SPARE) for begin in (0, 900)] == [True] * 2
    said = it.billing.components[0]
    assert said.running.peak <= CAP * (1 + SPARE)


# (e) plans that are late or old ----------------------------------------------------------------------------


def test_a_retained_plan_of_a_site_with_more_batteries_holds_what_this_one_can(tmp_path: Path) -> None:
    """Its policy counts with 500 kW."""
    it = one_battery(tmp_path)
    it.hears(plan(most=500e3))
    assert it.run(902, 120e3).mean(0) <= CAP * (1 + SPARE)


def test_plans_out_of_order_and_too_old_change_nothing(tmp_path: Path) -> None:
    it = one_battery(tmp_path).run(60, 90e3)
    newest = it.plan
    it.hears(plan(NOON - timedelta(hours=2)))
    it.hears(plan(NOON - timedelta(minutes=30)).model_copy(update={"peak": 1e6, "peaks": {"demand": 1e6}}))
    assert it.desk is not None
    assert it.desk.plans.at(it.now) == newest
    assert it.run(842, 90e3).mean(0) <= CAP * (1 + SPARE)


def test_after_the_last_plan_the_cap_is_held_by_what_was_known(tmp_path: Path) -> None:
    it = one_battery(tmp_path)
    it.hears(plan().model_copy(update={"until": NOON + timedelta(seconds=450)}))
    it.run(902, 90e3)
    assert it.mean(0) <= CAP * (1 + SPARE)
    assert "no valid plan: keeps 50 % for the month's peak" in it.reasons[-1]


# a meter that jumps ----------------------------------------------------------------------------------------


class Jumping(PolicySite):
    """Its meter shows what was 5 s before, or 25 s: for a while each."""

    def _shown(self) -> float:
        if not hasattr(self, "late"):
            chance = Random(2)
            self.late = [late for _ in range(60) for late in [chance.choice([5, 25])] * chance.randint(5, 60)]
        return self.grids[max(0, len(self.grids) - 1 - self.late[len(self.grids)])]


def test_a_meter_whose_delay_jumps_passes_no_cap_under_a_load_that_moves(tmp_path: Path) -> None:
    """Its own mean of the window was 60.0 kW, the true one 62."""
    it = Jumping(plant_site(tmp_path), NOON)
    it.hears(plan())
    it.run(902, lambda second: 120e3 if second // 50 % 2 else 60e3)
    assert it.mean(0) <= CAP
    assert it.desk is not None
    assert it.desk.fold.load.load.doubt.jumps


# windows that slide ----------------------------------------------------------------------------------------


def test_a_window_that_slides_is_held_wherever_it_begins(tmp_path: Path) -> None:
    tariff = TARIFF.replace("price = 15.0", "price = 15.0, minutes = 30, sliding = 5")
    it = PolicySite(plant_site(tmp_path, tariff=tariff), NOON)
    it.hears(plan())
    it.run(2702, lambda second: 40e3 if second % 900 < 600 else 110e3)
    assert max(it.mean(begin, 1800) for begin in range(0, 901, 300)) <= CAP * (1 + SPARE)
