"""The file of the alarms: whole after any death, what can be read of a damaged one, and which of two memories holds."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from consumers.alarms.in_force import together
from consumers.alarms.record import Record
from consumers.alarms.salvage import read_rows
from schemas.messages import Alarm, AlarmPriority, AlarmState
from tests.chaos.power_cut import cut, synced

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def alarm(state: str, second: float = 0.0) -> Alarm:
    at = NOON + timedelta(seconds=second)
    until = at + timedelta(hours=1) if state == "shelved" else None
    return Alarm(
        at=at, state=AlarmState(state), priority=AlarmPriority.HIGH, device="bms1", point="soc", text="Low.", value=5.0,
        limit=8.0, since=NOON, shelved_until=until, by="anna", why="half a pair never gets here: \ufffd",
    )  # fmt: skip


def read(path: Path) -> dict[str, Alarm]:
    """What a next process finds."""
    record = Record(path)
    alarms, trouble = record.open()
    assert not trouble
    assert not record.aside()
    record.close()
    return alarms


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


def test_what_was_written_is_read_in_whatever_order_alarms_come_and_go(tmp_path: Path) -> None:
    """Also in a file that was opened again, deleted under the process, or begun where there was no folder."""
    dice, path, alarms = Random(1), tmp_path / "later" / "alarms.db", dict[str, Alarm]()
    record = Record(path)
    assert record.open() == ({}, "")
    for turn in range(120):
        names = dice.sample(range(40), dice.randint(1, 6))
        changes = {
            f"a{name}": alarm("normal" if f"a{name}" in alarms and dice.random() < 0.6 else "latched", turn)
            for name in names
        }
        trouble = record.write(changes.items())
        alarms = {name: one for name, one in {**alarms, **changes}.items() if one.state is not AlarmState.NORMAL}
        assert len(record) == len(alarms)
        if turn < 20:
            assert "in memory only" in trouble
            path.parent.mkdir(exist_ok=True) if turn == 19 else None
        elif turn % 20 == 0:
            for one in path.parent.iterdir():
                one.unlink()
            assert not record.upkeep()
        elif turn % 7 == 0:
            assert not trouble
            record.close()
            record = Record(path)
            assert record.open() == (alarms, "")
    assert not record.replace({"other": alarm("latched")})
    assert read(path) == {"other": alarm("latched")}


def test_a_folder_that_is_taken_away_is_said_until_it_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "alarms.db"
    path.parent.mkdir()
    record = Record(path)
    record.open()
    assert not record.write([("a", alarm("latched"))])
    shutil.rmtree(path.parent)
    assert "no new one begins" in record.write([("b", alarm("shelved"))])
    path.parent.mkdir()
    assert not record.upkeep()
    record.close()
    assert read(path) == {"a": alarm("latched"), "b": alarm("shelved")}


def test_a_disk_that_comes_late_with_a_damaged_file_is_used_all_the_same(tmp_path: Path) -> None:
    path, whole = tmp_path / "state" / "alarms.db", Record(tmp_path / "alarms.db")
    whole.open()
    whole.replace(many(1))
    whole.close()
    record = Record(path)
    assert record.open() == ({}, "")
    assert "in memory only" in record.write([("a", alarm("latched"))])
    path.parent.mkdir()
    words = whole.path.read_bytes()
    path.write_bytes(words[:8192] + bytes(8192) + words[16384:])
    assert not record.upkeep()
    assert "was damaged" in record.aside()
    record.close()
    assert read(path) == {"a": alarm("latched")}


def test_with_a_thousand_alarms_a_change_writes_no_more_than_with_one(tmp_path: Path) -> None:
    written = []
    for count in (1, 1000):
        record = Record(tmp_path / f"{count}.db")
        record.open()
        record.replace({f"a{number}": alarm("latched") for number in range(count)})
        log = record.path.with_name(f"{record.path.name}-wal")
        before = log.stat().st_size
        record.write([("a0", alarm("acknowledged", 1))])
        written.append(log.stat().st_size - before)
        record.close()
    assert written[1] <= written[0] + 4200


DAMAGE: dict[str, object] = {
    "empty": b"", "no database": b"\xff" * 5000, "zeroes": b"\0" * 8192, "an alarm of a later version": {"state": "x"},
}  # fmt: skip


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, how: str) -> None:
    path, damage = tmp_path / "alarms.db", DAMAGE[how]
    record = Record(path)
    record.open()
    record.replace({"a": alarm("latched"), "b": alarm("shelved")})
    record.close()
    if isinstance(damage, bytes):
        path.write_bytes(damage)
        left = {}
    else:
        said = json.loads(alarm("latched").model_dump_json()) | {"state": "a_later_one"}
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE alarm SET said = ? WHERE name = 'a'", (json.dumps(said).encode(),))
        left = {"b": alarm("shelved")}
    again = Record(path)
    found, _ = again.open()
    aside = again.aside()
    assert found == left
    assert not damage or "was damaged" in aside
    assert bool(damage) == bool([*tmp_path.glob("alarms.db.damaged-*Z")])
    assert not again.write([("c", alarm("latched"))])
    again.close()
    assert read(path).keys() == {*left, "c"}


@pytest.mark.parametrize("how", ["zeroed", "torn", "cut off"])
def test_a_page_that_is_damaged_takes_no_other_with_it(tmp_path: Path, how: str) -> None:
    """Each page once. Without the first, or the one that leads to the others, the broker's word alone holds."""
    whole, alarms = tmp_path / "whole.db", dict([*many(1).items()][:60])
    record = Record(whole)
    record.open()
    record.replace(alarms)
    record.close()
    words, lost = whole.read_bytes(), []
    for place in range(0, len(words), 4096):
        folder = tmp_path / str(place)
        folder.mkdir()
        path, page = folder / "alarms.db", words[place : place + 4096]
        left = {"zeroed": bytes(4096), "torn": page[:1024] + bytes(2048) + page[3072:], "cut off": b""}[how]
        path.write_bytes(words[:place] + left + (b"" if how == "cut off" else words[place + 4096 :]))
        again = Record(path)
        found, trouble = again.open()
        assert found.items() <= alarms.items()
        assert found == alarms or again.aside() or trouble
        assert not again.replace(alarms), "it goes on"
        again.close()
        assert read(path) == alarms
        if place > 4096 and how != "cut off":
            lost.append(len(alarms) - len(found))
    assert max(lost, default=0) <= 10, "as many as stand in a page"


def test_the_record_of_the_version_before_is_taken_over_once(tmp_path: Path) -> None:
    former, path = tmp_path / "alarms-plant.json", tmp_path / "alarms-plant.db"
    said = {"a": alarm("shelved"), "b": alarm("latched")}
    former.write_text(json.dumps({name: json.loads(one.model_dump_json()) for name, one in said.items()}))
    assert read(path) == said
    record = Record(path)
    record.open()
    record.write([("a", alarm("normal", 1))])
    record.close()
    assert read(path) == {"b": alarm("latched")}
    assert {one.name for one in tmp_path.iterdir()} == {path.name, f"{former.name}.former"}


def test_what_the_version_before_wrote_since_then_holds_alone(tmp_path: Path) -> None:
    """Who went back to it and came again found alarms of weeks ago, unacknowledged."""
    former, path = tmp_path / "alarms-plant.json", tmp_path / "alarms-plant.db"
    record = Record(path)
    record.open()
    record.write([("over", alarm("unacknowledged")), ("both", alarm("unacknowledged"))])
    record.close()
    os.utime(path, ns=(0, 0))
    former.write_text(json.dumps({"both": json.loads(alarm("acknowledged", 5).model_dump_json())}))
    assert read(path) == {"both": alarm("acknowledged", 5)}
    assert read(path) == {"both": alarm("acknowledged", 5)}, "also with the next start"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 50, b"[]", b'{"a": {"state": "shelved"}}', b"\0" * 4096])
def test_a_damaged_one_of_the_version_before_is_said(tmp_path: Path, content: bytes) -> None:
    former = tmp_path / "alarms.json"
    former.write_bytes(content)
    record = Record(tmp_path / "alarms.db")
    found, trouble = record.open()
    record.close()
    assert (found, "was damaged; what could be read of it holds" in trouble) == ({}, True)
    assert former.with_name("alarms.json.former").read_bytes() == content


WRITER = """
import sys
from pathlib import Path
from consumers.alarms.record import Record
from tests.consumers.test_alarms_record import many
record = Record(Path(sys.argv[1]))
start = max((int(one.limit) for one in record.open()[0].values()), default=0)
for number in range(start, 10**9):
    assert not record.write(many(number).items())
    assert not record.upkeep()
    print(number, flush=True)
"""


def many(number: int) -> Mapping[str, Alarm]:
    """Some hundred alarms that belong together: their limits are the same."""
    one = alarm("acknowledged").model_copy(update={"limit": float(number)})
    return {f"alarm-{place}": one for place in range(300)}


def moment(path: Path) -> float:
    """Which writing a file holds; never half of one and half of another."""
    alarms, damage, unread = read_rows(path)
    if damage + unread:
        return -1
    (found,) = {one.limit for one in alarms.values()}
    assert isinstance(found, float)
    return found


def confirmed(path: Path, seconds: float) -> int:
    """The last of what a process had written when it was killed; it is told to go on from what it finds."""
    # the tests are in its path as they are in ours: it starts in another folder
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], env=env, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    first = writer.stdout.readline()
    assert first, "it ended before it wrote"
    time.sleep(seconds)
    writer.kill()
    said, _ = writer.communicate()
    return int((first + said).splitlines()[-1])


def test_killed_and_cut_off_at_any_moment_all_that_was_confirmed_is_there_as_a_whole(tmp_path: Path) -> None:
    """Kill -9, three times in one file; and at each of them power cuts: of the log stays what was synced, of the rest
    any part."""
    path, dice, seen = tmp_path / "alarms.db", Random(2), list[int]()
    for turn in range(3):
        seen.append(confirmed(path, dice.uniform(0, 0.15)))
        for number in range(6):
            copy = tmp_path / f"{turn}-{number}" / "alarms.db"
            copy.parent.mkdir()
            for end in ("", "-wal"):
                shutil.copy(path.with_name(path.name + end), copy.with_name(copy.name + end))
            if number:
                cut(copy, synced(copy, lambda trial: moment(trial) >= seen[-1]), dice)
            assert seen[-1] <= moment(copy) <= seen[-1] + 1
            assert len(read(copy)) == 300
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
