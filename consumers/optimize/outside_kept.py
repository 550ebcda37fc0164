"""What was heard of forecasts from outside, kept in the state folder, so that a restart forgets no proof."""

import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from optimizer.forecast.outside import Issue
from optimizer.forecast.outside_formats import Told, Unit
from optimizer.forecast.outside_source import KEPT, Source

UNITS: tuple[Unit, ...] = ("W", "W/m2")


def keep(path: Path, source: Source) -> None:
    """All of it, in place of what was kept. Raises OSError."""
    values = np.full((len(source.issues), KEPT), np.nan)
    for row, one in zip(values, source.issues, strict=True):
        row[: len(one.told.values)] = one.told.values
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as stream:
        np.savez_compressed(
            stream,
            of=np.array(source.of),
            heard=np.array([one.heard for one in source.issues], dtype=np.int64),
            first=np.array([one.told.first for one in source.issues], dtype=np.int64),
            unit=np.array([UNITS.index(one.told.unit) for one in source.issues], dtype=np.int64),
            values=values,
        )
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def kept(path: Path, source: Source, now: int) -> tuple[Source, str]:
    """With what was kept of it, and in words why nothing can be read. What another clock has written is of no use."""
    if not path.exists():
        return source, ""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            if str(found["of"]) != source.of:
                return source, ""
            rows = zip(found["heard"], found["first"], found["unit"], found["values"], strict=True)
            for heard, first, unit, values in rows:
                if heard <= now:
                    source = source.hearing(Issue(int(heard), Told(int(first), values.astype(float), UNITS[int(unit)])))
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as wrong:
        return Source(source.name, source.of), f"{path.name} cannot be read, its proof begins anew: {wrong}"
    return source, ""
