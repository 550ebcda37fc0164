"""Forecasts as they are said on topics: what is followed, and why another was not. Pure; the planning thread takes what
waits."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.forecast_powers import ForecastPowers
from schemas.site import Site

AHEAD = timedelta(seconds=60)
"""A message from later than this comes from a clock that goes wrong."""


@dataclass
class ForecastsHeard:
    """Of one site."""

    site: Site
    refused: dict[str, str] = field(default_factory=dict)
    """Why the last one of a name is not followed."""
    waiting: deque[tuple[str, datetime, ForecastPowers]] = field(default_factory=deque)
    """Name, when it was known, and what was said; oldest first."""
    _last: dict[str, datetime] = field(default_factory=dict)
    """When what was followed last was made, by name."""

    def hear(self, name: str, said: ForecastPowers | None, now: datetime, *, retained: bool, fault: str = "") -> str:
        """The next word; gives why it is not followed, or nothing. An empty one, without a fault, says nothing anew:
        what was heard before becomes stale."""
        words = fault
        if said is not None and not fault:
            words = self._wrong(name, said, now)
            if not words and self._last.get(name) != said.at:
                self._last[name] = said.at
                # one that the broker has kept was known since it was made
                self.waiting.append((name, min(now, said.at) if retained else now, said))
        if any(one.name == name for one in self.site.forecast):
            self.refused = {key: why for key, why in (self.refused | {name: words}).items() if why}
        return words

    def _wrong(self, name: str, said: ForecastPowers, now: datetime) -> str:
        meant = next((one for one in self.site.forecast if one.name == name and one.topic), None)
        if meant is None:
            return "the site file does not name it: write [[forecast]] with this name and topic = true"
        if said.of != meant.of:
            return f"it is of {said.of}, and the site file says {meant.of}"
        if said.at > now + AHEAD:
            return f"it comes from {(said.at - now).total_seconds():.0f} s ahead: check the clock"
        if name in self._last and said.at < self._last[name]:
            return "a later one was followed already"
        return f"its last value ended at {said.end:%Y-%m-%d %H:%M}Z" if said.end <= now else ""

    def take(self) -> list[tuple[str, datetime, ForecastPowers]]:
        """What was heard since the last time."""
        return [self.waiting.popleft() for _ in range(len(self.waiting))]
