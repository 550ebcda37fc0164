"""How a part of joulebus is."""

from typing import Literal

from schemas.messages.message import Message
from schemas.units import Count, Instant, Name, Seconds


class ServiceStatus(Message):
    """A part of joulebus says how it is (retained; `offline` is its last will)."""

    state: Literal["online", "offline"]
    at: Instant | None = None
    started: Instant | None = None
    instance: str = ""
    """Names the state folder it works in, for ever: two services of one name are told apart by it."""
    version: str = ""
    lag: Seconds = 0.0
    """How far it is behind its input."""
    last_success: Instant | None = None
    causes: list[Name] = []
    """What troubles it, in the words of `Cause`."""
    detail: str = ""
    """What it does, and what troubles it, in words for people."""
    counts: dict[str, Count] = {}
