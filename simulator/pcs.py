"""A PCS: how it goes through its states, follows a setpoint, what it loses, and its own watchdog. Pure."""

from collections import deque
from dataclasses import dataclass, field
from math import copysign, inf, sqrt

from simulator.states import INSTANT, NEXT, POWERED, Order, State, Times

IDLE, LINEAR, SQUARE = 0.003, 0.010, 0.012
"""Losses per unit of the rated power: fans and control, semiconductors, copper. 97.5 % at full power."""
DC_WINDOW = (600.0, 900.0)
"""V at its DC side within which it runs."""
DC_PATIENCE = 10.0
"""Seconds it waits for a DC voltage to charge its link from, before it gives up."""
NOTHING = 0.005
"""Of the rated power: less than that is none."""
FORCED = (Order.TRIP, Order.DC_LOST, Order.GRID_LOST)
"""What no fault of its control holds up."""
WHY = {Order.TRIP: "over_current", Order.DC_LOST: "dc_under_voltage", Order.GRID_LOST: "islanding"}


@dataclass(slots=True)
class Pcs:
    """Powers in W and var, positive into the site."""

    rated: float
    apparent: float
    ramp: float | None = None
    """W/s; None follows within the same instant, as a PWS2 does within 20 ms."""
    times: Times = INSTANT
    state: State = State.RUNNING
    goal: State = State.RUNNING
    """Where it is going: running, standby or off."""
    waited: float = 0.0
    """Seconds in this state."""
    why: str = ""
    """Of its fault."""
    p_set: float = 0.0
    q_set: float = 0.0
    p: float = 0.0
    q: float = 0.0
    dc: float = 0.0
    """W at the battery's side."""
    sun: float = 0.0
    """W of a hybrid's own PV, which goes through the same inverter: the battery gives what is left of it."""
    forming: bool = False
    """Grid mode: it would make its own grid. Changes only while it does not run."""
    derating: bool = False
    """The battery did not take or give what was wanted."""
    timeout: float = 60.0
    """Seconds without a request until the watchdog acts; 0 never."""
    unheard: float = 0.0
    timed_out: bool = False
    local: bool = False
    """Operated at its panel: what it does is nobody else's affair, and no watchdog's."""
    # for trials ---------------------------------------------------------------------------------
    deaf: bool = False
    """Holds its setpoint register and does not move."""
    stuck: bool = False
    """Goes through no order either."""
    share: float = 1.0
    """Of what it is told: 0.5 gives half, -1 the opposite."""
    slowest: float = inf
    """W/s, whatever its ramp is."""
    dead_time: float = 0.0
    """Seconds until it begins to follow."""
    keeps: bool = False
    """A setpoint is held while it does not run, and followed once it does."""
    blind: bool = False
    """It does not know what the battery allows."""
    _age: float = 0.0
    _told: deque[tuple[float, float]] = field(default_factory=deque)
    """The setpoints on their way, each with the age it was told at."""

    def order(self, order: Order, why: str = "") -> None:
        """Goes to the next state, if there is one."""
        if self.stuck and order not in FORCED:
            return
        after = NEXT.get((self.state, order), self.state)
        if order in (Order.START, Order.STANDBY, Order.STOP):
            self.goal = {Order.START: State.RUNNING, Order.STANDBY: State.STANDBY}.get(order, State.OFF)
        if after is not self.state:
            self.state, self.waited = after, 0.0
            self.why = (why or WHY.get(order, "")) if after is State.FAULT else ""
        if self.state is not State.RUNNING and not self.keeps:
            self.forget()

    def heard(self) -> None:
        """A request feeds the watchdog."""
        self.unheard, self.timed_out = 0.0, False

    def forget(self) -> None:
        """The old setpoint is gone, also what of it was on its way: no jump without a new write."""
        self.p_set = self.q_set = 0.0
        self._told.clear()
        self._told.append((self._age, 0.0))

    def reboot(self) -> None:
        """Its control was reset: it holds what it holds when it is new, and starts again by itself if it ran."""
        ran = self.goal is State.RUNNING and self.state is not State.FAULT
        self.forget()
        self.timeout, self.timed_out, self.forming = 0.0, False, False
        self.state, self.goal, self.waited = (
            (State.PRECHARGE, State.RUNNING, 0.0) if ran else (State.OFF, State.OFF, 0.0)
        )

    def live(self, dt: float, volts: float | None, *, lit: bool) -> None:
        """Goes through its states in `dt` seconds. `volts`: at its DC side, if any; `lit`: there is a grid."""
        self.unheard += dt
        self._age += dt
        if self.timeout and self.unheard > self.timeout and not self.local:
            self.forget()
            self.timed_out = True
        powered = volts is not None and DC_WINDOW[0] <= volts <= DC_WINDOW[1]
        if not powered:
            self.order(Order.DC_LOST)
        if not lit and not self.forming:
            self.order(Order.GRID_LOST)
        self.waited += dt
        while self._done(powered, lit or self.forming):
            rest = self.goal is State.STANDBY and self.state in (State.PRECHARGE, State.STOPPING)
            self.order(Order.RESTED if rest else Order.READY)

    def _done(self, powered: bool, lit: bool) -> bool:
        """Whether what its state is for is done."""
        times = self.times
        match self.state:
            case State.PRECHARGE:
                if not powered and self.waited >= DC_PATIENCE:
                    self.order(Order.TRIP, "dc_start_failed")
                return powered and self.waited >= times.precharge
            case State.OBSERVING:
                if not lit:
                    self.waited = 0.0
                return lit and self.waited >= times.observe
            case State.STARTING:
                return self.waited >= times.start
            case State.STOPPING:
                return times.stop == 0 or abs(self.p) <= NOTHING * self.rated
        return False

    def wanted(self, dt: float, balance: float | None = None) -> float:
        """W (AC) it goes for in the next `dt` seconds. `balance`: what an island needs of the one that forms it."""
        if self.state is State.STOPPING:
            return self._ramped(0.0, self.rated / self.times.stop if self.times.stop else inf, dt)
        if self.state is not State.RUNNING:
            return 0.0
        if balance is not None:
            return max(-self.rated, min(self.rated, balance))
        left = max(0.0, self.rated - self.sun)
        target = self.p if self.deaf else max(-self.rated, min(left, self.share * self._in_effect()))
        return self._ramped(target, min(self.slowest, self.ramp or inf), dt)

    def _ramped(self, target: float, ramp: float, dt: float) -> float:
        if ramp == inf:
            return target
        return self.p + max(-ramp * dt, min(ramp * dt, target - self.p))

    def _in_effect(self) -> float:
        """The setpoint that was told one dead time ago."""
        told = self._told
        if not told or told[-1][1] != self.p_set:
            told.append((self._age, self.p_set))
        while len(told) > 1 and told[1][0] <= self._age - self.dead_time:
            told.popleft()
        return told[0][1]

    def dc_of(self, ac: float) -> float:
        """W the battery gives for `ac`: what is lost comes on top, in both directions."""
        if self.state not in POWERED:
            return 0.0
        return ac + IDLE * self.rated + LINEAR * abs(ac) + SQUARE * ac**2 / self.rated

    def ac_of(self, dc: float) -> float:
        """The inverse of `dc_of`."""
        if self.state not in POWERED:
            return 0.0
        surplus = dc - IDLE * self.rated
        slope, square = 1 + copysign(LINEAR, surplus), SQUARE / self.rated
        # square x ac^2 + slope x ac = surplus, written so that it keeps its digits near 0
        return 2 * surplus / (slope + sqrt(slope**2 + 4 * square * surplus))

    def carry(self, dc: float, wanted: float) -> None:
        """What the battery made of it."""
        self.dc, self.p = dc, self.ac_of(dc)
        running = self.state is State.RUNNING
        self.derating = running and abs(self.p - wanted) > NOTHING * self.rated
        room = sqrt(max(0.0, self.apparent**2 - self.p**2))  # active power goes first
        self.q = max(-room, min(room, self.q_set)) if running else 0.0
