"""Forecasts from outside at work: heard on topics, read from files, proven each hour against what came, and blended
with our own. Loads numpy: only the planning thread and what is as slow call it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from consumers.optimize.forecasts_heard import ForecastsHeard
from consumers.optimize.outside_files import OutsideFiles
from consumers.optimize.outside_kept import keep, kept
from optimizer.forecast.ahead import Ahead
from optimizer.forecast.local_days import quarter
from optimizer.forecast.model import Model
from optimizer.forecast.outside import Issue
from optimizer.forecast.outside_formats import Told, of_blocks
from optimizer.forecast.outside_source import Source, blended
from optimizer.record import Record
from schemas.forecast_powers import ForecastPowers
from schemas.forecast_skill import Outsider
from schemas.site import Site

PROVEN = timedelta(hours=1)
"""Between two times that they are proven and kept."""


@dataclass
class Outside:
    """Of one site. `state`: the folder in which it is kept what was heard; None: nowhere."""

    site: Site
    heard: ForecastsHeard
    state: Path | None
    sources: dict[str, Source] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What cannot be kept or read of what was kept."""
    _files: OutsideFiles = field(init=False)
    _proven: datetime | None = None
    _by: Model | None = None
    """Whose errors it was proven against."""
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._files = OutsideFiles(self.site)

    def ahead(self, own: Ahead, starts: Sequence[datetime], record: Record, model: Model, now: datetime) -> Ahead:
        """Our own forecast with what those from outside have proven."""
        if not self.site.forecast:
            return own
        with self._lock:  # prices of reserves are reckoned beside a plan
            self._take(now)
            if self._proven is None or not self._proven <= now < self._proven + PROVEN or model is not self._by:
                self._prove(record, model, now)
        return blended(own, starts, [*self.sources.values()])

    def _take(self, now: datetime) -> None:
        if not self.sources:
            self._begin(now)
        for name, at, said in self.heard.take():
            self._hear(name, Issue(quarter(at), _told(said)))
        for name, issue in self._files.fresh(now):
            self._hear(name, issue)

    def _hear(self, name: str, issue: Issue) -> None:
        self.sources = self.sources | {name: self.sources[name].hearing(issue)}

    def _begin(self, now: datetime) -> None:
        found = dict[str, Source]()
        for one in self.site.forecast:
            source, words = Source(one.name, one.of), ""
            if self.state is not None:
                source, words = kept(self._path(one.name), source, quarter(now))
            found[one.name] = source
            self.faults += [words] if words else []
        self.sources = found

    def _prove(self, record: Record, model: Model, now: datetime) -> None:
        own = model.skill(now).skills
        self.sources = {name: one.proven(quarter(now), record, own) for name, one in self.sources.items()}
        self.faults = self.faults if self._proven is None else []  # what could not be read is said for an hour
        self._proven, self._by = now, model
        if self.state is None:
            return
        for name, one in self.sources.items():
            try:
                keep(self._path(name), one)
            except OSError as wrong:
                self.faults.append(f"{self._path(name).name} cannot be written: {wrong.strerror or wrong}")

    def _path(self, name: str) -> Path:
        assert self.state is not None  # noqa: S101  # asked before
        return self.state / "forecasts" / f"{self.site.site}-{name}.npz"

    def outsiders(self) -> list[Outsider]:
        """What each counts for."""
        wrong = self._files.faults | self.heard.refused
        each = [one.proof.outsider(one.name) for one in self.sources.values()]
        words = ["; ".join(filter(None, [one.words, wrong.get(one.name)])) for one in each]
        return [one.model_copy(update={"words": why}) for one, why in zip(each, words, strict=True)]

    def notes(self) -> list[str]:
        """Which counts for nothing, and what is wrong with a file or a message."""
        idle = [one for one in self.sources.values() if one.proof.words]
        wrong = self._files.faults | self.heard.refused
        return [
            *(f"forecast {one.name} has no weight: {one.proof.words}" for one in idle),
            *(f"forecast {name}: {words}" for name, words in wrong.items()),
            *self.faults,
        ]


def _told(said: ForecastPowers) -> Told:
    return of_blocks(int(said.start.astimezone(UTC).timestamp() // 900), said.minutes, said.values)
