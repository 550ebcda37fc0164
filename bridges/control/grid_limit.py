"""The network operator's limit. A signal that is not known keeps its last limit, then the safe one. Pure."""

from dataclasses import dataclass

LIMIT = "p_limit_pct"
"""The value by which the operator limits a device, whether it has such a register or not."""


@dataclass
class GridLimit:
    """One device's limit in % of its rated power. Times are of the monotonic clock."""

    safe: float | None = None
    """What holds while the signal is not known; None on a site that has none."""
    hold: float = 900.0
    percent: float | None = None
    until: float = 0.0

    def hear(self, percent: float, until: float) -> None:
        """The operator has spoken."""
        self.percent, self.until = percent, until

    def limit(self, now: float) -> float | None:
        """In %, or None where no operator ever limited. What was limited once is never free by silence."""
        if self.percent is None:
            return self.safe
        if self.safe is None or now < self.until + self.hold:
            return self.percent
        return self.safe
