"""The file of the alarms: whole after any death, and which of two memories holds."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.alarms.record import Record, together
from schemas.messages import Alarm, AlarmPriority, AlarmState

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def alarm(state: str, second: float = 0.0) -> Alarm:
    at = NOON + timedelta(seconds=second)
    until = at + timedelta(hours=1) if state == "shelved" else None
    return Alarm(
        at=at, state=AlarmState(state), priority=AlarmPriority.HIGH, device="bms1", point="soc", text="Low.", value=5.0,
        limit=8.0, since=NOON, shelved_until=until, by="anna", why="half a pair never gets here: \ufffd",
    )  # fmt: skip


STORIES: dict[str, tuple[Alarm | None, Alarm | None, str]] = {
    "the broker forgot it": (alarm("unacknowledged"), None, "unacknowledged"),
    "the broker forgot the acknowledgement": (alarm("acknowledged", 2), alarm("unacknowledged", 1), "acknowledged"),
    "the broker forgot the shelving": (alarm("shelved", 2), alarm("unacknowledged", 1), "shelved"),
    "the broker forgot that it came again": (alarm("unacknowledged", 2), alarm("acknowledged", 1), "unacknowledged"),
    "the file is new": (None, alarm("acknowledged"), "acknowledged"),
    "the file is a copy of last week": (alarm("acknowledged", 1), alarm("unacknowledged", 2), "unacknowledged"),
    "the file could not be written": (alarm("unacknowledged", 1), alarm("acknowledged", 2), "unacknowledged"),
    "the clock was set back": (alarm("unacknowledged", 1), alarm("shelved", 2), "unacknowledged"),
    "both say the same": (alarm("latched", 1), alarm("latched", 1), "latched"),
}


@pytest.mark.parametrize(("ours", "stored", "state"), STORIES.values(), ids=STORIES)
def test_which_of_two_memories_holds(ours: Alarm | None, stored: Alarm | None, state: str) -> None:
    found = together({"a": ours} if ours else {}, {"a": stored} if stored else {})
    assert {name: one.state.value for name, one in found.items()} == {"a": state}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    record, alarms = Record(tmp_path / "alarms.json"), {"a": alarm("shelved"), "b": alarm("latched", 3)}
    assert record.read() == ({}, "")
    record.write(alarms)
    assert record.read() == (alarms, "")
    record.write({})
    assert record.read() == ({}, "")
    assert [path.name for path in tmp_path.iterdir()] == ["alarms.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 50, b"[]", b'{"a": {"state": "shelved"}}', b"\0" * 4096])
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    record = Record(tmp_path / "alarms.json")
    record.path.write_bytes(content)
    found, trouble = record.read()
    assert (found, "was damaged; it is kept as alarms.damaged" in trouble) == ({}, True)
    assert (tmp_path / "alarms.damaged").read_bytes() == content
    record.write({"a": alarm("latched")})
    assert set(record.read()[0]) == {"a"}


WRITER = """
import sys
from pathlib import Path
from consumers.alarms.record import Record
from tests.consumers.test_alarms_record import many
record = Record(Path(sys.argv[1]))
for number in range(10**9):
    record.write(many(number))
"""


def many(number: int) -> Mapping[str, Alarm]:
    """Some hundred alarms that belong together: their seconds are the same."""
    return {f"alarm-{one}": alarm("acknowledged", number) for one in range(300)}


def test_killed_while_it_writes_the_file_is_whole(tmp_path: Path) -> None:
    path, seen = tmp_path / "alarms.json", set[float]()
    for _ in range(4):
        before = path.stat().st_mtime_ns if path.exists() else 0
        # the tests are in its path as they are in ours: it starts in another folder
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], env=env)
        end = time.monotonic() + 60
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert writer.poll() is None, "it ended before it wrote"
            assert time.monotonic() < end, "it writes nothing"
            time.sleep(0.005)
        time.sleep(0.05)
        writer.kill()
        writer.wait()
        found, trouble = Record(path).read()
        assert not trouble
        assert len(found) == 300
        moments = {one.at for one in found.values()}
        assert len(moments) == 1, "never half of one and half of another"
        seen.add(moments.pop().timestamp())
    assert len(seen) > 1 or seen != {NOON.timestamp()}
