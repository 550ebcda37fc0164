"""What the page sends: requests of the public contract that are made now and named by us, when they do not say so."""

from secrets import token_hex
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from schemas.alarm_name import AlarmName
from schemas.messages import AlarmRequest, ControlRequest, Id, Mode, NotifyRequest, Order
from schemas.units import Instant, utc_now

CONTROL = "/api/control"
"""Where a wish for dispatch is sent."""

MOST_AT_ONCE = 200
"""Alarms that one action acknowledges."""
MAINTENANCE = ("out_of_service", "in_service")
"""What only an engineer asks of an alarm."""

O = TypeVar("O", bound=Order)  # noqa: E741  # an order


def _name() -> str:
    """Of a request: by it the page finds what became of it."""
    return f"page-{token_hex(6)}"


class ControlWish(ControlRequest):
    id: Id = Field(default_factory=_name)
    at: Instant = Field(default_factory=utc_now)


class AlarmWish(AlarmRequest):
    id: Id = Field(default_factory=_name)
    at: Instant = Field(default_factory=utc_now)


class NotifyWish(NotifyRequest):
    id: Id = Field(default_factory=_name)
    at: Instant = Field(default_factory=utc_now)
    action: Literal["test"] = "test"


class AckWish(Order):
    """Acknowledges what somebody has in view."""

    alarms: Annotated[list[AlarmName], Field(min_length=1, max_length=MOST_AT_ONCE)]
    raised: Annotated[dict[AlarmName, Instant], Field(max_length=MOST_AT_ONCE)] = {}
    """Since when each was raised as it was seen: one that is raised anew meanwhile is left alone."""
    who: Annotated[str, Field(min_length=1, max_length=64)]
    why: Annotated[str, Field(max_length=500)] = ""

    def each(self) -> dict[str, AlarmWish]:
        """A request for each of them."""
        return {
            name: AlarmWish(action="ack", who=self.who, why=self.why, since=self.raised.get(name))
            for name in self.alarms
        }


def read_wish(shape: type[O], body: bytes) -> O:
    """Strict, from the bytes themselves: a decoded body has lost which of its texts were dates.

    Raises pydantic.ValidationError.
    """
    return shape.model_validate_json(body)


def is_lockout(address: str, body: bytes) -> bool:
    """Whether it asks for a lockout: nobody has to wait with that."""
    if address != CONTROL:
        return False
    try:
        return read_wish(ControlWish, body).mode is Mode.LOCKOUT
    except ValidationError:
        return False
