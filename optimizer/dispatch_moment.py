"""What dispatch decides by, and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime

from optimizer.follow_policy import Held
from optimizer.reserve_now import NOTHING, Keeps
from optimizer.running_step import RunningStep
from optimizer.running_window import RunningWindow
from optimizer.storage import Storage
from schemas.messages import Authority, Why
from schemas.site_grid import Grid


@dataclass(frozen=True)
class Ratings:
    """What does not change. Seconds are ages after which something is not believed (`Device.stale_after`)."""

    battery: Storage
    grid: Grid
    rated: float
    """W of all PCS that can be steered."""
    meter_fresh: float = 2.5
    """A reading of the grid meter steers so long; twice as long it holds the last power; then 0 (meter_comm_lost)."""
    bms_fresh: float = 5.0
    currency: str = "EUR"
    """Of the plan, for people."""
    keeps: Keeps = NOTHING
    """For a backup and for what is promised, now."""


@dataclass(frozen=True)
class Moment:
    """What is measured. Ages in seconds; None was never heard."""

    now: datetime
    net: float | None = None
    """W the grid would carry if the battery rested: grid + battery, of readings that belong together."""
    meter_age: float = 0.0
    soc: float | None = None
    charge: float | None = None
    discharge: float | None = None
    """W the BMS allows: CCL and DCL times its voltage."""
    bms_age: float = 0.0
    last: float = 0.0
    """W wanted the last time."""
    charging: float = 0.0
    """W that batteries which cannot be steered draw from the grid beside `net`: no load that is to be covered, but the
    grid carries it."""
    spare: float | None = None
    """W of curtailed PV that there would be if the battery took it, as far as it goes ahead; None while PV is not
    curtailed, or gives all that it may."""
    limiter: tuple[str, str] = ("the BMS", "the BMS")
    """What `charge` and `discharge` end at; of several batteries that need not be a BMS."""
    unsure: float = 0.0
    """W by which the mean of a billing window may be off, as the meter's delay jumps."""
    running: RunningStep | None = None
    """The step so far, where it has a policy; None where this moment stands for all of it."""


@dataclass(frozen=True)
class Wanted:
    """The answer, with its reason in words."""

    power: float
    reason: str
    authority: Authority
    sought: float = field(default=0.0, compare=False)
    """W before the limits of the batteries."""
    plain: str = field(default="", compare=False)
    """The reason without the limits of the batteries: of several each has its own."""
    whys: tuple[Why, ...] = field(default=(), compare=False)
    """The same for programs: what binds it, then what was wished."""


@dataclass(frozen=True)
class Demands:
    """What is paid by the kW: its running window, each window with the peak it may have in W, and what is billed."""

    billing: RunningWindow
    held: Held
    peak: float | None = None
    billed: float | None = None
