"""A file that is no database, is damaged or is somebody else's is set aside; one that cannot be had is said."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runtime.kept import ASIDE, MOST_ASIDE, begin_anew, damaged, in_memory, open_or_set_aside

TABLES = (
    "CREATE TABLE IF NOT EXISTS one (a TEXT PRIMARY KEY, b INTEGER NOT NULL); CREATE TABLE IF NOT EXISTS two (c REAL);"
)


def fill(path: Path, sql: str = "") -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(sql or TABLES)
        for table, values in (("one", "('x', 1)"), ("two", "(1.5)")) if not sql else ():
            db.execute(f"INSERT INTO {table} VALUES {values}")  # noqa: S608  # constants


def cut(path: Path) -> None:
    fill(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribbled(path: Path) -> None:
    fill(path)
    held = path.read_bytes()
    path.write_bytes(held[:100] + b"\x55" * 3000 + held[3100:])  # the page that names the tables


BAD: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("hello, this is no database at all " * 500, encoding="utf-8"),
    "a header alone": lambda path: path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4080),
    "cut off": cut,
    "scribbled over": scribbled,
    "other columns": lambda path: fill(path, "CREATE TABLE one (a TEXT PRIMARY KEY)"),
    "another type": lambda path: fill(path, "CREATE TABLE one (a TEXT PRIMARY KEY, b TEXT NOT NULL)"),
    "another key": lambda path: fill(path, "CREATE TABLE one (a TEXT, b INTEGER NOT NULL)"),
    "a view of that name": lambda path: fill(path, "CREATE TABLE x (y); CREATE VIEW one AS SELECT * FROM x"),
    "somebody else's": lambda path: fill(path, "CREATE TABLE write (device TEXT, point TEXT, at REAL NOT NULL)"),
    "a folder": lambda path: path.mkdir(),
}


def usable(db: sqlite3.Connection) -> bool:
    db.execute("INSERT INTO one VALUES ('new', 2)")
    return bool(db.execute("SELECT * FROM one").fetchall() == [("new", 2)])


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_set_aside(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    make(path)
    db, said = open_or_set_aside(path, TABLES)
    assert usable(db)
    db.close()
    [aside] = tmp_path.glob(f"kept.db{ASIDE}*Z")
    assert aside.name in said
    assert aside.is_dir() or aside.stat().st_size > 0
    again, said = open_or_set_aside(path, TABLES)
    assert (again.execute("SELECT * FROM one").fetchall(), said) == ([("new", 2)], "")
    again.close()


def test_what_is_whole_stays_and_gets_the_tables_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    fill(path, "CREATE TABLE one (a TEXT PRIMARY KEY, b INTEGER NOT NULL); INSERT INTO one VALUES ('x', 1)")
    db, said = open_or_set_aside(path, TABLES)
    assert said == ""
    assert db.execute("SELECT * FROM one").fetchall() == [("x", 1)]
    assert db.execute("SELECT * FROM two").fetchall() == []
    db.close()


def test_what_belongs_to_a_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    db, _ = open_or_set_aside(path, TABLES)
    assert usable(db)
    log = path.with_name("kept.db-wal").read_bytes()
    new, said = begin_anew(path, TABLES, "a page of it")
    assert "damaged (a page of it)" in said
    assert usable(new), "what was written before is not in it"
    [aside] = tmp_path.glob(f"kept.db{ASIDE}*Z")
    assert aside.with_name(aside.name + "-wal").read_bytes() == log
    new.close()
    db.close()


def test_a_disk_is_not_filled_with_what_was_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    for number in range(MOST_ASIDE + 3):
        path.write_text(f"{number} " * 5000, encoding="utf-8")
        db, _ = open_or_set_aside(path, TABLES)
        db.close()
    left = sorted(tmp_path.glob(f"kept.db{ASIDE}*Z"))
    assert [one.read_text(encoding="utf-8").split()[0] for one in left] == ["3", "4", "5"]


def test_where_no_file_can_be_had_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as no_folder:
        open_or_set_aside(tmp_path / "no" / "folder" / "kept.db", TABLES)
    assert not damaged(no_folder.value)
    db = in_memory(TABLES)
    assert usable(db)
    db.close()


def test_a_full_and_a_locked_file_are_whole(tmp_path: Path) -> None:
    db, _ = open_or_set_aside(tmp_path / "kept.db", TABLES)
    other = sqlite3.connect(tmp_path / "kept.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    db.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(sqlite3.OperationalError, match="locked") as locked:
        db.execute("INSERT INTO two VALUES (1)")
    other.close()
    db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(sqlite3.OperationalError, match="full") as full:
        db.execute("INSERT INTO one VALUES (?, 1)", ("x" * 100_000,))
    assert not damaged(locked.value)
    assert not damaged(full.value)
    db.close()
