"""What became of telling people of alarms."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.messages.message import Message
from schemas.units import Instant

NotifyResult = Literal["sent", "failed", "given_up", "waits", "nobody"]
"""What became of a message."""
Told = Literal["raised", "again", "over", "digest"]
"""What a message says of its alarms."""


class Notified(Message):
    """Somebody was told of alarms, or was not and why: for whoever asks afterwards. Never an address."""

    at: Instant
    """When it became so; no two of one service bear the same."""
    id: str = ""
    """The message's, that its receiver sees; none where there is no message."""
    result: NotifyResult
    """`sent`: the server of the channel took it. `failed`: it did not, and is asked again; told once for each reason.
    `given_up`: nobody got it. `waits`: it is collected for one message, or until quiet hours end. `nobody`: no step of
    the chain reaches a person now."""
    says: Told = "raised"
    """What the message says of the alarms."""
    alarms: Annotated[list[str], Field(max_length=500)] = []
    """Those it is about; of more than 500 the first."""
    people: list[str] = []
    """To whom."""
    channel: str = ""
    """By which channel."""
    why: str = ""
    """Why it failed, waits, or reaches nobody."""
    tries: int = 0
    """So often the server was asked in vain before this."""
