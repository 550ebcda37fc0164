"""Which samples tell of now. No clock of another machine decides it: what counts is how long a sample took compared
with its neighbours, so that any clock may be wrong or be set, and an old sample among new ones is still found. Pure.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from schemas.messages import Telemetry

APART = 10.0
"""Seconds by which a sample may come later or earlier than its neighbours did."""
NEIGHBOURS = 5
"""So many samples are compared: when a clock was set, the third one after it is believed again."""
REMEMBERED = 256
"""Samples of a device that are known again when they are sent again."""
IN_A_ROW = 3
"""So many samples that seem older than the newest, and come in their own rhythm, show that the newest was wrong."""


def _last() -> deque[float]:
    return deque(maxlen=NEIGHBOURS)


@dataclass
class _Device:
    epoch: str = ""
    ended: deque[str] = field(default_factory=lambda: deque(maxlen=NEIGHBOURS))
    """Epochs before this one."""
    numbers: deque[float] = field(default_factory=_last)
    lags: deque[float] = field(default_factory=_last)
    """Monotonic seconds of the arrival less the time in the sample: a constant, as long as nobody sets a clock."""
    newest: tuple[int, datetime] | None = None
    """Number and time of the sample that was believed last."""
    older: deque[tuple[float, Telemetry]] = field(default_factory=lambda: deque(maxlen=IN_A_ROW))
    """Those that seemed older since, and when they came."""
    heard: deque[tuple[str, int, datetime]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Epoch, number and time of each: what was heard before is sent again, in whatever rhythm."""

    def is_older(self, sample: Telemetry) -> bool:
        """Behind the newest by its time, and by its number or its epoch: within an epoch both rise together, so one
        of them alone is a clock that was set or a number that cannot be."""
        if self.newest is None or sample.at > self.newest[1]:
            return False
        return sample.seq <= self.newest[0] if sample.epoch == self.epoch else sample.epoch in self.ended

    def goes_on(self, sample: Telemetry, mono: float) -> bool:
        """The same source goes on in its own rhythm, so what was taken for the newest was wrong. Samples that are sent
        again come all at once, or were heard before."""
        if (sample.epoch, sample.seq, sample.at) in self.heard:
            return False
        self.older.append((mono, sample))
        spans = [
            (came - before, (one.at - last.at).total_seconds())
            for (before, last), (came, one) in zip(self.older, [*self.older][1:], strict=False)
        ]
        return len(self.older) == IN_A_ROW and all(took >= passed / 2 and passed > 0 for took, passed in spans)

    def begins_anew(self) -> None:
        """What is compared with are those that seemed older."""
        self.numbers.clear()
        self.lags.clear()
        for came, one in [*self.older][:-1]:
            self.take(one, came)

    def take(self, sample: Telemetry, mono: float) -> None:
        """It is one of the neighbours from now on."""
        if sample.epoch != self.epoch:
            self.ended.append(self.epoch)
            self.epoch = sample.epoch
            self.numbers.clear()
        self.numbers.append(sample.seq)
        self.lags.append(mono - sample.at.timestamp())


@dataclass
class Arrivals:
    """The last samples of each device. No single one, whatever it says, keeps those after it from being believed, and
    none that is sent again, or late, takes the place of a newer one."""

    _seen: dict[str, _Device] = field(default_factory=dict)

    def timely(self, device: str, sample: Telemetry, mono: float) -> bool:
        """Whether it tells of now: not sent late, heard for the first time, and neither older nor slower than its
        neighbours."""
        if sample.historical:
            return False
        seen = self._seen.setdefault(device, _Device())
        older = seen.is_older(sample)
        anew = older and seen.goes_on(sample, mono)
        seen.heard.append((sample.epoch, sample.seq, sample.at))
        if older and not anew:
            return False
        if anew:
            seen.begins_anew()
        again = sample.epoch == seen.epoch and sample.seq in seen.numbers
        seen.take(sample, mono)
        late = abs(seen.lags[-1] - median(seen.lags)) > APART
        if again or late or sample.seq < median(seen.numbers):
            return False
        seen.newest = sample.seq, sample.at
        seen.older.clear()
        return True
