"""Every payload that travels over the broker.

What devices and services report tolerates unknown keys, so that a newer bridge can talk to an older
consumer. What asks for something to be done forbids them: an order half understood is an order refused.
"""

import itertools
import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from schemas.units import (
    CURRENCY,
    WHOLE,
    Count,
    Instant,
    Kind,
    Name,
    Number,
    Percent,
    Quality,
    Seconds,
    Vars,
    WattHours,
    Watts,
)

Value = Number | str | list[str]
"""A point's value: a number, a state's name, or the names of the bits that are set."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=64)]

Epoch = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Names one outbox file for ever: 64 random bits drawn when the file is made."""

Seq = Annotated[int, Field(ge=1, le=WHOLE)]
"""Counts what one outbox gave a device."""


class Message(BaseModel):
    """Something that is said about the site."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", ser_json_inf_nan="constants", use_attribute_docstrings=True
    )


class Order(BaseModel):
    """Something that is wanted of the site: unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", ser_json_inf_nan="constants", use_attribute_docstrings=True
    )


class Cause(StrEnum):
    """Why something was refused, limited or is in trouble: what programs read. The reason beside it is for people.

    On the wire any name may come: a newer bridge knows more causes than an older reader.
    """

    # a command or a request is not followed
    INVALID = "invalid"  # it cannot be read, or says something that cannot be
    READ_ONLY = "read_only"
    RETAINED = "retained"
    EXPIRED = "expired"
    CLOCK_SKEW = "clock_skew"  # two clocks differ by more than any delay explains
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    BEFORE_START = "before_start"
    QUEUE_FULL = "queue_full"
    FOREIGN_SOURCE = "foreign_source"
    SIGNATURE = "signature"
    AUTHORITY = "authority"  # somebody stronger holds it, or the source may not claim so much
    UNKNOWN = "unknown"  # there is no such point, action, device or alarm
    OUT_OF_RANGE = "out_of_range"
    WRONG_STATE = "wrong_state"  # not in this state of the device, the mode or the alarm
    LOCAL = "local"  # it is steered at its own panel
    INTERLOCK = "interlock"
    WRITE_BUDGET = "write_budget"
    NEWER_COMMAND = "newer_command"
    NO_COMMAND = "no_command"  # no valid command is left: the device goes to its fallback
    STOPPING = "stopping"  # the bridge ends in good order

    # between the bridge and a device
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    MISSING_POINTS = "missing_points"
    DOUBTED_VALUES = "doubted_values"
    CRITICAL_POINT = "critical_point"  # what the guard needs is absent or doubted
    FROZEN = "frozen"
    NOT_HELD = "not_held"  # the register reads back something else
    WORN = "worn"  # a register that wears was written too often: it rests at 0 until its budget allows more
    FOREIGN_WRITE = "foreign_write"
    NOT_OBEYED = "not_obeyed"  # the measured power does not follow
    REVERSED = "reversed"  # it flows in the other direction
    TRIPPED = "tripped"  # the PCS is in fault
    WATCHDOG = "watchdog"  # the device's own is not armed
    METER_POLARITY = "meter_polarity"  # the meter does not show the battery's steps as it should
    SWINGING = "swinging"  # the closed loop swings at constant load
    BMS_MISSING = "bms_missing"
    METER_MISSING = "meter_missing"

    # a part of joulebus
    CLOCK_STEP = "clock_step"
    CLOCK_QUARANTINE = "clock_quarantine"  # the archive keeps samples aside whose time cannot be right
    OUTBOX = "outbox"
    SECOND_INSTANCE = "second_instance"
    NOT_ARCHIVED = "not_archived"
    UPKEEP = "upkeep"  # the archive stores, but its rollups, gaps or retention do not come to an end
    TARIFF = "tariff"  # it cannot be read: nothing is planned, and no peak is kept down
    NO_PLAN = "no_plan"  # none is valid, and none comes: the batteries go by self-consumption
    PRICES = "prices"  # some are missing: borrowed from other days, or the outermost of the tariff
    LIMIT_NOT_HELD = "limit_not_held"  # the grid meter stands beyond a limit of the connection point
    BALANCE_IMPLAUSIBLE = "balance_implausible"  # the loads that are measured draw more than comes into the site
    BROKER_REFUSES = "broker_refuses"


# --- devices -----------------------------------------------------------------------------------


class PointMeta(Message):
    """What a subscriber should know of a point before its first value."""

    unit: str = ""
    low: Number | None = None
    high: Number | None = None


class Meta(Message):
    """A device introduces itself (retained)."""

    kind: Kind
    make: str
    model: str
    profile: str
    ratings: dict[str, Number] = {}
    points: dict[Name, PointMeta]
    commands: list[Name] = []
    actions: list[Name] = []


class DeviceState(StrEnum):
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class DeviceStatus(Message):
    """Whether the bridge can talk to a device, and if not, why (retained)."""

    at: Instant
    state: DeviceState
    causes: list[Name] = []
    """What is wrong, in the words of `Cause`; the most important first."""
    reason: str = ""
    """The same in words for people."""
    dropped: list[tuple[Instant, Instant]] = []
    """The hours of which the bridge's outbox gave up samples, past its cap: the beginnings of the first and the last
    of each stretch."""


class Telemetry(Message):
    """The points of one device at one instant. A point that was not read is absent, never 0."""

    at: Instant
    epoch: Epoch
    seq: Seq
    historical: bool = False
    """Sent late, out of the outbox: the archive wants it, alarms and dispatch do not."""
    values: dict[Name, Value]
    quality: dict[Name, Quality] = {}
    """Only the points whose quality is not good."""

    def good(self, point: str) -> Value | None:
        """The value of a point if it can be believed."""
        return None if point in self.quality else self.values.get(point)

    def number(self, point: str) -> float | None:
        """The value of a point if it can be believed and is a number."""
        value = self.good(point)
        return value if isinstance(value, float) else None


class Archived(Message):
    """The samples of a device that are committed in the archive: its bridge may forget exactly these."""

    epoch: Epoch
    ranges: list[tuple[Seq, Seq]]
    """First and last sequence number, both included."""


# --- commands ----------------------------------------------------------------------------------


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
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
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


# --- plan --------------------------------------------------------------------------------------


class Why(Message):
    """One reason for what the battery does, for programs; the words for people are made from it."""

    code: Name
    """One of [these](#reasons); a newer planner may know more."""
    value: Number | None = None
    """What is held, charged for or passed: W of a peak, a load or an excess; % of a SoC; or a price per kWh, that of
    another hour or what the energy is worth."""
    limit: Number | None = None
    """Where it ends: W, % of a SoC, s, or the price per kWh from which it pays."""
    price: Number | None = None
    """Per kW of a peak, else per kWh: now, or what a further kWh is worth."""
    at: Instant | None = None
    """When that is: the beginning of the peak's window, the dear hour."""
    of: str = ""
    """The name of the demand, or who said the limit."""
    per: str = ""
    """month or year, of a peak."""

    @model_serializer(mode="wrap")
    def _what_is_known(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value not in (None, "")}


class Step(Message):
    """One interval of a plan. Powers are means over the interval, SoC and energy stand at its end."""

    at: Instant
    seconds: Seconds = Field(gt=0, le=86_400)
    power: Watts
    """Of the battery, positive discharging."""
    soc: Percent
    grid: Watts
    """Positive importing."""
    load: Watts
    pv: Watts
    price_import: Number
    """Per kWh, in the plan's currency."""
    price_export: Number
    marginal_value: Number
    """What one more stored kWh would be worth at the end of this step, in the plan's currency."""
    cap: Watts | None = None
    """The highest mean import of a billing window that is meant to be let pass in this step, whatever the load turns
    out to be; None where nothing is billed by the kW."""
    policy: list[tuple[Watts, Watts]] = []
    """What the battery is to give for what the load less PV turns out to be: pairs of net load and power, by rising net
    load, straight between two of them and level beyond the first and the last. In the steps until `until` only."""
    reason: str
    why: list[Why] = []
    """The same for programs: the binding constraints with their marginal values, the most important first."""

    @field_validator("policy")
    @classmethod
    def _answers_each_net_load(cls, policy: list[tuple[float, float]]) -> list[tuple[float, float]]:
        if len(policy) == 1:
            raise ValueError("one pair says nothing of another net load: give two or more, or none")
        for (before, _), (after, _) in itertools.pairwise(policy):
            if after < before:
                raise ValueError(f"the net loads must rise: {after:g} W stands behind {before:g} W")
        return policy


class LoadStep(Message):
    """What a flexible load is meant to draw for a while."""

    at: Instant
    seconds: Seconds = Field(gt=0, le=86_400)
    power: Watts
    """Positive what it draws; 0 is off."""


class Plan(Message):
    """What the batteries are to do, made at `at` and valid until `until` (retained): a power for each step, if load and
    PV come as they are forecast, and for the steps until `until` what to give if they do not (`policy`)."""

    id: str
    at: Instant
    until: Instant
    currency: str
    steps: list[Step]
    peak: Watts | None = None
    """The highest mean import of a billing interval the plan means to reach in this month or year; of several demands,
    that of the first."""
    peaks: dict[str, Watts] = {}
    """The same of each demand of the tariff, by its name."""
    cost: Number
    cost_idle: Number
    """The same hours with a battery that rests."""
    carbon: Number = 0.0
    """What the CO2 of these hours costs where it has a price: weighed beside `cost`, and no part of it."""
    carbon_idle: Number = 0.0
    """The same with a battery that rests."""
    reserves: dict[Name, Number] = {}
    """What each reserve costs a day, by its name: the hours with all of them against those without this one."""
    inputs: dict[str, Seconds] = {}
    """Age of what the plan was made from."""
    limits: list[str] = []
    """The limits it was made for beside the site file's, each until its end, in words for people."""
    shortage: list[str] = []
    """Which limits of the grid connection and which reserves it cannot keep, when and by how much, in words for
    people."""
    loads: dict[Name, list[LoadStep]] = {}
    """What each flexible load is told, by its device; it is part of `load` in the steps."""
    missed: list[str] = []
    """Which bands and deadlines of flexible loads it cannot keep, in words for people."""


# --- alarms (IEC 62682 / ISA-18.2) ---------------------------------------------------------------


class AlarmPriority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlarmState(StrEnum):
    """The alarm states of IEC 62682, chapter 4: names in words, abbreviations in the comments."""

    NORMAL = "normal"  # NORM
    UNACKNOWLEDGED = "unacknowledged"  # UNACK
    ACKNOWLEDGED = "acknowledged"  # ACKED
    RETURNED = "returned"  # RTNUN: returned to normal, unacknowledged
    LATCHED = "latched"  # returned to normal, acknowledged, waits for a reset
    SHELVED = "shelved"  # SHLVD
    SUPPRESSED = "suppressed"  # DSUPR: suppressed by design


class Alarm(Message):
    """The state of one alarm (retained while it is not normal)."""

    at: Instant
    state: AlarmState
    priority: AlarmPriority
    device: Name
    point: Name
    text: str
    """What the operator reads: what is wrong and what it means."""
    battery: Name | None = None
    """Which one it is about, where the site has several; the text says so, too."""
    action: Action | None = None
    """The start, stop, reset or grid mode that was refused or not followed."""
    reason: str = ""
    """What the device's bridge says of it, in words for people; it stands in the text, too."""
    value: Number | str | None = None
    limit: Number | str | None = None
    silent: bool = False
    """The device does not speak: value and limit are the age of its telemetry in s, whatever the point."""
    latched: bool = False
    """It stays until it is reset, and cannot be shelved."""
    since: Instant
    first_out: bool = False
    """This alarm was the first of its flood."""
    shelved_until: Instant | None = None
    by: str = ""
    """Who acknowledged, shelved or reset it."""
    why: str = ""
    """What they said about it."""


class RequestOutcome(Message):
    """What became of what a person asked for, said where it was asked."""

    id: str
    """The request's; `unknown` when it had none or could not be read."""
    at: Instant
    followed: bool
    who: str = ""
    wish: str = ""
    """What was asked for: a mode, an action."""
    cause: Name | None = None
    """Why not, in the words of `Cause`."""
    reason: str = ""
    """The same in words for people."""


class AlarmRequest(Order):
    """An operator's answer to an alarm."""

    id: Id | None = None
    """Its outcome bears it."""
    at: Instant
    action: Literal["ack", "shelve", "unshelve", "reset"]
    who: Annotated[str, Field(min_length=1, max_length=64)]
    why: Annotated[str, Field(max_length=500)] = ""
    until: Instant | None = None

    @model_validator(mode="after")
    def _shelving_ends(self) -> Self:
        if (self.action == "shelve") != (self.until is not None):
            raise ValueError("`until` goes with `shelve`, and `shelve` needs it: no alarm is shelved for ever")
        return self


# --- control -----------------------------------------------------------------------------------


class Mode(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"
    LOCAL = "local"
    LOCKOUT = "lockout"


class ControlMode(Message):
    """Who steers the battery now (retained). Of several batteries one may be locked out alone while the mode holds for
    the others: `out` names it, and a named request for auto takes it back."""

    at: Instant
    mode: Mode
    who: str
    why: str = ""
    cause: Name | None = None
    """Why dispatch itself chose the mode, in the words of `Cause`."""
    power: Watts | None = None
    """The wanted power in manual mode."""
    until: Instant | None = None
    """When the lease ends and the mode returns to auto."""
    out: dict[Name, str] = {}
    """Each battery that is locked out alone, and why; also one that the site file no longer has."""
    out_causes: dict[Name, Name] = {}
    """What each is out for, in the words of `Cause`: it is reset when the lockout ends."""


class BatteryDispatch(Message):
    """What one battery does now, and why."""

    takes_part: bool
    """It gives or takes its share of the site's power."""
    power: Watts | None = None
    """What it is told; None while it is told no power: nothing at all, or an action."""
    reactive_power: Vars | None = None
    """var it is told beside it, positive fed in; None where the site has no rule or its inverter takes none."""
    action: Action | None = None
    """What it is told instead of a power."""
    reason: str
    """Why it does this, or why it takes no part, in words for people."""
    locked_out: str = ""
    """Why it alone is locked out, as `out` of the mode says it; a named request for auto takes it back."""
    complaint: str = ""
    """What the bridge has objected to within the last minute, until it takes a command again, in words for people; its
    outcomes have the cause."""


class LoadState(Message):
    """What one flexible load really did, as dispatch has counted it: what it is planned from."""

    on: bool
    since: Instant
    """When it was switched on or off last, to the second."""
    starts: list[Instant] = []
    """Those of the last hour."""
    value: Number | None = None
    """The point of its comfort band; None while it is not read."""
    taken: WattHours = 0.0
    """Since its last deadline."""


class LoadDispatch(Message):
    """What one flexible load is told, and why."""

    state: LoadState | None = None
    """What it does; None while it is not read."""

    power: Watts | None = None
    """It is told to draw; None while it is told nothing."""
    reason: str
    """In words for people."""
    complaint: str = ""
    """Why it does not do as it is told; empty while it does."""


class ControlDispatch(Message):
    """What dispatch does now, and why: of the site and of each battery (retained). Said when it changes and at least
    each 5 s; the broker keeps it for 10 s, as long as a command lives. One whose `at` is more than 12 s ago is no
    longer true."""

    at: Instant
    mode: Mode
    read_only: bool = False
    """The site file allows nothing to be written: this is what would be told, and nothing is."""
    power: Watts | None = None
    """Wanted of all the batteries that take part; None while none does."""
    authority: Authority | None = None
    """On whose behalf; None without a power."""
    action: Action | None = None
    """A grid mode that a person asked for and that is told now."""
    reason: str
    """In words for people."""
    why: list[Why] = []
    """For programs: that of the plan's step, while `authority` is `plan`. What dispatch makes of the step (the load as
    it came, a limit, a rule, a silent meter) stands in `reason` alone."""
    batteries: dict[Name, BatteryDispatch]
    """By their names in the site file."""
    pv: dict[Name, Percent] = {}
    """% of its rated power that each PV inverter is told it may give."""
    curtailed: str = ""
    """Why PV is curtailed, in words for people; empty while it is not."""
    pv_reactive: dict[Name, Vars] = {}
    """var that each PV inverter is told to give, of those that take part."""
    rules: dict[Name, str] = {}
    """The state of each rule of the site, in words: why it holds and what it proposes, or what is not known."""
    loads: dict[Name, LoadDispatch] = {}
    """What each flexible load is told, by its device."""


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
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """As a command's."""

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.power is None) == (self.percent is None):
            raise ValueError("give either `power` in W or `percent`, not both and not neither")
        if self.until is not None and self.until <= self.at:
            raise ValueError("`until` must be later than `at`")
        return self


class PriceBlock(Order):
    """Prices one after the other, each as long as the others."""

    start: Instant
    """When the first begins: on a quarter of an hour."""
    minutes: Literal[15, 30, 60]
    per_mwh: Annotated[list[Number], Field(min_length=1, max_length=1000)]
    """In the currency of the message, per MWh, as the market publishes them."""

    @model_validator(mode="after")
    def _on_a_quarter(self) -> Self:
        if self.start.timestamp() % 900:
            raise ValueError("`start` lies on a quarter of an hour")
        return self

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes * len(self.per_mwh))


Blocks = Annotated[list[PriceBlock], Field(min_length=1, max_length=100)]


class MarketPrices(Order):
    """Market prices of the next hours (retained). They hold before those of files and of the fetcher, where the tariff
    says `topic = true`; each message replaces those before, for the time of which it says something. The broker keeps
    the last one: say all that is known from today's midnight on, each time."""

    id: Id
    at: Instant
    """When they were said."""
    until: Instant | None = None
    """From then on they are no longer used. None: as long as there are any."""
    currency: Annotated[str, Field(pattern=CURRENCY)]
    prices: Blocks
    export: Blocks | None = None
    """Where fed-in energy has other prices; None: the same."""
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """As a command's, with the key `JOULEBUS_PRICE_KEY`."""

    @model_validator(mode="after")
    def _one_price_at_a_time(self) -> Self:
        for blocks in (self.prices, self.export or []):
            found = sorted(blocks, key=lambda one: one.start)
            for one, two in itertools.pairwise(found):
                if two.start < one.end:
                    raise ValueError(f"two prices hold at {two.start:%Y-%m-%d %H:%M}Z: say one of them")
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


# --- services ----------------------------------------------------------------------------------


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


def _finite(payload: dict[str, Any]) -> dict[str, Any]:
    json.dumps(payload, allow_nan=False)  # raises ValueError: JSON has no NaN, and no database keeps one
    return payload


class Event(Message):
    """Something a service said, sent to the archive until that has committed it. Nobody else reads it: what is sent
    again is never obeyed again."""

    at: Instant
    """When it was said."""
    epoch: Epoch
    seq: Seq
    topic: Annotated[str, Field(max_length=512)]
    """Where it was said."""
    payload: Annotated[dict[str, Any], AfterValidator(_finite)]
