"""Which samples tell of now. No clock of another machine decides it: what counts is how long a sample took compared
with its neighbours, so that any clock may be wrong or be set, and an old sample among new ones is still found. Pure.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

from schemas.messages import Telemetry

APART = 10.0
"""Seconds by which a sample may come later or earlier than its neighbours did."""
NEIGHBOURS = 5
"""So many samples are compared: when a clock was set, the third one after it is believed again."""


def _last() -> deque[float]:
    return deque(maxlen=NEIGHBOURS)


@dataclass
class _Device:
    epoch: str = ""
    numbers: deque[float] = field(default_factory=_last)
    lags: deque[float] = field(default_factory=_last)
    """Monotonic seconds of the arrival less the time in the sample: a constant, as long as nobody sets a clock."""


@dataclass
class Arrivals:
    """The last samples of each device. No single one, whatever it says, keeps those after it from being believed."""

    _seen: dict[str, _Device] = field(default_factory=dict)

    def timely(self, device: str, sample: Telemetry, mono: float) -> bool:
        """Whether it tells of now: not sent late, heard for the first time, and neither older nor slower than its
        neighbours."""
        if sample.historical:
            return False
        seen = self._seen.setdefault(device, _Device())
        if sample.epoch != seen.epoch:
            seen.epoch = sample.epoch
            seen.numbers.clear()
        again = sample.seq in seen.numbers
        seen.numbers.append(sample.seq)
        seen.lags.append(mono - sample.at.timestamp())
        late = abs(seen.lags[-1] - median(seen.lags)) > APART
        return not (again or late or sample.seq < median(seen.numbers))
