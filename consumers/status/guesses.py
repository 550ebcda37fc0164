"""How often somebody may show a wrong token. Pure: `now` is the monotonic clock.

Who shows five has to wait, twice as long after each further one; so does everybody together after fifty, except for
those who have shown the right one before: a guesser must not keep the operators out.
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

FREE, FREE_TOGETHER = 5, 50
"""Wrong ones before anybody waits: people mistype."""
LONGEST, LONGEST_TOGETHER = 300.0, 30.0
"""Seconds to wait at most."""
CALM = 600.0
"""Seconds without a wrong one after which the earlier ones are forgotten."""
KNOWN = 12 * 3600.0
"""Seconds an address counts as an operator's that has shown the right one."""
MOST = 1000
"""Addresses that are remembered."""
QUIET = 60.0
"""Seconds between two lines about it in the log."""


T = TypeVar("T")


@dataclass
class _Burst:
    """Wrong tokens of one address, or of all together, since the last calm."""

    count: int = 0
    last: float = float("-inf")
    until: float = float("-inf")

    def add(self, now: float, free: int, longest: float) -> None:
        self.count = self.count + 1 if now - self.last < CALM else 1
        self.last = now
        if self.count >= free:
            self.until = now + min(2.0 ** min(self.count - free, 20), longest)


@dataclass
class Guesses:
    """What is remembered of wrong and right tokens, by address."""

    _of: dict[str, _Burst] = field(default_factory=dict)
    _together: _Burst = field(default_factory=_Burst)
    _known: dict[str, float] = field(default_factory=dict)
    _said: float = float("-inf")

    def wait(self, source: str, now: float) -> float:
        """Seconds until a token of this address is looked at again."""
        source = _network(source)
        mine = self._of.get(source, _Burst()).until - now
        known = now - self._known.get(source, float("-inf")) < KNOWN
        return max(0.0, mine, 0.0 if known else self._together.until - now)

    def wrong(self, source: str, now: float) -> bool:
        """A wrong token came. Gives whether that is worth a line in the log: one for a burst is enough."""
        source = _network(source)
        burst = self._of.pop(source, _Burst())
        burst.add(now, FREE, LONGEST)
        _keep(self._of, source, burst)
        self._together.add(now, FREE_TOGETHER, LONGEST_TOGETHER)
        if now - self._said < QUIET:
            return False
        self._said = now
        return True

    def right(self, source: str, now: float) -> None:
        """The right one came."""
        source = _network(source)
        self._of.pop(source, None)
        self._known.pop(source, None)
        _keep(self._known, source, now)


def _keep(table: dict[str, T], key: str, value: T) -> None:
    table[key] = value
    while len(table) > MOST:
        del table[next(iter(table))]


def _network(source: str) -> str:
    """The address; of IPv6 the /64 it comes from, which one machine has all to itself."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address) if address.is_loopback else f"{address.exploded[:19]}::/64"
