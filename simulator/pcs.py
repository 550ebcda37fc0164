"""A PCS: its states, how it follows a setpoint, what it loses, and its own watchdog."""

from dataclasses import dataclass
from enum import StrEnum
from math import copysign, isinf, sqrt

IDLE, LINEAR, SQUARE = 0.003, 0.010, 0.012
"""Losses per unit of the rated power: fans and control, semiconductors, copper. 97.5 % at full power."""


class State(StrEnum):
    OFF = "off"
    STANDBY = "standby"
    RUNNING = "running"
    FAULT = "fault"


class Order(StrEnum):
    START = "start"
    STANDBY = "standby"
    STOP = "stop"
    RESET = "reset"
    TRIP = "trip"


NEXT: dict[tuple[State, Order], State] = {
    (State.OFF, Order.START): State.RUNNING,
    (State.OFF, Order.STANDBY): State.STANDBY,
    (State.STANDBY, Order.START): State.RUNNING,
    (State.STANDBY, Order.STOP): State.OFF,
    (State.RUNNING, Order.STANDBY): State.STANDBY,
    (State.RUNNING, Order.STOP): State.OFF,
    (State.OFF, Order.TRIP): State.FAULT,
    (State.STANDBY, Order.TRIP): State.FAULT,
    (State.RUNNING, Order.TRIP): State.FAULT,
    (State.FAULT, Order.RESET): State.OFF,
}
"""What is not written here leaves the state as it is."""


@dataclass(slots=True)
class Pcs:
    """Powers in W and var, positive into the site."""

    rated: float
    apparent: float
    ramp: float | None = None
    """W/s; None follows within the same instant, as a PWS2 does within 20 ms."""
    state: State = State.RUNNING
    p_set: float = 0.0
    q_set: float = 0.0
    p: float = 0.0
    q: float = 0.0
    dc: float = 0.0
    """W at the battery's side."""
    forming: bool = False
    """Grid mode: it would make its own grid. Changes only while it does not run."""
    derating: bool = False
    """The battery did not take or give what was wanted."""
    deaf: bool = False
    """Holds its setpoint register and does not move, for trials."""
    timeout: float = 60.0
    """Seconds without a request until the watchdog acts; 0 never."""
    unheard: float = 0.0
    timed_out: bool = False

    def order(self, order: Order) -> None:
        """Goes to the next state, if there is one; leaving `running` ends the power at once."""
        self.state = NEXT.get((self.state, order), self.state)
        if self.state is not State.RUNNING:
            self.p_set = self.q_set = 0.0

    def heard(self) -> None:
        """A request feeds the watchdog."""
        self.unheard, self.timed_out = 0.0, False

    def wanted(self, dt: float) -> float:
        """W (AC) it goes for in the next `dt` seconds."""
        self.unheard += dt
        if self.timeout and self.unheard > self.timeout:
            # The old setpoint is forgotten: no jump without a new write when the controller comes back.
            self.p_set = self.q_set = 0.0
            self.timed_out = True
        if self.state is not State.RUNNING:
            return 0.0
        target = self.p if self.deaf else max(-self.rated, min(self.rated, self.p_set))
        if self.ramp is None or isinf(self.ramp):
            return target
        return self.p + max(-self.ramp * dt, min(self.ramp * dt, target - self.p))

    def dc_of(self, ac: float) -> float:
        """W the battery gives for `ac`: what is lost comes on top, in both directions."""
        if self.state is not State.RUNNING:
            return 0.0
        return ac + IDLE * self.rated + LINEAR * abs(ac) + SQUARE * ac**2 / self.rated

    def ac_of(self, dc: float) -> float:
        """The inverse of `dc_of`."""
        if self.state is not State.RUNNING:
            return 0.0
        surplus = dc - IDLE * self.rated
        slope, square = 1 + copysign(LINEAR, surplus), SQUARE / self.rated
        # square x ac^2 + slope x ac = surplus, written so that it keeps its digits near 0
        return 2 * surplus / (slope + sqrt(slope**2 + 4 * square * surplus))

    def carry(self, dc: float, wanted: float) -> None:
        """What the battery made of it."""
        self.dc, self.p = dc, self.ac_of(dc)
        self.derating = self.state is State.RUNNING and abs(self.p - wanted) > 0.005 * self.rated
        room = sqrt(max(0.0, self.apparent**2 - self.p**2))  # active power goes first
        self.q = max(-room, min(room, self.q_set)) if self.state is State.RUNNING else 0.0
