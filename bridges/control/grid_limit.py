"""The network operator's limit of one device, authority by authority. Pure; `runtime.memory` keeps it on disk.

A signal that is not known keeps its last limit, then the safe one; a protection's the narrower of both. What was
limited once is never free by silence, and none of those who limit overwrites another: the narrowest holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.messages import Authority

LIMIT = "p_limit_pct"
"""The value by which the operator limits a device, whether it has such a register or not."""
LIMITING = frozenset({Authority.DSO, Authority.PROTECTION})
"""Who may."""


@dataclass(slots=True)
class Signal:
    """What one authority said last: % of the rated power, and until when by the monotonic clock."""

    percent: float
    until: float


@dataclass
class GridLimit:
    """Times are of the monotonic clock."""

    safe: float | None = None
    """What holds while a signal is not known; None on a site that has none."""
    hold: float = 900.0
    """How long the last limit goes on after its signal was lost; then `safe` holds."""
    signals: dict[Authority, Signal] = field(default_factory=dict)
    lost: set[Authority] = field(default_factory=set)
    """Whose last limit was on a disk that cannot be read: the narrowest is taken for it until they speak again."""

    def hear(self, authority: Authority, percent: float, until: float) -> None:
        """Somebody who may limit has spoken."""
        self.signals[authority] = Signal(percent, until)
        self.lost.discard(authority)

    def limit(self, now: float) -> float | None:
        """In %, or None where nobody ever limited."""
        if not self.signals:
            return self.safe
        return min(self._of(one, signal, now) for one, signal in self.signals.items())

    def strongest(self, now: float) -> Authority | None:
        """Whose limit it is; None for the declared safe one, or none at all."""
        limit = self.limit(now)
        found = [one for one, signal in self.signals.items() if self._of(one, signal, now) == limit]
        return min(found, key=lambda one: one.rank, default=None)

    def _of(self, authority: Authority, signal: Signal, now: float) -> float:
        if self.safe is None or now < signal.until + self.hold:
            return signal.percent
        # the safe share is the network operator's; a relay that is silent may be one that has tripped
        return min(signal.percent, self.safe) if authority is Authority.PROTECTION else self.safe

    def kept(self) -> dict[str, float]:
        """What must outlive the process, by authority: the percentages."""
        return {authority.value: signal.percent for authority, signal in self.signals.items()}

    def recall(self, kept: Mapping[str, float], now: float) -> None:
        """After a restart nobody knows how long the signal has been silent: it was lost just now."""
        said = {authority: kept[authority.value] for authority in Authority if authority.value in kept}
        self.lose([one for one, percent in said.items() if not _percent(percent)], now)
        self.signals |= {one: Signal(float(percent), now) for one, percent in said.items() if _percent(percent)}

    def lose(self, authorities: Iterable[Authority], now: float) -> None:
        """What they said last was kept, and nobody can read it."""
        lost = LIMITING & set(authorities)
        self.lost |= lost
        self.signals |= {authority: Signal(0.0, now) for authority in lost}


def _percent(kept: object) -> bool:
    return isinstance(kept, float | int) and 0 <= kept <= 100
