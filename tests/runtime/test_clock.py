"""Steps of the wall clock are seen, and what was noted before one means what it meant."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulebus.server import free_port
from runtime.clock import SMALLEST, Clock, Step
from tests.chaos.clock import faked
from tests.conftest import Broker
from tests.joulebus.test_demo import demo_site, until
from tests.joulebus.test_tariff_missing import says

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@pytest.mark.parametrize(
    ("passed", "shown", "step"),
    [
        (1.0, seconds(1), None),
        (1.0, seconds(1.4), None),  # corrected by a time server
        (1.0, seconds(0), None),
        (1.0, HOUR, HOUR - seconds(1)),
        (1.0, -HOUR, -HOUR - seconds(1)),
        (3600.0, HOUR, None),  # nobody looked for an hour
        (3600.0, timedelta(), -HOUR),
        (1.0, timedelta(days=1), timedelta(days=1) - seconds(1)),
    ],
)
def test_a_step_is_what_the_wall_clock_moved_more_than_time_passed(
    passed: float, shown: timedelta, step: timedelta | None
) -> None:
    clock = Clock(100.0, NOON)
    found = clock.look(100.0 + passed, NOON + shown)
    assert found == (None if step is None else Step(100.0 + passed, step))
    assert clock.steps == ([] if found is None else [found])


def test_a_lease_ends_when_it_should_whatever_the_clock_does() -> None:
    clock = Clock(0.0, NOON)
    ends, noted = NOON + seconds(20), 0.0
    clock.look(5.0, NOON + timedelta(days=1) + seconds(5))  # a day ahead
    clock.look(10.0, NOON + timedelta(days=1) + seconds(10))
    assert clock.aged(ends, noted) - clock.wall == seconds(10)
    clock.look(15.0, NOON + seconds(15))  # and back
    assert clock.aged(ends, noted) - clock.wall == seconds(5)
    assert clock.aged(NOON + seconds(60), 15.0) == NOON + seconds(60), "noted after the steps"


@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.one_of(st.just(0.0), st.floats(-1e6, 1e6))), max_size=40),
    st.integers(0, 40),
    st.floats(-1e5, 1e5),
)
def test_what_was_noted_stays_as_far_from_now_as_it_is(
    looks: list[tuple[float, float]], noted: int, ahead: float
) -> None:
    """Up to one smallest step for each time the clock was corrected."""
    mono, wall = 0.0, NOON
    clock, corrections = Clock(mono, wall), 0
    remembered = (mono, wall + seconds(ahead))
    for number, (passed, step) in enumerate(looks):
        if number == noted:
            remembered, corrections = (mono, wall + seconds(ahead)), 0
        mono, wall = mono + passed, wall + seconds(passed + step)
        clock.look(mono, wall)
        corrections += abs(step) <= SMALLEST.total_seconds() and step != 0
    left = remembered[0] + ahead - mono
    found = (clock.aged(remembered[1], remembered[0]) - wall).total_seconds()
    assert found == pytest.approx(left, abs=corrections * 1.01 + 1e-3)


def test_a_part_says_it(broker: Broker, tmp_path: Path) -> None:
    """A real clock, set under a real process."""
    rc, port = tmp_path / "rc", free_port()
    rc.write_text("+0s", encoding="ascii")
    env = os.environ | faked("") | {"FAKETIME_TIMESTAMP_FILE": str(rc), "FAKETIME_NO_CACHE": "1"}
    del env["FAKETIME"]
    env |= {"JOULEBUS_BROKER": broker.url("alarms"), "JOULEBUS_HEALTH": f"127.0.0.1:{port}"}
    env |= {"JOULEBUS_STATE": str(tmp_path)}
    command = [sys.executable, "-m", "joulebus.cli", "alarms", "--site", str(demo_site(tmp_path))]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, env=env, stderr=log) as process:
        try:
            until(lambda: bool(says(port).get("ready")), 60)
            assert says(port)["causes"] == []
            rc.write_text("+3600s", encoding="ascii")
            until(lambda: says(port)["causes"] == ["clock_step"], 20)
            said = says(port)
            assert said["ready"]
            assert "the clock was set ahead by 3600 s" in said["detail"]
            rc.write_text("+0s", encoding="ascii")
            until(lambda: "the clock was set back by 3600 s" in says(port)["detail"], 20)
            process.send_signal(signal.SIGSTOP)
            asyncio.run(asyncio.sleep(2.5))
            process.send_signal(signal.SIGCONT)
            until(lambda: bool(says(port).get("ready")), 20)
        finally:
            process.kill()
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert text.count("the clock was set") == 2, "who stood still saw no step"
