"""What is said of a command to a device that the site file does not have. Pure."""

from collections.abc import Iterable
from datetime import datetime

from bridges.control.guard import Refusal
from bridges.control.pending_commands import refused
from runtime.heard import Heard
from schemas.messages import Cause, Command, Outcome
from schemas.printable import asked


def answer(device: str, known: Iterable[str], heard: Heard[Command], at: datetime) -> Outcome:
    """`known`: the devices of the site file."""
    words = f"unknown: the site file has no device {device!r}; there is: {', '.join(known)}"
    name = asked(heard.payload).id if heard.message is None else heard.message.id
    return refused(name, Refusal(Cause.UNKNOWN, words), heard.message, at)
