"""The tables of a site file: a device, the grid connection, a battery, a rule of the alarms, what is kept."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from schemas.address import LOOKS_LIKE, parse_address, spelled
from schemas.messages import AlarmPriority, Authority, Direction, Scope
from schemas.profile import LineTiming
from schemas.shape import Shape, refused
from schemas.site_reactive import Reactive
from schemas.units import Chemistry, Kind, Name, Number, Percent, RatedWatts, Seconds, VoltAmperes, WattHours, Watts

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

POLLS = 2.5
"""Cycles of a device that may pass without a reading: one is lost, the next one is late."""
UNSAID = 5.0
"""Seconds by which a meter may be late of which nobody says how late it is, and which was not measured yet."""
SUM = "grid"
"""The name of what stands for the meters of the grid connection where they are several."""

Lateness = Annotated[float, Field(ge=0, le=60, allow_inf_nan=False, json_schema_extra={"unit": "s"})]


class Device(Shape):
    """One addressable thing."""

    name: Name
    """Its name in topics, on pages and in this file."""
    profile: str
    """The register map: a file in `profiles/` beside this file, or a shipped one."""
    measures: Literal["load"] | None = None
    """What a meter beside the grid's measures: with `load` the device is a load, positive what it draws: named in the
    balance of the site, whose rest nobody measures. Left out, it is a sub-meter, such as a battery's or a PV's own:
    shown and archived, and part of no balance."""
    behind: Name | None = None
    """The load whose meter this load's stands behind: it is a part of that one, and counted once."""
    address: Annotated[str, AfterValidator(spelled), Field(json_schema_extra={"pattern": LOOKS_LIKE})]
    """`tcp://host:port`, `rtu+tcp://host:port` for a serial gateway that passes RTU frames through, or a serial line
    of this machine, `rtu:///dev/ttyUSB0?baud=9600&parity=N&stop=1`. Devices at the same host and port, or at the same
    device file, share one line, however it is spelled; its settings must then be the same."""
    unit: int = Field(default=1, ge=0, le=255)
    """Modbus unit identifier. One unit may be several devices, each with a profile of its own: a hybrid, or an inverter
    with its meters."""
    instance: Annotated[int, Field(ge=1, le=250)] | None = None
    """Which one, where the SunSpec models of a unit hold the profile's measuring model several times: 2 for the second,
    such as a SolarEdge's meter at the grid connection beside one of production. `joulebus scan` shows them."""
    line: LineTiming | None = None
    """What is given here takes the place of what the profile says, such as `{ timeout = 3 }`."""
    poll: Annotated[float, Field(ge=0.1, le=3600)] = 1.0
    """Seconds between two readings of the fast points."""
    rated_power: RatedWatts | None = None
    """W; a pcs and a pv need it. A load without it draws nothing in the simulator."""
    rated_apparent_power: VoltAmperes | None = None
    """VA; the rated power when left out."""
    substitute: dict[Name, Number] = {}
    """Values put in place of what the device reads, for a sensor that is broken until somebody repairs it, such as
    `{ t_cab = 25.0 }`. Published with the quality `substituted`: shown and archived, but no limit, alarm or plan is
    made from them."""

    delay: Lateness | None = None
    """Of the grid's meter: seconds by which its values are late, beside the poll, as its datasheet or that of a gateway
    says. No loop over it counts with less, whatever it measures itself, and it need not measure it first."""
    averaging: Lateness | None = None
    """Of the grid's meter: seconds over which its values are a mean. A step is seen in full only at the end of them,
    and so late such a meter counts, beside its `delay`."""
    _members: tuple[str, ...] = PrivateAttr(default=())

    @property
    def members(self) -> tuple[str, ...]:
        """The meters it is the sum of; none for a device with an address."""
        return self._members

    @property
    def late(self) -> float | None:
        """Seconds after which what it shows has followed in full, as the site file says; None where it does not."""
        if self.delay is None and self.averaging is None:
            return None
        return (self.delay or 0.0) + (self.averaging or 0.0)

    @property
    def kin(self) -> tuple[str, float | None, str, str | None]:
        """The same for all whose profile comes to the same."""
        line = "" if self.line is None else repr(self.line.model_dump(exclude_unset=True))
        return self.profile, self.rated_power, line, self.measures

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port; the device file and 0 for a serial line."""
        where = parse_address(self.address)
        return where.host, where.port

    def stale_after(self, least: float) -> float:
        """Seconds after which its last reading says nothing of now: `least`, or 2.5 cycles of a device read seldom."""
        return max(least, POLLS * self.poll)


def listed(given: object) -> object:
    """One name may stand without brackets."""
    return [given] if isinstance(given, str) else given


Names = Annotated[
    list[Name], BeforeValidator(listed, json_schema_input_type=Name | Annotated[list[Name], Field(min_length=1)])
]
"""One device, or several."""


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


class BatteryParts(Shape):
    """What a battery is made of."""

    name: Name = "battery"
    """What it is called on pages and in words; several need names of their own."""
    pcs: Annotated[Names, Field(min_length=1)]
    """The device that converts, or `["a", "b"]` for several on one DC side: each gets its part of what the cells allow,
    by its rated power."""
    bms: Names = []
    """The device that watches the cells, or several for racks in parallel; what they allow is never exceeded. Left out
    for a hybrid, whose PCS tells the SoC and the limits of its cells itself."""


class TaperPoint(Shape):
    """What the cells take and give at a SoC, straight to the next point and level beyond the last."""

    soc: Percent
    """Of all these cells hold."""
    charge: Percent = 100.0
    """% of the rated power that they take."""
    discharge: Percent = 100.0
    """% of the rated power that they give."""

    @model_validator(mode="after")
    def _no_part_of_one(self) -> Self:
        for key, value in (("charge", self.charge), ("discharge", self.discharge)):
            if 0 < value < 1:
                raise ValueError(
                    f"{key} = {value:g} is in %: for {100 * value:g} % of the rated power write {100 * value:g}"
                )
        return self


class Terms(Shape):
    """What the owner allows of a battery."""

    energy: WattHours = Field(gt=0)
    """Usable energy between 0 and 100 % SoC."""
    chemistry: Annotated[Chemistry | None, Field(strict=False)] = None
    """Of the cells: it decides which of the shipped limits of cell voltage and temperature hold
    ([interlocks](interlocks.md)). Without it the cells are guarded by the BMS alone."""
    soc_min: Percent = 10.0
    """The plan stays above."""
    soc_max: Percent = 90.0
    """The plan stays below."""
    efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    """Of each direction, AC to cell and cell to AC."""
    wear: Annotated[float, Field(ge=0)] = 0.02
    """Per kWh discharged, in the tariff's currency."""
    ramp: Annotated[float, Field(gt=0)] = 20_000.0
    """W/s the setpoint may move at most."""
    dead_time: Seconds = Field(default=5.0, ge=0, le=60)
    """Seconds from a write of the setpoint until the battery's power, as its PCS shows it, follows; measured by
    `joulebus commission`. Loops over the meter reckon with it until they have measured it themselves."""
    fallback: Watts = 0.0
    """Power when no valid command is left."""
    charge_limit: Positive | None = None
    """W at the cells that may be charged at most, whatever more they allow. A hybrid whose map tells no limits needs
    it."""
    discharge_limit: Positive | None = None
    """The same of discharging."""
    taper: list[TaperPoint] = []
    """How the power falls towards full and towards empty, by rising SoC, such as
    `[{ soc = 90 }, { soc = 100, charge = 10 }]`: the plan then counts on no more. What the BMS allows at the moment
    holds beside it."""
    ccl_stale_after: Positive = 5.0
    """Seconds after which BMS data counts as missing: its limits are then 0. Never less than 2.5 polls of the BMS."""
    on_stop: Literal["fallback", "hold"] = "fallback"
    """What a bridge that ends in good order leaves behind: the fallback, or the last setpoint, as long as the device's
    own watchdog is armed."""
    start: Literal["ours", "always"] = "ours"
    """Which stopped PCS dispatch starts by itself: only one that joulebus has stopped, or that a person asks for by
    `auto` or `manual`; or `always`, also one that somebody stopped at its panel or that comes back from a power cut."""


class Battery(Terms, BatteryParts):
    """One or several PCS with the cells behind them, and what the owner allows. `[[battery]]` for each; a single one
    may be written `[battery]`, and a site without any only watches."""

    @property
    def racks(self) -> list[str]:
        """The devices that speak for its cells: each BMS, or the PCS of a hybrid."""
        return self.bms or self.pcs


class Unit(Terms):
    """One PCS with the battery behind it: what is steered. Energy, ramp and fallback are its part of the battery's, by
    its rated power."""

    name: Name
    """That of its battery; of several PCS each has its own behind it."""
    of: Name
    """The name of its battery."""
    pcs: Name
    racks: list[Name]
    """The devices that speak for the cells."""
    beside: list[Name] = []
    """The other PCS of the same battery."""


class AlarmRule(Shape):
    """When a point is wrong. One of above, below, equals, contains or silent."""

    name: Name
    """The alarm is then called `<name>-<device>`; of two that would be called the same, each hyphen of the longer
    rule is doubled. A shipped rule of this name is replaced."""
    device: Name | None = None
    """The rule holds for this device..."""
    kind: Annotated[Kind | None, Field(strict=False)] = None
    """...or for every device of this kind."""
    point: Name = "p"
    """What is judged, as the profile calls it."""
    above: Number | None = None
    """More than this is wrong."""
    below: Number | None = None
    """Less than this is wrong."""
    equals: str | None = None
    """The name of a state that is wrong."""
    contains: str | None = None
    """A name in a list of flags; `*` for any."""
    silent: Seconds | None = None
    """No telemetry for so long, or for 2.5 polls of the device where that is longer."""
    clear: Number | None = None
    """Where it returns to normal, on the safe side of the limit (deadband)."""
    hold: Seconds = 0.0
    """On-delay: so long it must be wrong before the alarm is raised."""
    off: Seconds = 0.0
    """Off-delay: so long it must be right before the alarm returns to normal."""
    priority: Annotated[AlarmPriority, Field(strict=False)] = AlarmPriority.MEDIUM
    latched: bool = False
    """It stays until an operator resets it, and cannot be shelved."""
    text: str = ""
    """What the operator reads: what it means and what to do."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [c for c in ("above", "below", "equals", "contains", "silent") if getattr(self, c) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of above, below, equals, contains, silent; given: {given or 'none'}")
        if (self.device is None) == (self.kind is None):
            raise ValueError("give either `device` or `kind`")
        if self.clear is not None and (
            (self.above is not None and self.clear > self.above) or (self.below is not None and self.clear < self.below)
        ):
            raise ValueError("`clear` lies on the wrong side of the limit: the alarm would never return to normal")
        return self


class Retention(Shape):
    """How long the archive keeps what; 0 for ever. What is older is forgotten within a day."""

    raw_days: int = Field(default=90, ge=0, le=36_500)
    """Days of telemetry at the resolution it was measured in."""
    minute_days: int = Field(default=400, ge=0, le=36_500)
    """Days of means per minute."""
    years: int = Field(default=10, ge=0, le=100)
    """Years of quarter-hours, hours, energies, money, gaps, and one plan an hour."""
    action_days: int = Field(default=400, ge=0, le=36_500)
    """Days of commands, their outcomes and the journal that proves them."""
    plan_days: int = Field(default=30, ge=0, le=36_500)
    """Days of every plan; of each hour before these the first is kept for `years`."""
    event_years: int | None = Field(default=None, ge=0, le=100)
    """Years of alarms, of what was said of a device, of modes and requests; `years` when left out."""
    doubt_days: int = Field(default=90, ge=0, le=36_500)
    """Days of what could not be stored where it belongs: samples with an impossible time, messages nobody can read."""
