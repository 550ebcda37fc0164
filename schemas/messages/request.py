"""What a person asks for, and what became of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.messages.command import Action
from schemas.messages.control import Mode
from schemas.messages.message import Id, Message, Order
from schemas.units import Instant, Name, Watts


class RequestOutcome(Message):
    """What became of what a person asked for, said where it was asked."""

    id: str
    """The request's; `unknown` when it had none or could not be read."""
    at: Instant
    followed: bool
    """Whether it was done; if not, `cause` and `reason` say why."""
    who: str = ""
    """Who asked."""
    wish: str = ""
    """What was asked for: a mode, an action."""
    cause: Name | None = None
    """Why not, in the words of `Cause`."""
    reason: str = ""
    """The same in words for people; of what was followed, what else comes of it: an alarm that is shelved may hide
    others."""


AlarmAction = Literal["ack", "shelve", "unshelve", "reset", "out_of_service", "in_service", "comment"]
"""What is asked of an alarm."""
ENDS = ("shelve", "out_of_service")
"""Those that need `until`."""


class AlarmRequest(Order):
    """An operator's answer to an alarm, or an engineer's."""

    id: Id | None = None
    """Its outcome bears it."""
    at: Instant
    """When it was sent: one that is older than 30 s, or from the future, is refused."""
    action: AlarmAction
    """`out_of_service` and `in_service` are an engineer's, at the topic `maintenance`; `comment` goes there and to
    `request`, all else to `request` alone."""
    who: Annotated[str, Field(min_length=1, max_length=64)]
    """The person, as the history shall name them."""
    why: Annotated[str, Field(max_length=500)] = ""
    """Needed by `out_of_service`; of a `comment` its words."""
    until: Instant | None = None
    """Needed by `shelve` (24 h at most) and `out_of_service` (30 days at most), and by no other."""
    since: Instant | None = None
    """Of the raise that it is for, as the alarm says it: another one is left alone. Without it, whichever stands."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if (self.action in ENDS) != (self.until is not None):
            raise ValueError("`until` goes with `shelve` and `out_of_service`, which need it: each of them ends")
        if self.action in ("out_of_service", "comment") and not self.why.strip():
            raise ValueError(f"`{self.action}` needs `why`: who comes later reads it")
        return self


class ControlRequest(Order):
    """A wish of an operator or a SCADA system: a mode, or a grid mode of the PCS at rest.

    Manual power needs a lease that ends. Start, stop and reset have no word of their own: auto starts the PCS, lockout
    stops it, and the end of a lockout resets what it was for.
    """

    id: Id | None = None
    """Its outcome bears it."""
    at: Instant
    mode: Mode | None = None
    action: Literal[Action.GRID_FOLLOWING, Action.GRID_FORMING] | None = None
    battery: Name | None = None
    """Of several batteries the one that a grid mode is for, by its name; needed where more than one can. A lockout may
    name one, and holds for all of them."""
    who: Annotated[str, Field(min_length=1, max_length=64)]
    why: Annotated[str, Field(max_length=500)] = ""
    power: Watts | None = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        if (self.mode is None) == (self.action is None):
            raise ValueError("give either `mode` or `action`, not both and not neither")
        if self.action is not None and (self.until is not None or not self.why.strip()):
            raise ValueError("a grid mode needs `why`, and holds until another is asked for: no `until`")
        if self.mode not in (None, Mode.LOCKOUT) and self.battery is not None:
            raise ValueError("`battery` goes with a grid mode only: a mode holds for all batteries")
        return self

    @model_validator(mode="after")
    def _manual_is_whole(self) -> Self:
        if self.mode is Mode.MANUAL and (self.power is None or self.until is None):
            raise ValueError("manual mode needs `power` in W and `until`")
        if self.mode is not Mode.MANUAL and self.power is not None:
            raise ValueError("`power` goes with manual mode only")
        return self
