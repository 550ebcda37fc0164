"""The states of a PCS and of a battery's contactor: two tables, and how long each state lasts. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Of a PCS."""

    OFF = "off"
    PRECHARGE = "precharge"
    """The capacitors of its DC link are charged out of the battery."""
    STANDBY = "standby"
    """Charged, and disconnected from the grid."""
    OBSERVING = "observing"
    """It waits for the grid to be good for some time in a row."""
    STARTING = "starting"
    """Soft start: it synchronises and closes its relay."""
    RUNNING = "running"
    STOPPING = "stopping"
    """Its power goes down."""
    FAULT = "fault"


class Order(StrEnum):
    """What changes a state: told from outside, or found by the PCS itself."""

    START = "start"
    STANDBY = "standby"
    STOP = "stop"
    RESET = "reset"
    TRIP = "trip"
    READY = "ready"
    """What the state was for is done."""
    RESTED = "rested"
    """The same, on the way to standby."""
    DC_LOST = "dc_lost"
    GRID_LOST = "grid_lost"


NEXT: dict[tuple[State, Order], State] = {
    (State.OFF, Order.START): State.PRECHARGE,
    (State.OFF, Order.STANDBY): State.PRECHARGE,
    (State.PRECHARGE, Order.READY): State.OBSERVING,
    (State.PRECHARGE, Order.RESTED): State.STANDBY,
    (State.PRECHARGE, Order.STOP): State.OFF,
    (State.STANDBY, Order.START): State.OBSERVING,
    (State.STANDBY, Order.STOP): State.OFF,
    (State.STANDBY, Order.DC_LOST): State.OFF,
    (State.OBSERVING, Order.READY): State.STARTING,
    (State.OBSERVING, Order.STANDBY): State.STANDBY,
    (State.OBSERVING, Order.STOP): State.OFF,
    (State.OBSERVING, Order.DC_LOST): State.OFF,
    (State.STARTING, Order.READY): State.RUNNING,
    (State.STARTING, Order.STANDBY): State.STANDBY,
    (State.STARTING, Order.STOP): State.OFF,
    (State.STARTING, Order.GRID_LOST): State.OBSERVING,
    (State.STARTING, Order.DC_LOST): State.FAULT,
    (State.RUNNING, Order.STANDBY): State.STOPPING,
    (State.RUNNING, Order.STOP): State.STOPPING,
    (State.RUNNING, Order.DC_LOST): State.FAULT,
    (State.RUNNING, Order.GRID_LOST): State.FAULT,
    (State.STOPPING, Order.READY): State.OFF,
    (State.STOPPING, Order.RESTED): State.STANDBY,
    (State.STOPPING, Order.START): State.RUNNING,
    (State.STOPPING, Order.DC_LOST): State.FAULT,
    (State.STOPPING, Order.GRID_LOST): State.FAULT,
    (State.FAULT, Order.RESET): State.OFF,
    **{(state, Order.TRIP): State.FAULT for state in State},
}
"""What is not written here leaves the state as it is."""

POWERED = frozenset((State.STARTING, State.RUNNING, State.STOPPING))
"""Its semiconductors switch: it has losses."""


class Contact(StrEnum):
    """Of a battery's main contactor."""

    OPEN = "open"
    PRECHARGE = "precharge"
    """Closed through a resistor."""
    CLOSED = "closed"
    OPENING = "opening"
    """Told to open, and still closed."""


class Turn(StrEnum):
    """What changes a contactor."""

    CLOSE = "close"
    OPEN = "open"
    READY = "ready"


TURNS: dict[tuple[Contact, Turn], Contact] = {
    (Contact.OPEN, Turn.CLOSE): Contact.PRECHARGE,
    (Contact.PRECHARGE, Turn.READY): Contact.CLOSED,
    (Contact.PRECHARGE, Turn.OPEN): Contact.OPEN,
    (Contact.CLOSED, Turn.OPEN): Contact.OPENING,
    (Contact.OPENING, Turn.CLOSE): Contact.CLOSED,
    (Contact.OPENING, Turn.READY): Contact.OPEN,
}
"""What is not written here leaves the contactor as it is."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that things take."""

    close: float = 0.0
    """A contactor, with its precharge."""
    open: float = 0.0
    precharge: float = 0.0
    """The DC link of a PCS."""
    observe: float = 0.0
    """The grid must be good for so long before anything connects."""
    start: float = 0.0
    stop: float = 0.0
    """From full power to none."""


INSTANT = Times()
QUICK = Times(close=2.0, open=0.1, precharge=0.5, observe=1.0, start=1.0, stop=0.5)
"""The demo's: nobody wants to look at a wait."""
FIELD = Times(close=6.0, open=0.2, precharge=3.0, observe=60.0, start=5.0, stop=2.0)
"""As manuals give them; 60 s of observation by VDE-AR-N 4105."""
