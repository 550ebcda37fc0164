"""One battery on the desk of dispatch: whether it takes part, and what it is sent when it does not. Pure."""

from dataclasses import dataclass, field

from consumers.dispatch.battery_seen import BETWEEN, BatterySeen
from consumers.dispatch.held_back import HeldBack, Standing, hear, hear_standing
from consumers.dispatch.instruction import Instruction, action, rest
from consumers.dispatch.interlocked import Interlocked, named
from consumers.dispatch.kept import KeptBattery
from consumers.dispatch.lockout import Lockout, Seen
from consumers.dispatch.outcomes import SAID
from consumers.dispatch.resets import LOCKOUTS, Advice, Resets
from consumers.dispatch.starts import Attempts, Starts
from consumers.dispatch.stuck import Stuck
from optimizer.split import Room
from schemas.grid_modes import STOPPED
from schemas.messages import Action, Authority, Cause, ControlMode, ControlRequest, Mode, Outcome, OutcomeState
from schemas.profile import Profile
from schemas.register import Setpoint
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.state_words import in_words, locked_out

AT_LIMIT = 1.0
"""W: what is nearer to a limit is at it."""
TOLD = 60.0
"""Seconds what the bridge complains of stands in the detail."""

TICK, DAY = 2.0, 86_400.0
"""Seconds between two powers that a battery is told, and of a day."""


@dataclass(frozen=True)
class Aside:
    """Why a battery gets no share, and what it is sent instead."""

    why: str
    sent: Instruction | None = None
    locks: str = ""
    """It has tripped for good: why only a person may go on."""


@dataclass
class BatteryDesk:
    """What dispatch remembers of one battery."""

    site: Site
    battery: Unit
    seen: BatterySeen
    starts: Starts
    resets: Resets = field(default_factory=Resets)
    lockout: Lockout = field(default_factory=Lockout)
    out: ControlMode | None = None
    """Its own lockout, after a trip or a doubt of its own: only a named person ends it."""
    last: float | None = None
    """W, the setpoint sent last."""
    complaint: tuple[str, float] = ("", 0.0)
    """What the bridge says of our commands, and when it did."""
    interlocked: Interlocked = field(default_factory=Interlocked)
    held_back: HeldBack | None = None
    standing: Standing | None = None
    stuck: Stuck = field(default_factory=Stuck)
    why: str = ""
    """Why it takes no part; empty while it does."""
    unlatches: float = float("-inf")
    """Until then a named request for auto also resets an interlock that waits for a person."""

    @classmethod
    def of(cls, site: Site, battery: Unit, seen: BatterySeen) -> "BatteryDesk":
        return cls(site, battery, seen, Starts(battery.start))

    @property
    def pcs(self) -> str:
        return self.battery.pcs

    @property
    def profile(self) -> Profile:
        """Of its PCS."""
        return self.site.profiles[self.pcs]

    def can(self, what: Action) -> bool:
        return what.value in self.profile.actions

    @property
    def words(self) -> str:
        """Why it takes no part, with its own lockout; empty while it does."""
        if self.out is None:
            return self.why
        return locked_out(self.out.why, self.why, alone=True)

    # whether it takes part -----------------------------------------------------------------------

    def aside(self, mode: ControlMode, mono: float, serves: ControlRequest | None) -> Aside | None:
        """Why it gets no share while the site is steered; None when it does. `serves`: the request whose mode holds."""
        state = self.seen.state(mono)
        if self.seen.silent(mono):
            return Aside(f"{self.pcs} is silent; nothing is sent")
        if (reset := self.lockout.reset(state, mode)) is not None:
            return Aside(reset.wanted.reason, reset)
        if self.out is not None:
            sent, says = self.lockout.next(self.look(mono), mono, None)
            return Aside(says, sent)
        advice = self.resets.advise(state, mono, able=self.can(Action.RESET))
        if self.seen.at_panel(mono):
            return Aside(f"{self.pcs} is steered at its own panel; nothing is sent")
        return self._stands(state, advice, mode, mono, serves)

    def _stands(
        self, state: str, advice: Advice, mode: ControlMode, mono: float, serves: ControlRequest | None
    ) -> Aside | None:
        """A PCS that does not run: it is reset, started, or waited for."""
        if advice is Advice.RESET:
            reset = action(Action.RESET, "the PCS has tripped: its one automatic reset", Authority.SELF_CONSUMPTION)
            return Aside(reset.wanted.reason, reset)
        if state in STOPPED and self.can(Action.START):
            manual = mode.mode is Mode.MANUAL
            authority = Authority.OPERATOR if manual else Authority.SELF_CONSUMPTION
            # who asked for this mode learns whether it could be started
            return self._start(
                state, mode.mode, mono, action(Action.START, f"the PCS is {in_words(state)}", authority, serves)
            )
        if state == "fault" or state in BETWEEN:
            why = f"rests: the PCS is {in_words(state)}"
            return Aside(why, rest(why, Authority.SELF_CONSUMPTION), LOCKOUTS.get(advice, ""))
        return None

    def _start(self, state: str, mode: Mode, mono: float, start: Instruction) -> Aside:
        if not self.starts.may:
            unknown = "it was not we who stopped it (a person, its supply or an interlock)"
            stopped = self.interlocked.stopped
            who = f"stopped by {stopped}" if stopped else unknown
            again = "manual again" if mode is Mode.MANUAL else "auto"
            return Aside(f"{self.pcs} is {in_words(state)}, and {who}: start it at its panel, or ask for {again}")
        if not self.starts.attempts.due(mono):
            forbids = f": forbidden by {self.interlocked.no_start}" if self.interlocked.no_start else ""
            return Aside(f"waits for {self.pcs} to start (attempt {self.starts.attempts.count}){forbids}")
        return Aside("starts the PCS", start)

    def room(self, mono: float) -> Room:
        """What it may do, by its BMS and by what the bridge has let pass lately."""
        held = self.held_back
        return self.seen.room() if held is None or not held.holds(mono) else held.narrowed(self.seen.room())

    def limit(self, sought: float, power: float, mono: float) -> str:
        """What keeps its power from being more of what the site seeks; empty while nothing does."""
        room, seen = self.room(mono), self.seen.room()
        edge, free = (room.high, seen.high) if sought > 0 else (room.low, seen.low)
        if sought == 0 or abs(power - edge) > AT_LIMIT:
            return ""
        held = self.held_back
        return named(held.source) if held is not None and edge != free else self.seen.limiter(charging=sought < 0)

    @property
    def is_slow(self) -> bool:
        """Its register may be written less often than it is told a power: it wears, or a day is not enough."""
        commands = self.profile.commands
        return any(_is_slow(commands[point]) for point in ("p_set", "p_set_pct") if point in commands)

    def stands(self, mono: float) -> float | None:
        """W that it stays at until its register may be written again; None when it may."""
        return self.standing.power if self.standing is not None and self.standing.holds(mono) else None

    def look(self, mono: float) -> Seen:
        """What a lockout must know of it."""
        power = None if self.seen.silent(mono) else self.seen.power
        speaks = "state" in self.profile.points
        return Seen(self.seen.state(mono), power, self.seen.rated, speaks, self.can(Action.STOP))

    # what was said and done ----------------------------------------------------------------------

    def has_sent(self, instruction: Instruction, mono: float) -> None:
        """The broker has it: only now there was a stop, or a reset."""
        if instruction.action is Action.STOP:
            self.starts.stopped(mono)
        elif instruction.action is Action.RESET:
            self.resets.done(mono)
            self.starts.reset()
            self.lockout.undo = None

    def hear_limits(self, outcome: Outcome, mono: float) -> None:
        """What the bridge did not let pass, or the battery does not do, others can do."""
        if self.last is not None:
            self.stuck.hear(outcome, self.seen.power or 0.0, self.seen.rated, mono)
        self.held_back = hear(self.held_back, outcome, mono)
        self.standing = hear_standing(self.standing, outcome, mono) if self.is_slow else None

    def ran_out(self, outcome: Outcome, instruction: Instruction) -> bool:
        """A setpoint has ended because nothing more is told: the others go on with what was asked."""
        return outcome.state is OutcomeState.EXPIRED and instruction.action is None and self.last is None

    def is_settled(self, mode: ControlMode, mono: float) -> bool:
        """No answer is awaited of it: it is out, or it stands where all are to stop."""
        stands = self.seen.state(mono) in (*STOPPED, "fault")
        return stands if mode.mode is Mode.LOCKOUT else self.out is not None

    def complains(self, mono: float) -> str:
        """What the bridge said of our commands lately."""
        words, when = self.complaint
        return words if words and mono - when < TOLD else ""

    def asked(self, mode: ControlMode, mono: float) -> None:
        """A named person wants it to work; with auto he says that it is right now."""
        self.starts.asked(mode.who)
        self.unlatches = mono + TOLD if mode.mode is Mode.AUTO else float("-inf")

    def unlatch(self, outcome: Outcome, mode: ControlMode, mono: float) -> None:
        """An interlock holds what follows such a request: it is reset, once. The bridge knows whether its cause is
        gone; one that acts later was not seen by that person."""
        latched = outcome.cause == Cause.INTERLOCK and mono <= self.unlatches
        if latched:
            self.lockout.undo = mode.model_copy(update={"cause": Cause.INTERLOCK})
            self.starts.attempts = Attempts()
        if latched or SAID[outcome.state]:
            self.unlatches = float("-inf")

    def undo(self, ended: ControlMode | None) -> None:
        """A lockout of the site has been ended, or its own: what it was for is to be reset."""
        self.lockout.undo, self.out = self.out or ended, None
        self.complaint, self.held_back, self.stuck = ("", 0.0), None, Stuck()
        self.standing = None

    # from one run to the next --------------------------------------------------------------------

    def begin(self, kept: KeptBattery, mono: float, since: float) -> None:
        """Go on where the last run ended, `since` seconds ago."""
        self.lockout.undo, self.out = kept.to_reset, kept.out
        self.starts.why, self.starts.ran = kept.may_start, kept.ran
        self.starts.attempts = Attempts(kept.starts[0], mono + kept.starts[1])
        self.lockout.stops = Attempts(kept.stops[0], mono + kept.stops[1])
        if kept.reset is not None:
            self.resets.outcome, self.resets.tried = kept.reset[0], mono - kept.reset[1] - since

    def keep(self, mono: float) -> KeptBattery:
        """What the next run must know."""
        starts, stops, tried = self.starts.attempts, self.lockout.stops, self.resets.tried
        return KeptBattery(
            name=self.battery.name,
            to_reset=self.lockout.undo,
            out=self.out,
            may_start=self.starts.why,
            ran=self.starts.ran,
            starts=(starts.count, max(0.0, starts.next - mono)),
            stops=(stops.count, max(0.0, stops.next - mono)),
            reset=None if tried is None else (self.resets.outcome, max(0.0, mono - tried)),
        )


def _is_slow(register: Setpoint) -> bool:
    often = register.memory == "ram" and (register.interval or 0.0) <= TICK
    return not often or (register.per_day is not None and register.per_day < DAY / TICK)
