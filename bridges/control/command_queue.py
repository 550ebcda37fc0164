"""The commands that wait for one device, in the order they came: bounded, and with room for those who steer by hand."""

from collections import deque
from dataclasses import dataclass, field

from bridges.control.command_history import Arrival
from bridges.control.guard import BY_HAND, Refusal
from runtime.signature import forgery
from schemas.messages import Cause, Command

MOST, RESERVE = 100, 100
"""Commands that may wait; and as many more of those who steer by hand."""


@dataclass
class CommandQueue:
    """Judged here is only what needs the bytes themselves; everything else, when a command is taken."""

    address: str
    """The topic's, which a signature covers."""
    key: str | None = None
    """Commands must be signed with it."""
    waiting: deque[Arrival] = field(default_factory=deque)

    def enter(self, arrival: Arrival, payload: bytes) -> Refusal | None:
        """It waits for its turn; or why it does not."""
        command: Command = arrival.command
        if self.key is not None and (why := forgery(payload, self.address, self.key)):
            return Refusal(Cause.SIGNATURE, why)
        if len(self.waiting) >= MOST + (RESERVE if command.authority in BY_HAND else 0):
            return Refusal(Cause.QUEUE_FULL, f"queue_full: {len(self.waiting)} commands wait already")
        self.waiting.append(arrival)
        return None

    def take(self) -> Arrival | None:
        """The next one."""
        return self.waiting.popleft() if self.waiting else None
