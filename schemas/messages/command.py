"""What a device should do, and what became of it."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from schemas.messages.message import Epoch, Id, Message, Order
from schemas.messages.why import Why
from schemas.units import SIGNATURE, Instant, Name, Number


class Authority(StrEnum):
    """Who may overrule whom, strongest first."""

    PROTECTION = "protection"
    DSO = "dso"
    OPERATOR = "operator"
    MARKET = "market"
    PLAN = "plan"
    SELF_CONSUMPTION = "self_consumption"

    @property
    def rank(self) -> int:
        """0 is the strongest."""
        return list(Authority).index(self)


class Action(StrEnum):
    START = "start"
    STOP = "stop"
    STANDBY = "standby"
    RESET = "reset"
    GRID_FOLLOWING = "grid_following"
    GRID_FORMING = "grid_forming"
    """The grid modes; a PCS changes between them only while it is stopped or in standby."""


class Command(Order):
    """What a device should do, and until when. After `until` the device goes to its fallback.

    Either `values` or `action`, never both. Power in W, positive out of the device.
    """

    id: Id
    at: Instant
    until: Instant
    epoch: Epoch | None = None
    number: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """The order of a source's commands, whatever the clocks say: a higher number of the same epoch is newer. The epoch
    is drawn when the source starts. Without them `at` is the order."""
    source: Name
    authority: Authority
    values: dict[Name, Number] = {}
    action: Action | None = None
    follows_meter: bool | None = None
    """Whether its values answer what the grid meter shows. None: those of a plan and of self-consumption do. A schedule
    that goes to and fro by the clock says `false`, or it looks like a loop that swings."""
    reason: str = Field(max_length=500)
    why: list[Why] = Field(default=[], max_length=8)
    """What binds it, for programs, the most important first; dispatch says two at most. It is left out where nothing is
    said: so a bridge that is older than the field takes the command."""
    signature: Annotated[str, Field(pattern=SIGNATURE)] | None = None
    """HMAC-SHA256 over the topic's address and the other fields, where the site has a command key."""

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        if bool(self.values) == (self.action is not None):
            raise ValueError("give either `values` or `action`, not both and not neither")
        if self.until <= self.at:
            raise ValueError("`until` must be later than `at`")
        if (self.epoch is None) != (self.number is None):
            raise ValueError("`epoch` and `number` go together")
        return self

    @model_serializer(mode="wrap")
    def _as_older_readers_know_it(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = dump(self)
        if not said.get("why", True):
            del said["why"]
        return said


class OutcomeState(StrEnum):
    """What became of a command."""

    ACCEPTED = "accepted"
    APPLIED = "applied"
    VERIFIED = "verified"
    LIMITED = "limited"  # proven, but a limit made it less than what was asked: see limited_by
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    FAILED = "failed"
    NOT_OBEYED = "not_obeyed"
    FOREIGN_CHANGE = "foreign_change"


class Limited(Message):
    """One step of the guard that changed a wanted value."""

    point: Name
    source: str
    """The name of the limit, such as `bms:current` or `site:grid` ([all of them](control.md#limits))."""
    wanted: Number
    allowed: Number


class Outcome(Message):
    """What a bridge did with a command."""

    id: str
    """The command's."""
    at: Instant
    state: OutcomeState
    requested: dict[Name, Number] = {}
    applied: dict[Name, Number] = {}
    measured: dict[Name, Number] = {}
    limited_by: list[Limited] = []
    action: Action | None = None
    source: str = ""
    cause: Name | None = None
    """Why, in the words of `Cause`; None where all is as it was wanted."""
    reason: str = ""
    """The same in words for people."""
