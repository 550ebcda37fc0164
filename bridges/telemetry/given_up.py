"""What an outbox gave up: how many samples of each device, and of which hours. The archive asks no longer for these."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

REMEMBERED = 30 * 24
"""Hours: so long it is remembered of which hours samples were given up."""

LATEST = 250_000_000_000 // 3600
"""Hours since 1970: what claims to be later, in the year 9892, comes from a damaged file."""

TABLES = """
CREATE TABLE IF NOT EXISTS dropped (device TEXT PRIMARY KEY, samples INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped_hour (device TEXT, hour INTEGER, PRIMARY KEY (device, hour)) WITHOUT ROWID;
"""

Sample = tuple[str, float]
"""Its device, and its time in seconds since 1970."""


@dataclass
class GivenUp:
    """In memory what the two tables hold. What has a connection raises sqlite3.Error."""

    samples: Counter[str] = field(default_factory=Counter)
    hours: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By device, the hours since 1970 of which samples were given up: first and last of each stretch."""
    _hours: set[tuple[str, int]] = field(default_factory=set)

    def read(self, db: sqlite3.Connection) -> None:
        """Take over what a file remembers."""
        for device, count in db.execute("SELECT device, samples FROM dropped").fetchall():
            if isinstance(device, str) and isinstance(count, int):
                self.samples[device] = max(self.samples[device], count)
        self._remember(db.execute("SELECT device, hour FROM dropped_hour").fetchall())

    def write(self, db: sqlite3.Connection) -> None:
        """Make a file remember all of it."""
        db.executemany("INSERT OR REPLACE INTO dropped VALUES (?, ?)", [*self.samples.items()])
        db.executemany("INSERT OR IGNORE INTO dropped_hour VALUES (?, ?)", sorted(self._hours))

    def note(self, db: sqlite3.Connection, gone: Sequence[Sample]) -> None:
        """Samples go in this transaction; when it holds, say so with `add`."""
        sql = "INSERT INTO dropped VALUES (?, 1) ON CONFLICT (device) DO UPDATE SET samples = samples + 1"
        db.executemany(sql, [(device,) for device, _ in gone])
        if fresh := _hours(gone) - self._hours:
            db.executemany("INSERT OR IGNORE INTO dropped_hour VALUES (?, ?)", sorted(fresh))
            db.execute("DELETE FROM dropped_hour WHERE hour < ?", (max(hour for _, hour in fresh) - REMEMBERED,))

    def add(self, gone: Sequence[Sample]) -> None:
        """They are gone."""
        self.samples.update(device for device, _ in gone)
        if fresh := _hours(gone) - self._hours:
            self._hours = {one for one in self._hours if one[1] >= max(hour for _, hour in fresh) - REMEMBERED}
            self._remember(fresh)

    def _remember(self, hours: Iterable[tuple[str, int]]) -> None:
        self._hours |= {one for one in hours if isinstance(one[0], str) and _is_an_hour(one[1])}
        found: dict[str, list[tuple[int, int]]] = {}
        for device, hour in sorted(self._hours):
            known = found.setdefault(device, [])
            if known and known[-1][1] == hour - 1:
                known[-1] = (known[-1][0], hour)
            else:
                known.append((hour, hour))
        self.hours = found


def _hours(gone: Iterable[Sample]) -> set[tuple[str, int]]:
    return {(device, int(at // 3600)) for device, at in gone if isinstance(at, float) and 0 <= at // 3600 <= LATEST}


def _is_an_hour(hour: object) -> bool:
    return isinstance(hour, int) and 0 <= hour <= LATEST
