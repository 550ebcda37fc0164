"""Points of the archive into a file, CSV or Parquet: as a stream, so that years fit into little memory."""

import csv
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from joulebus.archive_read import reading
from joulebus.reach import within_reach
from runtime.history import History
from runtime.resolution import RESOLUTIONS
from runtime.rollups import Bucket, floor
from schemas.energies import Energy, Source
from schemas.troubles import Trouble, Usage

Row = Sequence[Any]
Write = Callable[[list[Row]], None]

RAW = ("at", "device", "point", "value")
SEEN = Bucket._fields[1 : Bucket._fields.index("plus")]
"""Of a rollup. Its integrals are left out: they are of what was covered alone, and of a SoC they are no energy."""
GIVEN = ("out_wh", "in_wh", "source")
"""Of a quarter or an hour of a power whose energy is known, by the one rule for energies."""
ROLLED = ("at", "device", "point", *SEEN, *GIVEN)
NEAR = 5
"""Names of points that are guessed."""
STRIDES = {"raw": timedelta(hours=3), "1m": timedelta(days=2), "15m": timedelta(days=30), "1h": timedelta(days=120)}
"""How much is read at once: about 10 000 rows at 1 Hz."""


@dataclass(frozen=True)
class Wish:
    """What is to be exported: of which site, from when until when (excluded), how finely, and where to."""

    site: str
    points: list[tuple[str, str]]
    start: datetime
    end: datetime
    resolution: str
    out: Path
    known: Mapping[str, Collection[str]]
    """The points of each device's profile. The archive may have others, of a former one."""

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise Usage(f"--from {self.start:%Y-%m-%d %H:%M} must lie before --to {self.end:%Y-%m-%d %H:%M} (UTC)")
        _writer(self.out.suffix)


async def export(url: str, wish: Wish, progress: TextIO = sys.stderr) -> str:
    """Write the file and say what is in it. It gets its name only once it is whole. Raises Trouble."""
    part = wish.out.with_name(f"{wish.out.name}.part")
    columns = RAW if wish.resolution == "raw" else ROLLED
    rows = 0
    try:
        async with reading(url, wish.site) as database:
            with _writer(wish.out.suffix)(part, columns) as write:
                history, seen = History(database), set[tuple[str, str]]()
                done = Progress(progress, (wish.end - wish.start) * len(wish.points))
                async for some, span in _rows(history, wish):
                    if some:
                        write(some)
                        seen.add((some[0][1], some[0][2]))
                    rows += len(some)
                    done.add(span, rows)
                await _look_for(history, wish, [one for one in wish.points if one not in seen])
        part.rename(wish.out)
    except OSError as wrong:
        raise Trouble(f"{wish.out} cannot be written: {wrong.strerror or wrong}") from wrong
    finally:
        part.unlink(missing_ok=True)
    return f"{wish.out}: {rows} rows of {len(wish.points)} points at {wish.resolution}"


async def _look_for(history: History, wish: Wish, empty: Iterable[tuple[str, str]]) -> None:
    """Of points without a value. Raises Usage for one that its device does not have, and names those that are near."""
    asked = [(device, point) for device, point in empty if point not in wish.known.get(device, ())]
    latest = await history.latest(wish.site) if asked else {}
    for device, point in asked:
        names = {*wish.known.get(device, ()), *latest.get(device, (None, {}))[1]}
        if point not in names:
            near = get_close_matches(point, sorted(names), n=NEAR, cutoff=0.4)
            there = f"did you mean {' or '.join(near)}?" if near else f"there is: {', '.join(sorted(names))}"
            raise Usage(f"--point: {device} has no point {point!r}; {there}")


async def _rows(history: History, wish: Wish) -> AsyncIterator[tuple[list[Row], timedelta]]:
    """One point after the other, each in strides of time, with how much time that was."""
    for device, point in wish.points:
        start = wish.start
        while start < wish.end:
            end = min(start + STRIDES[wish.resolution], wish.end)
            place = (wish.site, device, point, start, end)
            if wish.resolution == "raw":
                yield [(at, device, point, value) for at, value in await history.values(*place)], end - start
            else:
                found = {one.at: one[1 : 1 + len(SEEN)] for one in await history.buckets(*place, wish.resolution)}
                given = energies_of(await _energies(history, place), wish.resolution)
                unseen, unknown = (0, *[None] * (len(SEEN) - 1)), (None,) * len(GIVEN)
                yield (
                    [
                        (at, device, point, *found.get(at, unseen), *given.get(at, unknown))
                        for at in sorted(found.keys() | given.keys())
                    ],
                    end - start,
                )
            start = end


async def _energies(history: History, place: tuple[str, str, str, datetime, datetime]) -> list[Energy]:
    site, device, point, start, end = place
    return await history.energies(site, device, start, end, point)


def energies_of(quarters: Iterable[Energy], resolution: str) -> dict[datetime, tuple[float, float, str]]:
    """Wh out and in and their source, of the spans of which every quarter is known."""
    seconds = RESOLUTIONS[resolution]
    spans: dict[datetime, list[Energy]] = {}
    for one in quarters:
        spans.setdefault(floor(one.at, seconds), []).append(one)
    worst = list(Source).index
    return {
        at: (sum(one.out for one in some), sum(one.into for one in some), max((one.source for one in some), key=worst))
        for at, some in spans.items()
        if len(some) * RESOLUTIONS["15m"] == seconds
    }


@dataclass
class Progress:
    """How far it is, on one line that is written over; nothing where nobody looks."""

    to: TextIO
    whole: timedelta
    done: timedelta = timedelta()
    said: float = 0.0

    def add(self, span: timedelta, rows: int) -> None:
        self.done += span
        finished = self.done >= self.whole
        if self.to.isatty() and (finished or time.monotonic() - self.said > 0.2):
            self.said = time.monotonic()
            print(
                f"\r{self.done / self.whole:4.0%}  {rows} rows", end="\n" if finished else "", file=self.to, flush=True
            )


# --- formats ---------------------------------------------------------------------------------------


def _writer(suffix: str) -> Callable[[Path, Sequence[str]], AbstractContextManager[Write]]:
    if suffix == ".csv":
        return _csv
    if suffix == ".parquet":
        return _parquet
    raise Usage(f"--out: {suffix or 'a name without an ending'} is not known; end the name with .csv or .parquet")


@contextmanager
def _csv(path: Path, columns: Sequence[str]) -> Any:  # noqa: ANN401  # contextmanager makes the type
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        yield lambda rows: lines.writerows(_plain(rows))


def _plain(rows: Iterable[Row]) -> Iterable[Row]:
    """Moments as ISO 8601 in UTC, the names of bits in one field."""
    for at, *rest in rows:
        yield at.isoformat().replace("+00:00", "Z"), *(" ".join(one) if isinstance(one, list) else one for one in rest)


@contextmanager
def _parquet(path: Path, columns: Sequence[str]) -> Any:  # noqa: ANN401  # as above
    try:
        import pyarrow as pa  # noqa: PLC0415  # 166 MB that only this needs
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise Trouble('Parquet needs pyarrow: pip install "pyarrow>=21"; or write to a .csv file') from None
    text = pa.string()
    kinds = {"at": pa.timestamp("us", tz="UTC"), "device": text, "point": text, "samples": pa.int64()}
    kinds |= {"state": text, "source": text}
    names = (*columns, "state") if columns is RAW else columns
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in names])
    with parquet.ParquetWriter(path, schema) as file:
        yield lambda rows: file.write_table(pa.table(_split(rows, columns), schema=schema))


def _split(rows: list[Row], columns: Sequence[str]) -> dict[str, list[Any]]:
    """By column; what is no number stands in a column of its own, because a column has one type."""
    found = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    if columns is RAW:
        values = found["value"]
        found["value"] = [value if isinstance(value, float) else None for value in values]
        found["state"] = [
            None if isinstance(value, float) else " ".join(value) if isinstance(value, list) else value
            for value in values
        ]
    return found


# --- what was asked for ------------------------------------------------------------------------------


def points(given: list[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """`device.point` of each. Raises Trouble for a device the site does not have."""
    found, names = [], sorted(known)
    for one in given:
        device, dot, point = one.partition(".")
        if not dot or not point:
            raise Usage(f"--point: {one!r} is not DEVICE.POINT, such as {names[0]}.p")
        if device not in names:
            raise Usage.unknown(f"device {device!r}", device, names)
        found.append((device, point))
    return found


def moment(given: str, zone: ZoneInfo, option: str) -> datetime:
    """A date or a time; one without an offset is meant in the site's time zone."""
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise Usage(f"{option}: {given!r} is no time; write 2026-06-01, 2026-06-01T12:00 or with +02:00") from None
    within_reach(found, option, given)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
