"""How much the site may draw and feed in, and who says so."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.messages.command import Authority
from schemas.messages.message import Id, Message, Order
from schemas.units import SIGNATURE, Instant, Name, Percent, Watts

Direction = Literal["feed_in", "consumption"]
"""At the connection point, seen from the site."""

Scope = Literal["connection_point", "steerable"]
"""What is limited: all that flows there; or only what PV gives, and what batteries draw from the grid."""


class GridLimitRequest(Order):
    """How much the site may feed in or draw, by the word of the network operator, a protection or an operator. It
    holds beside what others have said; of each authority the last word for this direction and scope holds. 100 % ends
    it."""

    id: Id
    """Its outcome bears it; each has its own."""
    at: Instant
    source: Name
    """One of the site file's `command_sources`, which says how much it may claim."""
    authority: Literal[Authority.PROTECTION, Authority.DSO, Authority.OPERATOR]
    direction: Direction
    scope: Scope = "connection_point"
    power: Annotated[Watts, Field(ge=0)] | None = None
    percent: Percent | None = None
    """Of the rated power of the PV for feed-in, of `grid.import_limit` for consumption."""
    until: Instant | None = None
    """When it ends, or must have been said anew where the site file declares what is safe then. None: until it is said
    anew."""
    reason: str = Field(max_length=500)
    signature: Annotated[str, Field(pattern=SIGNATURE)] | None = None
    """As a command's."""

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.power is None) == (self.percent is None):
            raise ValueError("give either `power` in W or `percent`, not both and not neither")
        if self.until is not None and self.until <= self.at:
            raise ValueError("`until` must be later than `at`")
        return self


class HeldLimit(Message):
    """A limit that holds."""

    direction: Direction
    scope: Scope
    power: Watts
    authority: Authority
    source: str
    """Who said it: of `command_sources`, or the device whose point tells it; `site` for what was declared safe."""
    since: Instant
    until: Instant | None = None
    cause: Literal["asked", "signal", "lost", "safe", "unreadable"]
    """`lost`: its source has not said it anew, and the last one holds on. `safe`: what was declared safe holds.
    `unreadable`: what was kept on the disk cannot be read."""
    reason: str = ""
    """In words for people."""


class ControlLimits(Message):
    """How much the site may draw and feed in, and who limits it (retained). Bridges narrow by it, too."""

    at: Instant
    import_limit: Watts
    export_limit: Watts
    """At the connection point, the site file's included."""
    pv_limit: Watts | None = None
    """That PV may give."""
    draw_limit: Watts | None = None
    """That batteries may draw from the grid, beside what PV gives."""
    held: list[HeldLimit] = []
    """Beside the site file's, the narrowest first; of each direction and scope the first one holds."""
