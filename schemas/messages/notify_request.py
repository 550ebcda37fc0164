"""Somebody wants to see that people can be reached, and what became of that."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.messages.message import Id, Message, Order
from schemas.messages.request import RequestOutcome
from schemas.units import Instant, Name


class NotifyRequest(Order):
    """Send a test by every channel, by one of them, or by those of a person."""

    id: Id | None = None
    """Its outcome bears it."""
    at: Instant
    action: Literal["test"]
    channel: Name | None = None
    """By this channel alone."""
    person: Name | None = None
    """By the channels of this person."""
    who: Annotated[str, Field(min_length=1, max_length=64)]
    why: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.channel is not None and self.person is not None:
            raise ValueError("give either `channel` or `person`, or neither for every channel")
        return self


class ChannelAnswer(Message):
    """What the server of a channel said."""

    channel: str
    sent: bool
    """It took the message. Whether a person reads it nobody can know."""
    why: str = ""
    """Why not; never with an address."""


class NotifyOutcome(RequestOutcome):
    """What became of such a request. It is said twice: at once whether it is followed, and with `channels` when each
    server has answered; `followed` then means that all of them took it."""

    channels: list[ChannelAnswer] = []
