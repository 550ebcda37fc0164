"""The figures of the last 24 h, followed as alarms change, over restarts.

What is kept is bounded: the raises of 24 h and what still stands, and at most MOST of them. What was not heard is a gap
that the figures tell of: rates are of the time that was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from consumers.alarms.figures.following import Following, Last, Quiet, Raise
from consumers.alarms.figures.span import Gap, Span
from consumers.alarms.figures.tally import tally
from runtime.whole_file import write_whole
from schemas.alarm_figures import AlarmFigures, AlarmWatch
from schemas.messages import Alarm

WINDOW = timedelta(hours=24)
MOST = 10_000
"""Raises in 24 h: seven each minute. More of them nobody reads, and then the figures are of the newest."""
NEWS, AT_LEAST = timedelta(minutes=1), timedelta(minutes=10)
"""Between two words: when something changed, and in any case."""
UNHEARD = timedelta(minutes=2)
"""A longer time without a look is one in which nobody listened."""
WATCH = timedelta(minutes=15)
"""Between two words on what was heard, for the archive."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """As it stands in the file. A raise or a quiet of an alarm that goes on stands in its `Last`, too."""

    looked: datetime
    gaps: list[Gap]
    last: dict[str, Last]
    raises: list[Raise]
    quiets: list[Quiet]
    since: datetime | None = None


_FILE = TypeAdapter(_Kept)


@dataclass
class Live:
    """Of one site. `begin` once the alarms are known that are not normal, `hear` each change, `told` each second."""

    path: Path
    operators: int = 1
    following: Following = field(default_factory=Following)
    gaps: list[Gap] = field(default_factory=list)
    looked: datetime | None = None
    since: datetime | None = None
    """From when on the archive was not told yet that we listen."""
    ended: list[AlarmWatch] = field(default_factory=list)
    """What came to its end by a gap and what began after it, not told yet."""
    unkept: bool = False
    """A change was heard that is not in the file."""
    _reckoned: datetime | None = None
    _said: AlarmFigures | None = None

    def begin(self, shown: Mapping[str, Alarm], now: datetime) -> str:
        """Read the file, and what is not normal now. What is wrong with the file, if anything; then it begins anew."""
        trouble = self._read()
        if self.looked is None:
            self.gaps = [(datetime(1970, 1, 1, tzinfo=UTC), now)]
        self._look(now)
        self.following.only(shown, now)
        return trouble

    def hear(self, name: str, alarm: Alarm) -> None:
        """A change of an alarm; one that was heard already counts once."""
        self.unkept |= self.following.hear(name, alarm)

    def anew(self) -> None:
        """What was said last may have reached nobody: the connection broke."""
        self._reckoned = self._said = None

    def told(self, now: datetime) -> AlarmFigures | None:
        """What is to be said now, if anything: each minute when it changed, and at least each 10 min. Then `keep`."""
        self._look(now)
        if self._reckoned is not None and timedelta() <= now - self._reckoned < NEWS:
            return None
        self._reckoned, said, found = now, self._said, self.figures(now)
        if said is not None and timedelta() <= now - said.at < AT_LEAST and _same(said, found):
            return None
        self._said = found
        return found

    def watched(self, now: datetime) -> list[AlarmWatch]:
        """From when until when we listened, as far as it is due to be told: each 15 min, and around a gap at once."""
        self._look(now)
        found, self.ended = self.ended, []
        if self.since is not None and now - self.since >= WATCH:
            found.append(AlarmWatch(at=now, since=self.since))
            self.since = now
        return found

    def figures(self, now: datetime) -> AlarmFigures:
        """Of the last 24 h."""
        begin = now - WINDOW
        known_from = self.following.forget(begin, MOST)
        if known_from is not None:
            self.gaps.append((begin, known_from))
        self.gaps = [gap for gap in self.gaps if gap[1] > begin]
        return tally(self.following, Span(begin, now, tuple(self.gaps)), now, self.operators)

    def dump(self) -> bytes:
        """What is to be written; quick, and between two changes."""
        one, self.unkept = self.following, False
        looked = self.looked or datetime.now(UTC)
        return _FILE.dump_json(_Kept(looked, self.gaps, one.last, [*one.raises], [*one.quiets], self.since))

    def write(self, written: bytes) -> None:
        """All of it or nothing, also when the power fails. For a thread: it waits for the disk. Raises OSError."""
        write_whole(self.path, written)

    def _look(self, now: datetime) -> None:
        """A clock that was set back, or forward by less than we notice, opens no gap. What a clock that was ahead has
        passed over is yet to come."""
        if self.looked is not None and now < self.looked:
            self.gaps = [(begin, min(end, now)) for begin, end in self.gaps if begin < now]
        if self.looked is not None and now - self.looked > UNHEARD:
            self.gaps.append((self.looked, now))
            if self.since is not None and self.since < self.looked:
                self.ended.append(AlarmWatch(at=self.looked, since=self.since))
            self.since = None
        self.looked = now
        if self.since is None:
            self.ended.append(AlarmWatch(at=now, since=now))
        self.since = min(self.since or now, now)

    def _read(self) -> str:
        try:
            kept = _FILE.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return ""
        except (OSError, ValidationError) as wrong:
            return f"{self.path} cannot be read ({type(wrong).__name__}): the figures of the alarms begin anew"
        self.gaps, self.looked, self.since = kept.gaps, kept.looked, kept.since
        self.following = Following(kept.last)
        for one in kept.raises:
            mine = kept.last.get(one.alarm)
            same = mine is not None and mine.raised is not None and mine.raised.at == one.at
            self.following.raises.append(mine.raised if mine and mine.raised and same else one)
        for quiet in kept.quiets:
            held = kept.last.get(quiet.alarm)
            goes_on = held is not None and held.quiet is not None and held.quiet.begin == quiet.begin
            self.following.quiets.append(held.quiet if held and held.quiet and goes_on else quiet)
        return ""


_GROWS: dict[str, Any] = {"longest": {"seconds"}, "standing": {"__all__": {"seconds"}}}
_NO_NEWS: dict[str, Any] = {
    **dict.fromkeys(("at", "begin", "end", "seen"), True),
    "stale": {"__all__": {"seconds"}},
    **dict.fromkeys(("shelved", "suppressed", "out_of_service"), _GROWS),
    "figures": {"__all__": {"value", "why"}},
}
"""What grows with the time alone."""


def _same(one: AlarmFigures, other: AlarmFigures) -> bool:
    """Without what the passing of time changes: rates follow from what was raised, which is compared."""
    return one.model_dump(exclude=_NO_NEWS) == other.model_dump(exclude=_NO_NEWS)
