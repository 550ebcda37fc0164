"""The grid connection of a site file, and what devices say of its limits."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.messages import Authority, Direction, Scope
from schemas.shape import Shape, refused
from schemas.site_device import Names
from schemas.site_reactive import Reactive
from schemas.units import Name, Number, Percent, Seconds, Watts

SUM = "grid"
"""The name of what stands for the meters of the grid connection where they are several."""


class GridSignal(Shape):
    """What a point of a device says of the limits at the grid connection: a contact of an FNN control box or of a
    ripple-control receiver at a digital input, or a register. One of `equals`, `contains`, `lacks`, `above` or `below`
    says when it holds, and `power` or `percent` how much may flow then; or `value` says that the point itself is the
    limit. Those of one authority, direction and scope are one signal, all in W or all in % (0 and 100 % beside both):
    of those that hold the narrowest does, and where none holds, or the device is silent, the signal is not known. So a
    contact that is open while nothing is limited takes two: `contains` with the limit, `lacks` with `percent = 100`."""

    device: Name
    """Whose point it is, such as a box of digital inputs."""
    point: Name
    """As the device's profile calls it."""
    equals: str | Number | None = None
    """It holds while the point is in this state, or has this value."""
    contains: str | None = None
    """It holds while the point lists this flag."""
    lacks: str | None = None
    """It holds while the point is known and does not list this flag: the contact is open."""
    above: Number | None = None
    """It holds while the point is above this."""
    below: Number | None = None
    """It holds while the point is below this."""
    value: Literal["power", "percent"] | None = None
    """The point itself is the limit, in W or %."""
    authority: Annotated[Authority, Field(strict=False)] = Authority.DSO
    """protection, dso or operator."""
    direction: Direction
    """What is limited at the connection point: feed_in or consumption."""
    scope: Scope = "connection_point"
    """All that flows there; or `steerable`: what PV gives, or what batteries draw from the grid."""
    power: Annotated[Watts, Field(ge=0)] | None = None
    """How much may flow while it holds."""
    percent: Percent | None = None
    """The same: of the rated power of the PV for feed-in, of `import_limit` for consumption; 100 for no limit."""

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        ways = ("equals", "contains", "lacks", "above", "below", "value")
        when = [name for name in ways if getattr(self, name) is not None]
        if len(when) != 1:
            raise ValueError(f"give exactly one of {', '.join(ways)}; given: {', '.join(when) or 'none'}")
        if self.value is None and (self.power is None) == (self.percent is None):
            raise ValueError("give either `power` in W or `percent`")
        if self.value is not None and (self.power is not None or self.percent is not None):
            raise ValueError("the point itself is the limit: leave out `power` and `percent`")
        if self.authority not in (Authority.PROTECTION, Authority.DSO, Authority.OPERATOR):
            raise ValueError("a limit is set by protection, dso or operator")
        return self


class Grid(Shape):
    """The grid connection point."""

    model_config = ConfigDict(serialize_by_alias=True)  # what is written down can be read again

    meters: Names = Field(alias="meter", min_length=1)
    """The device that measures the power at the connection point, or `["north", "south"]` for several that measure a
    part of it each, such as two transformers: their powers and their counters add up. The sum is a device named `grid`
    on the page, in topics and in rules; it is known while each of them is."""
    import_limit: Watts = Field(gt=0)
    """The most the site may draw."""
    export_limit: Watts = Field(ge=0)
    """The most it may feed in; 0 for nothing."""
    curtail: bool = True
    """Whether PV that can be limited (`p_limit_pct`) is curtailed when more would be fed in than may be, or when
    feed-in costs money. The batteries take first."""
    pv_fallback: Percent | None = None
    """% of its rated power that such an inverter may give while nobody steers it. When not given: as much as the site
    may feed in without any load; 0 where `export_limit` is 0. A limit of the PV itself is never exceeded by it."""
    dso_limit: Percent | None = None
    """% of the rated power of each device that holds until somebody with the authority `dso` has sent it a
    `p_limit_pct` of its own, and `dso_hold` after the last one. Only for that: limits of `control/grid_limit` and of
    `signal` do not end it, and have `safe_feed_in` and `safe_consumption`."""
    dso_hold: Seconds = 900.0
    """How long the last limit goes on after its signal was lost; then `dso_limit`, or the safe one, holds. A
    protection's last limit is never widened to it."""
    safe_feed_in: Percent | None = None
    """% of the rated power of the PV that may be fed in while the signal for it is not known. Give it where somebody
    limits feed-in; it holds before the first word, too."""
    safe_consumption: Annotated[Watts, Field(ge=0)] | None = None
    """W that may be drawn while the signal for it is not known."""
    signal: list[GridSignal] = []
    """Limits that points of devices tell."""
    reactive: Reactive | None = None
    """The reactive power the network operator wants; left out, none is told and each inverter does as it was set up."""

    @property
    def meter(self) -> str:
        """The name of the device that shows the power at the connection point: the meter, or what stands for all."""
        return self.meters[0] if len(self.meters) == 1 else SUM

    @model_validator(mode="after")
    def _each_meter_once(self) -> Self:
        if twice := sorted({name for name in self.meters if self.meters.count(name) > 1}):
            raise refused([(("meter",), f"{', '.join(twice)} is named twice: its power would count twice")])
        return self

    @model_validator(mode="after")
    def _safe_is_known(self) -> Self:
        told = {one.direction for one in self.signal}
        safe = {"feed_in": self.safe_feed_in, "consumption": self.safe_consumption}
        for direction in sorted(told):
            if safe[direction] is None:
                raise ValueError(f"a signal for {direction} can be lost: give `safe_{direction}`, what holds then")
        return self

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        """Of W and % nobody knows here which is narrower; 0 and 100 % are what they are in any unit."""
        units: dict[tuple[str, str, str], set[str]] = {}
        for one in self.signal:
            unit = one.value or ("power" if one.power is not None else "percent")
            if one.percent not in (0.0, 100.0):
                units.setdefault((one.authority, one.direction, one.scope), set()).add(unit)
        for (authority, direction, _), found in units.items():
            if len(found) > 1:
                raise ValueError(f"what {authority} says of {direction} is one signal: give all in W or all in %")
        return self
