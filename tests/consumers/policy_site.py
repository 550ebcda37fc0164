"""A site at the real desk at the real rhythm: devices read each second, a command each 2 s, one s later it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from consumers.dispatch.desk import Desk
from consumers.dispatch.kept import Kept, Stored
from consumers.dispatch.modes import begin
from optimizer.site_billing import SiteBilling
from schemas.billing import Billing
from schemas.messages import Plan, Telemetry, Value
from schemas.site import Site
from schemas.topics import COMMAND_TTL

RAMP = 0.2
"""Of its rating a PCS moves in a second."""
Load = Callable[[float], float]
"""W by true seconds since the begin."""


@dataclass
class PolicySite:
    """Batteries that follow what they are told, as far as they can. True time and the monotonic clock begin at 0."""

    site: Site
    start: datetime
    ahead: float = 0.0
    """Seconds of the wall clock before the true time."""
    second: float = 0.0
    desk: Desk | None = None
    """None while dispatch is away."""
    billing: SiteBilling = field(init=False)
    """As optimize tells it each 10 s."""
    tells_billing: bool = True
    said: Billing | None = None
    plan: Plan | None = None
    """Retained at the broker."""
    powers: dict[str, float] = field(default_factory=dict)
    told: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Second and W."""
    most: dict[str, float] = field(default_factory=dict)
    """W that a BMS allows; all of it where it says nothing."""
    dead: set[str] = field(default_factory=set)
    """PCS that are in fault."""
    grids: list[float] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    kept: Kept | None = None
    """On its disk, as the service writes it."""

    def __post_init__(self) -> None:
        self.billing = SiteBilling(self.site.zone, 1.0).of(self.site.prices)
        self.powers = dict.fromkeys((one.pcs for one in self.site.units), 0.0)
        self._seq = count(1)
        self.desk = Desk.of(self.site)
        self.desk.control = begin(self.start)

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.second + self.ahead)

    def hears(self, plan: Plan) -> None:
        self.plan = plan
        if self.desk is not None:
            self.desk.plans.hear(plan, self.now)

    def run(self, seconds: int, load: Load | float) -> "PolicySite":
        for _ in range(seconds):
            self.second += 1
            self._move()
            self.grids.append((load(self.second) if callable(load) else load) - sum(self.powers.values()))
            self.billing = self.billing.fold(self.now, self.grids[-1])
            if self.tells_billing and self.second % 10 == 0:
                self.said = self.billing.said(self.now)
                if self.desk is not None:
                    self.desk.peaks.hear(self.said, self.now)
            if self.desk is not None:
                self._hear(self.desk)
                if self.second % 2 == 0:
                    self._command(self.desk)
                    kept = self.desk.keep(self.now, self.second)
                    self.kept = kept if kept is not None and kept.differs(self.kept) else self.kept
        return self

    def restart(self, away: int, load: Load | float) -> "PolicySite":
        """Dispatch is gone for so many seconds, and begins with what it kept and what the broker has."""
        assert self.desk is not None
        kept = self.kept
        assert kept is not None
        self.desk = None
        self.run(away, load)
        self.desk = desk = Desk.of(self.site)
        if self.plan is not None:
            desk.plans.hear(self.plan, self.now)
        if self.said is not None:
            desk.peaks.hear(self.said, self.now)
        desk.begin(Stored(kept.mode, kept=kept), Stored(), self.now, self.second)
        return self

    def mean(self, begin: int, seconds: int = 900) -> float:
        """W that was imported in a window by true time."""
        each = self.grids[begin : begin + seconds]
        return sum(max(one, 0.0) for one in each) / len(each)

    def _move(self) -> None:
        for pcs, power in self.powers.items():
            at, goal = self.told.get(pcs, (-1e9, 0.0))
            if self.second - at > COMMAND_TTL or pcs in self.dead:
                goal = 0.0
            room = 1e9 if pcs in self.dead else RAMP * (self.site.named(pcs).rated_power or 0.0)
            goal = max(min(goal, self.most.get(pcs, 1e9)), -self.most.get(pcs, 1e9))
            self.powers[pcs] = power + min(max(goal - power, -room), room)

    def _shown(self) -> float:
        """W that the meter shows."""
        return self.grids[-1]

    def _hear(self, desk: Desk) -> None:
        for turn in range(2):
            for one in self.site.units:
                state = "fault" if one.pcs in self.dead else "running"
                current = self.most.get(one.pcs, 160e3) / 800.0 / (0.95 if one.pcs in self.most else 1.0)
                self._read(desk, one.pcs, {"p": self.powers[one.pcs], "state": state})
                for rack in one.racks:
                    self._read(desk, rack, {"soc": 50.0, "u": 800.0, "ccl": current, "dcl": current})
            if not turn:
                self._read(desk, self.site.grid.meter, {"p": self._shown()})

    def _read(self, desk: Desk, device: str, values: Mapping[str, Value]) -> None:
        said = Telemetry(at=self.now, epoch="0" * 16, seq=next(self._seq), values=dict(values))
        desk.read(device, said, self.now, self.second)

    def _command(self, desk: Desk) -> None:
        for pcs, order in desk.instruct(self.now, self.second).items():
            if order.action is None:
                self.told[pcs] = self.second, order.wanted.power
                desk.has_sent(pcs, order, self.second)
        self.reasons.append(desk.detail)
