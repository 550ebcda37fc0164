"""The flexible loads on the desk of dispatch: what each is told, by the plan and by what goes before it. Pure."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.kept import Stored, understood
from consumers.dispatch.load_shedding import RELEASE
from consumers.dispatch.modes import begin
from optimizer.loads.load import HOUR, state_of
from schemas.messages import ControlMode, GridLimitRequest, LoadStep, Mode, Plan, Telemetry
from schemas.site_file import load_site

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)  # 12:00 in Berlin
METER = """
make = "test"
model = "dimmable load"
kind = "load"
source = "this test"
[points]
p = { register = 0, type = "i32", unit = "W" }
t = { register = 2, type = "i16", scale = 0.1, unit = "degC" }
e_import = { register = 8, type = "u32", unit = "Wh" }
control_loc = { register = 5, enum = { 0 = "remote", 1 = "local" } }
level_pct = { register = 6, unit = "%" }
switch = { register = 7 }
[commands]
switch = { register = 7, low = 0, high = 1, fallback = 0 }
level_pct = { register = 6, unit = "%", low = 0, high = 100, fallback = 0 }
"""
SITE = """
site = "loads"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
command_sources = { dispatch = "operator", dso = "dso", operator = "operator" }
grid = { meter = "grid", import_limit = 100e3, export_limit = 100e3 }
device = [
    { name = "grid", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" },
    { name = "one", profile = "dimmable", address = "tcp://127.0.0.1:503", rated_power = 10e3 },
    { name = "two", profile = "dimmable", address = "tcp://127.0.0.1:504", rated_power = 20e3 },
]
"""
STORAGE = """    { name = "pcs", profile = "sinexcel_pws2", address = "tcp://127.0.0.1:505", rated_power = 50e3 },
    { name = "bms", profile = "pylontech_powercube_m2", address = "tcp://127.0.0.1:506" },
"""
BATTERY = """
battery = {{ pcs = "pcs", bms = "bms", energy = 50e3 }}
plan = {{ hours = 24, backup_minutes = {backup} }}
"""
TARIFF = """
import.period = [{ price = 0.12 }]
export.period = [{ price = 0.05 }]
"""


class Story:
    """A desk of two loads that do as they are told, read each 2 s."""

    def __init__(self, folder: Path, *loads: str, tariff: str = TARIFF, more: str = "") -> None:
        (folder / "profiles").mkdir(exist_ok=True)
        (folder / "profiles" / "dimmable.toml").write_text(METER, encoding="utf-8")
        (folder / "tariff.toml").write_text(tariff, encoding="utf-8")
        site = SITE.replace("device = [", f"device = [{STORAGE}") if more else SITE
        text = more + site + "".join(f"[[load]]\n{one}\n" for one in loads)
        (folder / "site.toml").write_text(text, encoding="utf-8")
        self.site = load_site(folder / "site.toml")
        self.desk = Desk.of(self.site)
        self.desk.control = begin(NOON)
        self.second, self.seq, self.base = 100.0, 0, 20e3
        self.shares = {"one": 0.0, "two": 0.0}
        self.temperature = 20.0
        self.draws = 1.0
        """Of what its rating says."""
        self.more: dict[str, Any] = {}
        self.silent = set[str]()
        """Devices that are not read."""
        self.rests: dict[str, dict[str, Any]] = {
            "pcs": {"p": 0.0, "state": "running"},
            "bms": {"soc": 50.0, "ccl": 200.0, "dcl": 200.0, "u": 500.0},
        }

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.second - 100.0)

    def restarts(self, gone: float, *, lost: bool = False) -> None:
        """Dispatch is away for so many seconds; `lost`: with what it kept."""
        kept = self.desk.keep(self.now, self.second)
        assert kept is not None
        self.second += gone
        self.desk = Desk.of(self.site)
        mode = ControlMode(mode=Mode.AUTO, at=self.now, who="x")
        read = None if lost else understood(kept.model_dump_json().encode())
        self.desk.begin(Stored(None if lost else mode, kept=read), Stored(mode), self.now, self.second)

    def powers(self) -> dict[str, float]:
        return {
            name: self.draws * share * (self.site.named(name).rated_power or 0.0) for name, share in self.shares.items()
        }

    def shown(self, grid: float) -> float:
        """W that the meter shows."""
        return grid

    def tick(self, seconds: float = 2.0, each: float = 2.0) -> None:
        for _ in range(round(seconds / each)):
            powers, self.seq = self.powers(), self.seq + 1
            values = {"grid": {"p": self.shown(self.base + sum(powers.values()))}} | {
                name: {"p": power, "t": self.temperature, **self.more} for name, power in powers.items()
            }
            for name, one in (values | (self.rests if self.site.battery else {})).items():
                if name in self.silent:
                    continue
                said = Telemetry(at=self.now, epoch="0" * 16, seq=self.seq, values=one)
                self.desk.read(name, said, self.now, self.second)
            self.desk.instruct(self.now, self.second)
            for name, order in self.desk.steer_loads(self.now, self.second).items():
                value = order.values
                self.shares[name] = value["switch"] if "switch" in value else value["level_pct"] / 100
            self.second += each

    def plan(self, **powers: float) -> None:
        """For the next hour."""
        loads = {name: [LoadStep(at=self.now, seconds=3600, power=power)] for name, power in powers.items()}
        self.desk.plans.hear(
            Plan(
                id=f"{self.now}", at=self.now, until=self.now + timedelta(hours=1), currency="EUR", steps=[], cost=0,
                cost_idle=0, loads=loads,
            ),
            self.now,
        )  # fmt: skip

    def why(self, name: str = "one") -> str:
        return self.desk.loads.told[name].reason


PUMP = 'device = "one"\nenergy = 20e3\ndeadline = "20:00"\nfallback = "off"\n'
HALL = """
device = "one"
fallback = "on"
comfort = { point = "t", low = 18, high = 22, time_constant = 8, rest = 5, per_kw = 2 }
"""
SWITCHED = 'device = "two"\npoint = "switch"\nsheds = true\nfallback = "on"\n'
LAMPS = 'device = "two"\npoint = "level_pct"\nleast = 30\nsheds = true\nfallback = "on"\n'


def test_it_does_as_it_is_planned_and_without_a_plan_as_its_fallback_says(tmp_path: Path) -> None:
    it = Story(tmp_path, PUMP)
    it.tick(4)
    assert (it.shares["one"], it.why()) == (0.0, "off: no plan for it, this is its fallback")
    it.plan(one=10e3)
    it.tick(4)
    assert (it.shares["one"], it.why()) == (1.0, "10.0 kW: as it is planned")
    it.plan(one=0.0)
    it.tick(4)
    assert (it.shares["one"], it.why()) == (0.0, "off: as it is planned")
    it.second += 3700  # the plan has run out
    it.tick(4)
    assert "fallback" in it.why()


def test_a_deadline_is_met_without_a_plan_and_what_it_has_taken_is_counted(tmp_path: Path) -> None:
    """5 kWh at 10 kW until 20:00: on from 19:29 at the latest, off when it has them."""
    it = Story(tmp_path, PUMP.replace("20e3", "5e3"))
    it.tick(4)
    it.second += 7.45 * 3600
    it.tick(10)
    assert it.shares["one"] == 0.0
    it.second += 0.03 * 3600
    it.tick(8)
    assert it.shares["one"] == 1.0
    assert it.why() == "on: 5.0 kWh are missing until 20:00"
    it.tick(1788, each=4.0)
    assert it.shares["one"] == 1.0
    it.tick(24)
    assert it.shares["one"] == 0.0
    assert it.why() == "off: it has taken its 5 kWh"
    it.second += 600
    it.tick(4)
    assert it.desk.loads.seen["one"].taken == 0.0, "the next day begins anew"


def test_its_minimum_times_are_counted_on_what_it_did_also_across_a_restart(tmp_path: Path) -> None:
    it = Story(tmp_path, PUMP + "minimum_on = 600\nminimum_off = 300\n")
    it.tick(4)
    it.plan(one=10e3)
    it.tick(290)
    assert it.shares["one"] == 0.0, "nobody knows since when it is off: it counts from the first reading"
    assert "its minimum times; then 10.0 kW" in it.why()
    it.tick(20)
    assert it.shares["one"] == 1.0
    it.plan(one=0.0)
    it.tick(300)
    assert it.shares["one"] == 1.0
    it.restarts(100)
    it.plan(one=0.0)
    it.tick(150)
    assert it.shares["one"] == 1.0, "not before its 600 s"
    it.tick(70)
    assert it.shares["one"] == 0.0


def test_it_is_started_no_more_often_than_it_may_whatever_plans_say(tmp_path: Path) -> None:
    it = Story(tmp_path, PUMP + "starts_per_hour = 2\n")
    it.tick(4)
    it.tick(HOUR, each=4.0)  # what it did before is unknown, and counts as starts
    starts, was = list[float](), 0.0
    for step in range(40):
        it.plan(one=10e3 * (step % 2))
        it.tick(100, each=4.0)
        if it.shares["one"] > was:
            starts.append(it.second)
        was = it.shares["one"]
    assert len(starts) == 4, "two in each hour"
    assert all(later - first >= HOUR - 4 for first, later in zip(starts, starts[2:], strict=False))


@pytest.mark.parametrize(("temperature", "planned", "share"), [(17.5, 0.0, 1.0), (22.5, 10e3, 0.0), (20.0, 0.0, 0.0)])
def test_comfort_goes_before_the_plan(tmp_path: Path, temperature: float, planned: float, share: float) -> None:
    it = Story(tmp_path, HALL)
    it.temperature = temperature
    it.plan(one=planned)
    it.tick(6)
    assert it.shares["one"] == share
    assert ("is its band" in it.why()) is (temperature != 20.0)


def test_a_band_that_is_not_read_is_unknown_and_never_fine(tmp_path: Path) -> None:
    it = Story(tmp_path, HALL + "sheds = true\n")
    it.plan(one=0.0)
    it.tick(4)
    assert it.shares["one"] == 0.0
    it.more, it.base = {"t": "broken"}, 95e3
    it.tick(56)
    assert it.shares["one"] == 0.0, "what was read a minute ago still tells of it"
    it.tick(10)
    assert (it.shares["one"], it.why()) == (1.0, "on: its t is not read, this is its fallback")


def test_hours_in_which_it_may_not_be_touched_bring_its_last_moment_forward(tmp_path: Path) -> None:
    """5 kWh at 10 kW until 20:00, but not after 19:00: from 18:29."""
    it = Story(tmp_path, PUMP.replace("20e3", "5e3") + 'hours = [{ start = "08:00", end = "19:00" }]\n')
    it.tick(4)
    it.second += 6.4 * 3600
    it.tick(4)
    assert it.shares["one"] == 0.0
    it.second += 0.1 * 3600
    it.tick(4)
    assert it.shares["one"] == 1.0


def test_what_it_did_is_told_and_a_plan_begins_there(tmp_path: Path) -> None:
    it = Story(tmp_path, HALL)
    it.tick(4)
    it.plan(one=10e3)
    it.tick(100)
    seen = it.desk.loads.seen["one"].now(it.second)
    found = state_of(it.desk.loads.told["one"].state, it.now)
    assert found is not None
    assert found.on
    assert found.seconds == pytest.approx(seen.seconds, abs=3)
    assert found.value == 20.0
    assert len(found.starts) == len(seen.starts)
    assert state_of(None, it.now) is None


def test_at_the_edge_of_its_band_nothing_chatters(tmp_path: Path) -> None:
    it = Story(tmp_path, HALL)
    it.plan(one=0.0)
    changes, was = 0, 0.0
    for step in range(300):
        it.temperature = 18.0 + (0.05 if step % 2 else -0.05)
        it.tick()
        changes += it.shares["one"] != was
        was = it.shares["one"]
    assert changes == 1


def test_a_load_gives_way_before_the_import_limit_is_passed_and_comes_back_after_it(tmp_path: Path) -> None:
    it = Story(tmp_path, SWITCHED)
    it.tick(4)
    assert it.shares["two"] == 1.0, "its fallback"
    it.base = 79e3  # 99 of 100 kW with the lamps
    it.tick(6)
    assert it.shares["two"] == 0.0
    assert it.why("two") == "waits: 79 kW of 100 kW are drawn, the import limit" or it.why("two").startswith("off: ")
    assert "two: " in it.desk.detail
    assert it.base + it.powers()["two"] < 98e3
    it.tick(120)
    assert it.shares["two"] == 0.0, "it would not fit"
    it.base = 60e3
    it.tick(RELEASE - 10)
    assert it.shares["two"] == 0.0
    it.tick(20)
    assert it.shares["two"] == 1.0


def test_only_as_much_as_is_needed_gives_way_and_comfort_does_not(tmp_path: Path) -> None:
    it = Story(tmp_path, HALL + "sheds = true\n", LAMPS)
    it.temperature, it.base = 17.0, 75e3
    it.tick(10)
    assert it.shares == {"one": 1.0, "two": 0.65}, "the hall is too cold to give way"
    warm = Story(tmp_path, HALL + "sheds = true\n", LAMPS)
    warm.base, warm.shares = 69e3, {"one": 1.0, "two": 1.0}
    warm.tick(10)
    assert warm.shares == {"one": 0.0, "two": 1.0}, "10 kW are enough"


def test_a_load_at_its_minimum_time_is_dimmed_and_not_switched(tmp_path: Path) -> None:
    it = Story(tmp_path, LAMPS + "minimum_on = 600\n")
    it.shares["two"], it.base = 1.0, 96e3
    it.tick(6)
    assert it.shares["two"] == 0.3
    assert it.why("two").startswith("at its least: ")


def test_the_peak_that_is_billed_is_kept_as_well(tmp_path: Path) -> None:
    it = Story(tmp_path, LAMPS, tariff=TARIFF + "demand = { price = 15.0 }\n")
    it.desk.peaks.peak = 50e3
    it.tick(60)
    assert it.shares["two"] == 1.0
    it.base = 60e3
    it.tick(600)
    assert it.shares["two"] == 0.0
    assert "the month's peak" in it.why("two")


def test_a_dimmable_load_draws_what_fits_and_is_raised_once_a_minute(tmp_path: Path) -> None:
    it = Story(tmp_path, LAMPS)
    it.tick(4)
    it.base = 85e3
    it.tick(4)
    assert it.shares["two"] == 0.65
    assert it.why("two") == "13.0 kW: 98 kW of 100 kW are drawn, the import limit"
    told = list[float]()
    for second in range(120):
        it.base = 80e3 + 5e3 * (second % 7 < 3)  # up and down
        it.tick()
        told.append(it.shares["two"])
    assert set(told) == {0.65}
    it.base = 80e3
    it.tick(2 * RELEASE + 4)
    assert it.shares["two"] == 0.9
    it.base = 95e3
    it.tick(4)
    assert it.shares["two"] == 0.0, "3 kW are less than it can run at"


def test_a_site_that_hovers_at_its_limit_does_not_switch_a_load_each_minute(tmp_path: Path) -> None:
    """Five hours of a base load that leaves room for 65 s and takes it for 65 s: an hour has 28 of those."""
    it, starts, was = Story(tmp_path, SWITCHED), list[float](), 1.0
    for second in range(0, 5 * 3600, 5):
        it.base = 60e3 if second % 130 < 65 else 85e3
        it.tick(5, each=5.0)
        starts += [it.second] if it.shares["two"] > was else []
        was = it.shares["two"]
    hours = [sum(begin <= at - 100 < begin + HOUR for at in starts) for begin in range(0, 5 * 3600, 3600)]
    assert max(hours) <= 7, hours


def test_its_starts_are_obeyed_by_one_that_gives_way_again_and_again(tmp_path: Path) -> None:
    it, starts, was = Story(tmp_path, SWITCHED + "starts_per_hour = 1\n"), list[float](), 1.0
    for second in range(0, 4 * 3600, 10):
        it.base = 60e3 if second % 1800 < 900 else 85e3
        it.tick(10, each=5.0)
        starts += [it.second] if it.shares["two"] > was else []
        was = it.shares["two"]
    assert len(starts) >= 2
    assert all(later - first >= HOUR - 10 for first, later in pairwise(starts))


@pytest.mark.parametrize(("authority", "share"), [("dso", 0.0), ("operator", 1.0)])
def test_a_limit_of_the_grid_operator_goes_before_its_minimum_time_and_it_is_said(
    tmp_path: Path, authority: str, share: float
) -> None:
    it = Story(tmp_path, SWITCHED + "minimum_on = 900\n")
    it.tick(4)
    wish = {"id": "1", "at": it.now, "source": authority, "authority": authority, "reason": "scarce"}
    wish |= {"direction": "consumption", "power": 30e3}
    assert it.desk.limits.hear(GridLimitRequest.model_validate(wish), it.now) is None
    it.tick()
    assert it.shares["two"] == share
    assert ("before its minimum time is over: " in it.why("two")) is (share == 0.0)
    assert ("a limit by dso as dso" in it.why("two")) is (share == 0.0)


def test_energy_that_is_kept_in_reserve_is_no_spare_before_a_peak(tmp_path: Path) -> None:
    """The battery could give 50 kW; all of its energy is kept for a backup. Then the lamps give way."""
    for backup, share in ((0, 1.0), (24 * 60, 0.0)):
        tariff = TARIFF + "demand = { price = 15.0 }\n"
        it = Story(tmp_path, SWITCHED, tariff=tariff, more=BATTERY.format(backup=backup))
        it.shares["two"], it.desk.peaks.peak, it.base = 1.0, 50e3, 40e3
        it.tick(120)
        assert it.shares["two"] == share, backup


@pytest.mark.parametrize("mode", [Mode.LOCAL, Mode.LOCKOUT])
def test_in_other_modes_it_is_told_nothing(tmp_path: Path, mode: Mode) -> None:
    it = Story(tmp_path, LAMPS)
    it.tick(4)
    it.desk.control = begin(NOON)
    assert it.desk.control is not None
    it.desk.control = type(it.desk.control)(ControlMode(mode=mode, at=NOON, who="anna"))
    it.tick(2)
    assert it.desk.steer_loads(it.now, it.second) == {}
    assert it.desk.loads.told["two"].power is None


def test_one_that_is_silent_or_at_its_panel_is_told_nothing(tmp_path: Path) -> None:
    it = Story(tmp_path, LAMPS)
    assert it.desk.steer_loads(it.now, it.second) == {}, "never read"
    it.tick(4)
    assert "two" in it.desk.steer_loads(it.now, it.second)
    assert it.desk.steer_loads(it.now, it.second + 10) == {}
    it.more = {"control_loc": "local"}
    it.tick(2)
    assert it.desk.steer_loads(it.now, it.second) == {}
    assert it.why("two") == "no command: it is steered at its own panel"


def test_in_hours_in_which_it_may_not_be_touched_it_is_told_nothing(tmp_path: Path) -> None:
    it = Story(tmp_path, PUMP + 'hours = [{ start = "13:00", end = "14:00" }]\n')
    it.plan(one=10e3)
    it.tick(4)
    assert it.shares["one"] == 0.0
    assert it.desk.steer_loads(it.now, it.second) == {}
    it.second += 3600
    it.plan(one=10e3)
    it.tick(4)
    assert it.shares["one"] == 1.0


class Late(Story):
    """Its meter shows what was so many ticks before."""

    late = 0

    def __init__(self, folder: Path, *loads: str, says: str) -> None:
        super().__init__(folder, *loads)
        text = (folder / "site.toml").read_text(encoding="utf-8").replace('502" }', f'502"{says} }}')
        (folder / "site.toml").write_text(text, encoding="utf-8")
        self.site = load_site(folder / "site.toml")
        self.desk = Desk.of(self.site)
        self.desk.control = begin(NOON)
        self.grids: list[float] = []

    def shown(self, grid: float) -> float:
        self.grids.append(grid)
        return self.grids[-1 - min(self.late, len(self.grids) - 1)]


@pytest.mark.parametrize(
    ("late", "says"), [(0, ""), (2, ""), (10, ", delay = 20.0"), (0, ", delay = 20.0"), (4, ", delay = 20.0")]
)
@pytest.mark.parametrize("point", [LAMPS, SWITCHED])
def test_a_late_meter_makes_no_load_give_more_than_it_must(tmp_path: Path, point: str, late: int, says: str) -> None:
    """The meter showed what the lamps had drawn before, and each 2 s they were told less for it, down to their least.
    With another load beside it, this one was switched off as well."""
    it = Late(tmp_path, point, LAMPS.replace('"two"', '"one"'), says=says)
    it.late, it.base = late, 60e3
    it.tick(60)
    assert it.shares == {"one": 1.0, "two": 1.0}
    it.base = 78e3
    least = {"one": 1.0, "two": 1.0}
    for _ in range(40):
        it.tick()
        least = {name: min(share, it.shares[name]) for name, share in least.items()}
    assert least == ({"one": 1.0, "two": 0.5} if point is LAMPS else {"one": 1.0, "two": 0.0})
