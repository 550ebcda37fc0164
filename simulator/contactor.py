"""The main contactor of a battery: it takes its time, and it can weld. Pure."""

from dataclasses import dataclass

from simulator.states import INSTANT, TURNS, Contact, Times, Turn

NOTICED = 0.5
"""Seconds after which one that does not follow is named by the BMS."""


@dataclass(slots=True)
class Contactor:
    """Closes through a precharge resistor."""

    times: Times = INSTANT
    state: Contact = Contact.CLOSED
    waited: float = 0.0
    """Seconds in this state."""
    welded: bool = False
    """Its contacts stick together: told to open it stays closed."""
    dead: bool = False
    """Its precharge never ends."""

    @property
    def closed(self) -> bool:
        """Whether it conducts, whatever it was told."""
        return self.state in (Contact.CLOSED, Contact.OPENING)

    @property
    def stuck(self) -> bool:
        """Told to open, and closed for too long."""
        return self.state is Contact.OPENING and self.waited > self.times.open + NOTICED

    def turn(self, turn: Turn) -> None:
        """Goes to the next state, if there is one."""
        after = TURNS.get((self.state, turn), self.state)
        if after is not self.state:
            self.state, self.waited = after, 0.0

    def step(self, dt: float) -> None:
        """Lives on for `dt` seconds."""
        self.waited += dt
        if self.state is Contact.CLOSED or self.state is Contact.OPEN:
            return
        closing = self.state is Contact.PRECHARGE
        blocked, takes = (self.dead, self.times.close) if closing else (self.welded, self.times.open)
        if not blocked and self.waited >= takes:
            self.turn(Turn.READY)
