"""What was found by making the alarms and the interlock of a rise unsafe or blind: real parts, virtual time."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridges.control.battery_control import BatteryControl
from bridges.telemetry.latest_values import LatestValues
from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from schemas.messages import Telemetry
from tests.bridges.control.bare import Bare
from tests.bridges.control.interlocked import site
from tests.bridges.control.test_search import SITE
from tests.consumers.test_alarms_panel import a_panel, at, say
from tests.consumers.test_alarms_stories_of_readings import HEATS_UP, RISE, acts, raised

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("readings", "acts"),
    [
        pytest.param({100: 45.0}, False, id="a telegram that was mixed up"),
        pytest.param({100: 45.0, **dict.fromkeys(range(101, 109))}, False, id="and then silence for 8 s"),
        pytest.param({second: 25.0 + second - 100 for second in range(101, 150)}, True, id="a fire"),
        pytest.param(
            {**{second: 25.0 + second - 100 for second in range(101, 110)}, **dict.fromkeys(range(110, 118))},
            True,
            id="a fire that takes its BMS along",
        ),
    ],
)
def test_one_reading_is_one_however_long_it_is_the_last(readings: dict[int, float | None], acts: bool) -> None:
    """The reading of a cut line was seen again after 1.5 s: it stopped the battery until a person came."""
    pcs: Any = Bare("pcs", {})
    latest, seen = LatestValues(), set[str]()
    control = BatteryControl(SITE.units[0], SITE, pcs, (), latest)
    for half in range(260):
        now = half / 2
        if half % 2 == 0 and (value := readings.get(half // 2, 25.0)) is not None:
            latest.note("bms", Telemetry(at=NOON, epoch="0" * 16, seq=half + 1, values={"cell_t_max": value}), now)
        control.interlocks.judge(now)
        judged = control.interlocks.judged
        assert judged is not None
        seen |= {one.name for one in judged.acting if one.state == "active"}
    assert ("cell_heats_up-bms" in seen) is acts


@pytest.mark.parametrize(
    ("said", "alarm"),
    [
        pytest.param({"fire": "detected"}, "fire_detected-inputs", id="fire"),
        pytest.param({"fire": "unknown_3"}, "fire_detected-inputs", id="a word nobody knows"),
        pytest.param({"emergency_stop": "pressed"}, "emergency_stop_pressed-inputs", id="emergency stop"),
        pytest.param({"riso": 10.0}, "sensor_insulation_too_low-inputs", id="insulation"),
        pytest.param({}, None, id="all is well"),
    ],
)
def test_what_stops_a_battery_for_people_is_an_alarm_of_its_own(said: dict[str, Any], alarm: str | None) -> None:
    """The fire detection said fire, and the only alarm was `pcs_interlock`, of medium priority."""
    found = site()
    rules = {name: rule for name, rule in watched(found, load_catalog()).rules.items() if rule.device == "inputs"}
    panel = Panel(rules, [], at(0), places=Places.of(found))
    well: dict[str, Any] = {"fire": "normal", "emergency_stop": "released", "riso": 1000.0, "u": 800.0}
    for second in range(10):
        panel.hear("inputs", say(second, **(well if second < 5 else well | said)), at(second))
        panel.tick(at(second))
    assert {*panel.shown()} == ({alarm} if alarm else set())


@pytest.mark.parametrize(("tries", "dead", "silent"), [(12, True, 121), (12, False, None), (1, True, 196)])
def test_a_pause_that_is_made_again_for_ever_hides_no_dead_pcs(
    tmp_path: Path, tries: int, dead: bool, silent: int | None
) -> None:
    """Left alone for 15 s, tried for some, left alone again: what it does not answer between is its silence."""
    panel, seen = a_panel(tmp_path, "", pcs="[watchdog]\nregister = 9\nseconds = 10\nfed_by = 'any'\n"), list[int]()
    for second in range(400):
        alone = second >= 100 and (second - 100) % (15 + tries) < 15
        if second <= 100 or not (dead or alone):
            panel.hear("pcs1", say(second, p=1.0), at(second))
        if second >= 100:
            panel.note_causes("pcs1", ["left_alone"] if alone else [], at(second), sure=True)
        seen += [second for name, one in panel.tick(at(second)) if name == "pcs_silent-pcs1" and one.active]
    assert (seen[0] if seen else None) == silent


@pytest.mark.parametrize("seed", range(16))
def test_a_fire_is_seen_and_a_spike_is_none_whatever_the_bms_is_like(seed: int) -> None:
    """Tenths or whole degrees, measured each 1 to 5 s, with noise, spikes of a whole measurement, and lost readings."""
    random = Random(seed)
    step, every, lost = random.choice([0.1, 1.0]), random.choice([1, 2, 3, 5]), random.choice([0, 0.1, 0.3])
    speed, noise = random.choice([0.0, 0.0, 0.15, 0.3, 1.0, 3.0]), random.choice([0.0, 0.3])
    spikes = {random.randrange(100) // every * every: random.choice([-40.0, 0.0, 99.0, 45.0]) for _ in range(2)}
    drawn = [(random.random() < lost, random.uniform(-noise, noise)) for _ in range(300)]

    def says(second: int) -> float | None:
        measured = second // every * every
        warm = 25.0 + min(90.0, max(0, measured - 120) * speed) + drawn[measured][1]
        return None if drawn[second][0] else spikes.get(measured, float(round(warm / step) * step))

    alarm, lock = raised(RISE, "cell_t_max", says, 1, 300), acts(HEATS_UP, says, 1, 300)
    if not speed:
        assert (alarm, lock) == (None, None)
        return
    assert alarm is not None
    assert lock is not None
    assert 120 < alarm < 145 + 9 / speed
    assert 120 < lock < 150 + 9 / speed
