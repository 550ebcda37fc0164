"""Files of forecasts from outside, read again when they have changed and are changed no more. Where one goes wrong,
what was read last goes on and it is said."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from optimizer.forecast.local_days import quarter
from optimizer.forecast.outside import Issue
from optimizer.forecast.outside_formats import Told, read
from schemas.site import Site
from schemas.site_forecasts import OutsideForecast
from schemas.troubles import Trouble

WRITING = 5.0
"""Seconds after a change in which a file may still be written."""
LARGEST = 5_000_000
"""Bytes: 16 days of quarters of an hour are 200 kB in the longest of the formats."""

Stamp = tuple[int, int, int]
"""Which file it is, its size and when it was changed, in ns."""


@dataclass
class OutsideFiles:
    """Of one site."""

    site: Site
    faults: dict[str, str] = field(default_factory=dict)
    """By name: what is wrong with a file now."""
    _read: dict[str, Stamp] = field(default_factory=dict)

    def fresh(self, now: datetime) -> list[tuple[str, Issue]]:
        """What was not read before."""
        found = [(one, self._fresh(one, path, now)) for one, path in self._paths()]
        return [(one.name, issue) for one, issue in found if issue is not None]

    def _paths(self) -> list[tuple[OutsideForecast, Path]]:
        paths = self.site.forecast_files
        return [(one, paths[one.name]) for one in self.site.forecast if one.name in paths]

    def _fresh(self, one: OutsideForecast, path: Path, now: datetime) -> Issue | None:
        before, goes_on = self._read.get(one.name), "what was read before goes on"
        try:
            stamp = _stamp(path)
            if stamp == before:
                return None
            if 0 <= now.timestamp() - stamp[2] / 1e9 < WRITING:
                return None
            told = read_file(path, one, self.site)
            if _stamp(path) != stamp:
                return None  # it was written to while it was read
        except OSError as wrong:
            self.faults[one.name] = f"{path.name} cannot be read: {wrong.strerror or wrong}; {goes_on}"
            return None
        except Trouble as wrong:
            self.faults[one.name] = f"{wrong}; {goes_on}"
            return None
        self.faults.pop(one.name, None)
        self._read[one.name] = stamp
        # one that was there before us was known since it was written
        since = datetime.fromtimestamp(stamp[2] / 1e9, UTC) if before is None else now
        return Issue(quarter(min(now, since)), told)


def read_file(path: Path, one: OutsideForecast, site: Site) -> Told:
    """What a file tells. Raises OSError, and Trouble with the field and what would be right."""
    with path.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Trouble(f"{path.name}: it has more than {LARGEST / 1e6:.0f} MB: no forecast is so long")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise Trouble(f"{path.name}: it is no UTF-8 text: {wrong.reason} at byte {wrong.start}") from wrong
    return read(text, path.name, site.zone, one.of, one.format)


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
