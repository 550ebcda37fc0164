"""Whatever becomes of the outbox's file, the bridge goes on: nothing is raised, no number is given twice, and what was
lost is counted and said."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.telemetry.outbox import AGAIN, MOST_IN_MEMORY, Outbox
from bridges.telemetry.outbox_rows import Key
from runtime.kept import ASIDE
from schemas.troubles import Trouble
from tests.bridges.telemetry.samples import overwrite, sample


def keep(spool: Outbox, count: int = 1, device: str = "meter", size: int = 400, at: float = 1000.0) -> list[Key]:
    rows = [sample(spool, device, at=at + number, size=size) for number in range(count)]
    assert spool.keep(rows)
    return [row.key for row in rows]


def waiting(spool: Outbox) -> set[Key]:
    spool.forget_sent()
    return {row.key for row in spool.backlog(1e9, 100_000)}


def write_log(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE write (device TEXT, point TEXT, at REAL NOT NULL)")


def other_columns(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE outbox (epoch TEXT, device TEXT, seq INTEGER, body BLOB)")


def cut(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:9000])


def scribbled(path: Path) -> None:
    filled(path)
    overwrite(path)


def filled(path: Path) -> None:
    spool = Outbox(path)
    keep(spool, 2000)
    spool.close()


BAD: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("no database " * 1000, encoding="utf-8"),
    "a write log": write_log,
    "other columns": other_columns,
    "cut off": cut,
    "scribbled over": scribbled,
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_a_file_that_is_damaged_at_the_start_is_set_aside(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    make(path)
    spool = Outbox(path)
    keys = keep(spool, 3)
    assert waiting(spool) == set(keys)
    [aside] = tmp_path.glob(f"outbox.db{ASIDE}*Z")
    assert aside.name in spool.trouble
    spool.close()
    again = Outbox(path)
    assert (again.epoch, again.trouble, waiting(again)) == (spool.epoch, "", set(keys))
    again.close()


Doing = Callable[[Outbox], object]
DOING: dict[str, Doing] = {
    "keep": lambda spool: [keep(spool, 50, size=4000) for _ in range(100)],
    "confirm": lambda spool: spool.confirm([("meter", spool.epoch, [(1, 2500)])]),
    "backlog": lambda spool: spool.backlog(1e9, 100_000),
    "oldest and on": lambda spool: [spool.oldest(), spool.backlog(1e9, 100_000)],
    "the next round": lambda spool: [spool.confirm([("pcs", "f" * 16, [(1, 9)])]), spool.backlog(1e9, 100_000)],
    "a new epoch": lambda spool: [spool.renew(), spool.backlog(1e9, 100_000)],
}


@pytest.mark.parametrize("doing", DOING.values(), ids=DOING)
def test_damage_that_shows_later_ends_nothing(doing: Doing, tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    before = keep(spool, 5000)
    spool.checkpoint()
    overwrite(spool.path)
    spool.file._db.execute("PRAGMA shrink_memory")  # a page of the file, not of our memory
    doing(spool)
    assert spool.epoch != before[0][0], "no number of the lost file is given again"
    assert "damaged" in spool.trouble
    assert len(list(tmp_path.glob(f"outbox.db{ASIDE}*Z"))) == 1
    assert 2500 <= spool.lost <= 5000
    after = keep(spool, 3)
    assert set(after) <= waiting(spool)
    assert not set(before) & waiting(spool)
    spool.close()


def test_half_a_sample_is_lost_and_counted_and_not_sent_for_ever(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    keys = keep(spool, 8)
    for seq, change in enumerate(
        [
            "body = substr(body, 1, 50)",
            "body = 'text'",
            "body = 5",
            "seq = 700",
            "device = 'No Topic/#'",
            "at = -1e300",
            "at = 'noon'",
        ],
        1,
    ):
        spool.file._db.execute(f"UPDATE outbox SET {change} WHERE seq = {seq}")  # noqa: S608  # as the table says
    assert waiting(spool) == {keys[7]}
    assert (spool.lost, len(spool)) == (7, 1)
    assert waiting(spool) == {keys[7]}
    assert spool.lost == 7
    spool.close()


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=40),
    st.one_of(st.none(), st.floats(0.02, 1)),
)
def test_whatever_is_in_the_file_nothing_is_raised(
    filled_once: Path, noise: list[tuple[float, int]], cut_at: float | None
) -> None:
    folder = tempfile.mkdtemp(dir=filled_once)
    path = Path(folder) / "outbox.db"
    held = bytearray((filled_once / "outbox.db").read_bytes())
    for place, byte in noise:
        held[min(int(place * len(held)), len(held) - 1)] = byte
    path.write_bytes(held[: int(len(held) * (cut_at or 1))])
    spool = Outbox(path, most_rows=80)
    spool.serve(["meter"])
    spool.give_up_unserved(1e9)
    spool.confirm([("meter", spool.epoch, [(1, 20)])])
    rows = spool.backlog(1e9, 1000)
    spool.mark_sent(rows)
    spool.oldest()
    mine = keep(spool, 5, at=1e6)  # the youngest: they are not given up
    assert set(mine) <= waiting(spool)
    assert {"meter"} <= {*spool.devices()}
    assert all(0 <= first <= last for hours in spool.dropped_hours.values() for first, last in hours)
    spool.mend()
    spool.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    spool = Outbox(folder / "outbox.db", most_rows=100)
    keep(spool, 70)
    keep(spool, 40, "old_meter")
    spool.close()
    return folder


@pytest.mark.parametrize("folder", ["no/folder", "/proc/self"])
def test_where_no_file_can_be_had_samples_wait_in_memory(folder: str, tmp_path: Path) -> None:
    spool = Outbox(tmp_path / folder / "outbox.db")
    assert "samples" not in spool.trouble
    assert "in memory only" in spool.trouble
    assert spool.most_bytes == MOST_IN_MEMORY
    keys = keep(spool, 5)
    assert spool.confirm([("meter", spool.epoch, [(1, 2)])]) == 2
    spool.mend()
    assert waiting(spool) == set(keys[2:])
    spool.close()


def test_in_memory_the_oldest_go_before_the_machine_is_full(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "no" / "outbox.db", most_bytes=10_000)
    keep(spool, 100, size=400)
    assert spool.dropped == 100 - len(spool) > 80
    spool.close()


def test_what_waited_in_memory_moves_to_the_disk_when_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "later" / "outbox.db"
    spool = Outbox(path)
    keys = keep(spool, 5000)
    path.parent.mkdir()
    spool.mend()
    assert spool.trouble == ""
    keys += keep(spool, 3)
    while spool._left:
        spool.mend()
    assert waiting(spool) == set(keys)
    spool.close()
    again = Outbox(path)
    assert waiting(again) == set(keys)
    again.close()


@pytest.mark.parametrize("ends", [("", "-wal", "-shm"), ("",)], ids=["with its log", "without its log"])
def test_a_file_that_is_deleted_under_it_loses_nothing(ends: tuple[str, ...], tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    keys = keep(spool, 300)
    spool.checkpoint()
    keys += keep(spool, 300)
    for end in ends:
        spool.path.with_name(spool.path.name + end).unlink()
    keys += keep(spool, 30)
    spool.mend()
    assert "was deleted while it was used" in spool.trouble
    keys += keep(spool, 30)
    spool.mend()
    spool.checkpoint()
    spool.mend()
    assert waiting(spool) == set(keys)
    assert len(set(keys)) == 660
    spool.close()
    again = Outbox(spool.path)
    assert waiting(again) == set(keys), "and it is all on the disk"
    again.close()


def test_no_two_processes_number_samples_in_one_file(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    with pytest.raises(Trouble, match="used by another process"):
        Outbox(tmp_path / "outbox.db")
    spool.close()
    Outbox(tmp_path / "outbox.db").close()


def test_a_renamed_device_still_has_its_samples_confirmed(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    keys = keep(spool, 3, "old_meter")
    keep(spool, 1, "bms")
    spool.serve(["meter", "bms"])
    assert (spool.devices(), spool.unserved()) == (["bms", "old_meter"], ["old_meter"])
    assert set(keys) < waiting(spool), "offered under the name it had"
    assert spool.confirm([("old_meter", spool.epoch, [(1, 3)])]) == 3
    assert (spool.devices(), spool.unserved()) == (["bms"], [])
    spool.close()


def test_what_nobody_takes_for_thirty_days_goes_and_is_counted(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    keep(spool, 3, "old_meter")  # taken at 1000, 1001 and 1002
    keep(spool, 3, "meter")
    spool.serve(["meter"])
    for wall, left in ((30 * 86_400.0, 6), (30 * 86_400 + 1001.5, 4), (60 * 86_400.0, 3), (9e9, 3)):
        spool.give_up_unserved(wall)
        assert len(spool) == left, wall
    assert (spool.dropped, spool.dropped_hours) == (3, {"old_meter": [(0, 0)]})
    spool.close()


def test_what_was_given_up_is_remembered_beyond_a_damaged_file(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db", most_rows=1)
    keep(spool, 3)
    overwrite(spool.path)
    (tmp_path / "outbox.db-wal").write_bytes(b"")
    spool.file._db.execute("PRAGMA shrink_memory")
    while not spool.file.aside:
        keep(spool)
    keep(spool)
    known = (spool.dropped, spool.dropped_hours)
    assert known[0] >= 2
    spool.close()
    again = Outbox(spool.path)
    assert (again.dropped, again.dropped_hours) == known
    again.close()


def test_a_backlog_is_sent_also_while_the_disk_is_full(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    keys = keep(spool, 20)
    spool.file._db.execute("UPDATE life SET boot = 'another run of the machine'")
    spool.close()
    full = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    full.execute("BEGIN IMMEDIATE")  # nobody can write: to SQLite's callers a full disk looks no other
    spool = Outbox(tmp_path / "outbox.db")
    assert {row.key for row in spool.backlog(AGAIN)} == set(keys)
    assert spool.epoch != keys[0][0]
    assert not spool.keep([sample(spool)])
    assert spool.trouble
    full.close()
    keys += keep(spool)
    assert waiting(spool) == set(keys)
    spool.close()
