"""Who steers, and what dispatch does now."""

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from schemas.messages.command import Action, Authority
from schemas.messages.message import Message
from schemas.messages.why import Why
from schemas.units import Instant, Name, Number, Percent, Vars, WattHours, Watts


class Mode(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"
    LOCAL = "local"
    LOCKOUT = "lockout"


class PlanUse(StrEnum):
    """By what the batteries go in auto."""

    FOLLOWED = "followed"  # a plan that is young
    LAST = "last"  # the last good one goes on, as none has come after it
    FALLBACK = "fallback"  # none is valid: the batteries serve the site by a rule that knows the billed peak


class PlanHeld(Message):
    """Whether a plan is followed in auto."""

    use: PlanUse
    since: Instant
    made: Instant | None = None
    """When the last plan was made, while it goes on or is over; None while a young one is followed, or none was ever
    heard."""
    why: str = ""
    """Why no young one is followed, in words for people; why none is made says optimize in its status."""


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
    plan: PlanHeld | None = None
    """By what the batteries go in auto; None in the other modes, without a battery, and where dispatch is older."""


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
    why: list[Why] = []
    """Why it is told this power, for programs, the binding reason first; empty while it is told none."""
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
    pace: Watts | None = None
    """It was measured to draw lately when it was fully on; None while that is not known."""


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
    """For programs: why it is this power now, the binding reason first, as in the `why` of each command."""
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
    rules_hold: dict[Name, Instant | None] = {}
    """The rules that hold now and have an end of their own, each with it."""
    rules_endless: list[Name] = []
    """The rules that hold now and end with their conditions."""
    loads: dict[Name, LoadDispatch] = {}
    """What each flexible load is told, by its device."""

    @model_validator(mode="after")
    def _endless_rules(self) -> Self:
        """An older dispatch says `null` for the end of a rule that has none."""
        if None in self.rules_hold.values():
            endless = [name for name, end in self.rules_hold.items() if end is None]
            ending = {name: end for name, end in self.rules_hold.items() if end is not None}
            vars(self).update(rules_hold=ending, rules_endless=[*self.rules_endless, *endless])  # it is frozen
        return self
