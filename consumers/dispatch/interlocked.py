"""The interlocks of the bridge that act on one battery, as the status of its PCS names them. Pure.

The bridge alone enforces them. Here they only explain: what a battery does not do that the site seeks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.interlock import Effect
from schemas.messages import DeviceStatus

RESTS = frozenset({Effect.ZERO, Effect.STOP, Effect.LOCK_OUT})
BLOCKS = {True: RESTS | {Effect.BLOCK_CHARGE}, False: RESTS | {Effect.BLOCK_DISCHARGE}}
"""Effects after which it does not charge, and does not discharge."""
DERATES = {True: {Effect.DERATE, Effect.DERATE_CHARGE}, False: {Effect.DERATE, Effect.DERATE_DISCHARGE}}
STOPS = frozenset({Effect.STOP, Effect.LOCK_OUT})
NO_START = STOPS | {Effect.BLOCK_START}
MOST = 3
"""Names in a sentence: a silent BMS has a dozen interlocks hold."""


@dataclass
class Interlocked:
    """As its bridge said last."""

    acting: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By name, with their effects."""
    derated: Mapping[str, float] = field(default_factory=dict)
    """% of the rated power that each leaves, where it derates."""

    @classmethod
    def of(cls, status: DeviceStatus) -> "Interlocked":
        return cls(status.interlocks, status.derated)

    def holds(self, sought: float) -> str:
        """What keeps it from charging (`sought` below 0) or discharging, in words; empty while nothing does."""
        if sought == 0:
            return ""
        charging, doing = sought < 0, "charging" if sought < 0 else "discharging"
        if blocks := self._with(BLOCKS[charging]):
            return f"{doing} is blocked by {_named(blocks)}"
        if derates := [one for one in self._with(DERATES[charging]) if one in self.derated]:
            least = min(self.derated[one] for one in derates)
            return f"{doing} is limited to {least:g} % of the rated power by {_named(derates)}"
        return ""

    @property
    def stopped(self) -> str:
        """What has stopped it; empty while nothing has."""
        return _named(self._with(STOPS))

    @property
    def no_start(self) -> str:
        """What forbids to start it; empty while nothing does."""
        return _named(self._with(NO_START))

    def _with(self, effects: frozenset[Effect] | set[Effect]) -> list[str]:
        wanted = {one.value for one in effects}
        return [name for name, has in self.acting.items() if wanted & set(has)]


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"interlock{'s'[: len(names) > 1]} {', '.join(names[:MOST])}{more}" if names else ""


def named(source: str) -> str:
    """A limit as the bridge names it (`interlock:door-pcs`), in a sentence."""
    head, _, name = source.partition(":")
    return f"interlock {name}" if head == "interlock" and name else source
