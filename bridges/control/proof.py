"""Whether what was written arrived, and whether the device does it: read back, and seen in its power or its state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridges.control.command_life import PROVEN, Event, Stage
from bridges.control.grid_limit import LIMIT
from bridges.control.limits import cause_of
from bridges.control.obedience import Obedience
from bridges.control.pending_commands import Kind, Pending, PendingCommands
from bridges.control.read_back import Verdict
from bridges.control.setpoint_writer import SetpointWriter
from bridges.control.verification import SETTLING, Following, doubt
from bridges.fieldbus.contract import FieldDevice, Reading
from bridges.telemetry.latest_values import LatestValues
from schemas.messages import Action, Cause, Value

CLAIM = 10.0
"""Seconds between two words about the same foreign hand."""
AT_ONCE = 0.01
"""Seconds in which the values of one reading were begun."""
POWERS = ("p", "q", "ac_p", "state", "grid_state")
NOT_HELD = 2
"""Tries after which a register that does not hold its value is a trouble of the device."""

AFTER: dict[Action, tuple[str, Callable[[str], bool]]] = {
    Action.START: ("state", lambda says: says in ("running", "throttled")),
    Action.STOP: ("state", lambda says: says == "off"),
    Action.STANDBY: ("state", lambda says: says == "standby"),
    Action.RESET: ("state", lambda says: says != "fault"),
    Action.GRID_FOLLOWING: ("grid_state", lambda says: says != "islanded"),
    Action.GRID_FORMING: ("grid_state", lambda says: says == "islanded"),
}
"""Which point shows that a device has obeyed, and whether what it says does."""


@dataclass
class Proof:
    """Of one device. Times of the monotonic clock."""

    device: FieldDevice
    writer: SetpointWriter
    pending: PendingCommands
    ramping: bool = False
    """A ramp of ours still stands between the setpoint and the wish."""
    obedience: Obedience = field(init=False)
    """Of what is no active power: its limit, and the reactive power."""
    foreign: str = ""
    """Who else writes, in words, for as long as it was lately seen."""
    _look: Reading | None = None
    _judged: dict[str, float] = field(default_factory=dict)
    _claimed: float = float("-inf")

    def __post_init__(self) -> None:
        self.obedience = Obedience(self.device.rated_power, self.device.rated_apparent_power)

    @property
    def wanted(self) -> bool:
        """Whether a look now could prove something."""
        return any(one.stage not in PROVEN for one in self.pending.open.values())

    @property
    def points(self) -> list[str]:
        """What a look must read."""
        shown = [point for point in POWERS if point in self.device.points]
        return list(dict.fromkeys([*shown, *self.writer.beside()]))

    @property
    def not_held(self) -> list[str]:
        """Points that were written again and still hold something else."""
        budgets = self.writer.budgets.items()
        return [point for point, one in budgets if one.tries >= NOT_HELD and point not in self.writer.failing]

    @property
    def power(self) -> tuple[float, float] | None:
        """When the last look was begun, and the power it showed."""
        power = None if self._look is None else self._look.values.get("p")
        return (self._look.began, power) if self._look is not None and isinstance(power, float) else None

    def looked(self, reading: Reading) -> None:
        """The device was looked at between two readings."""
        self._look = reading

    def judge(self, latest: LatestValues, following: Following | None, now: float, *, switching: bool) -> None:
        """Everything that was read since the last time. `switching`: a start or a stop judges itself."""
        self.read_back(latest, now)
        self._obeys(latest)
        for kind, pending in [*self.pending.open.items()]:
            if kind != "action":
                self._prove_power(kind, pending, latest, following, now)
            elif not switching:
                self._prove_action(pending, latest, now)

    def read_back(self, latest: LatestValues, now: float) -> None:
        """Whether the registers hold what they were told, by what was read since the last time."""
        if now - self._claimed > CLAIM:
            self.foreign = ""
        for point, one in self.writer.points.items():
            if one.value is None:
                continue
            shown = self.device.beside(point, one.value)
            began = max((self._began(latest, name) for name in shown[:1]), default=float("-inf"))
            if began <= max(one.at, self._judged.get(point, float("-inf"))):
                continue
            self._judged[point] = began
            found = self.writer.judge(point, self._since(latest, one.at), now)
            if found is not None:
                self._weigh(point, *found, now)

    def _obeys(self, latest: LatestValues) -> None:
        began = self._began(latest, "q" if "p" not in self.device.points else "p")
        safe = {point: one.fallback for point, one in self.device.commands.items()}
        self.obedience.see(began, self._since(latest, began - AT_ONCE), self.writer.points, safe)

    def _weigh(self, point: str, verdict: Verdict, holds: float, now: float) -> None:
        told = self.writer.applied[point]
        if verdict is Verdict.NEVER_HELD:
            words = f"the register of {point} reads back {holds:g} instead of {told:g}"
            pending = self.pending.open.get("values")
            if pending is not None and point in pending.applied and pending.stage is not Stage.TAKEN:
                self.pending.event("values", Event.READ_BACK_DIFFERS, words, Cause.NOT_HELD)
        elif verdict is Verdict.FOREIGN and now - self._claimed >= CLAIM:
            self._claimed = now
            self.foreign = f"{point} held our {told:g} and was changed by somebody else"
            self.pending.event("values", Event.FOREIGN_WRITE, self.foreign, Cause.FOREIGN_WRITE)
            if point == LIMIT:
                self.pending.event("limit", Event.FOREIGN_WRITE, self.foreign, Cause.FOREIGN_WRITE)

    def _prove_power(
        self, kind: Kind, pending: Pending, latest: LatestValues, following: Following | None, now: float
    ) -> None:
        if pending.stage in (Stage.TAKEN, Stage.ACCEPTED) or (self.ramping and kind == "values"):
            return  # what was not written yet proves nothing
        written = max((self.writer.points[p].at for p in pending.applied if p in self.writer.points), default=0.0)
        seen = self._since(latest, max(written, pending.since))
        if "p" not in seen and "p" in self.device.points:
            return
        against = doubt(pending.applied, seen, self.device.rated_power)
        measured = {point: value for point in ("p", "q") if isinstance(value := seen.get(point), float)}
        if not against:
            event = Event.FOLLOWED_LIMITED if pending.limited else Event.FOLLOWED
            cause = cause_of(pending.limited)
            self.pending.event(kind, event, pending.held if cause is Cause.INTERLOCK else "", cause, measured)
        elif "p_set" in pending.applied and following is not None:
            if following.cause is not None:
                self.pending.event(kind, Event.NOT_FOLLOWED, following.words, following.cause, measured)
        elif now - (written or pending.since) > SETTLING or self.obedience.words:
            self.pending.event(kind, Event.NOT_FOLLOWED, against, Cause.NOT_OBEYED, measured)

    def _prove_action(self, pending: Pending, latest: LatestValues, now: float) -> None:
        action = pending.command.action
        if action is None:
            return
        point, obeyed = AFTER[action]
        if point not in self.device.points:
            self.pending.event("action", Event.FOLLOWED)
            return
        says = self._since(latest, pending.since).get(point)
        if says is not None and obeyed(str(says)):
            self.pending.event("action", Event.FOLLOWED, str(says))
        elif now - pending.since > SETTLING:
            words = f"after {action.value} its {point} is {says!r}" if says is not None else f"its {point} is not seen"
            self.pending.event("action", Event.NOT_FOLLOWED, words, Cause.NOT_OBEYED)

    def _since(self, latest: LatestValues, moment: float) -> dict[str, Value]:
        """The newest of readings and looks that were begun after a moment."""
        found: dict[str, Value] = latest.since(self.device.name, moment)
        if self._look is None or self._look.began <= moment:
            return found
        looks: Mapping[str, Value] = self._look.values
        return found | {
            point: value for point, value in looks.items()
            if self._look.began > latest.began(self.device.name, point)
        }  # fmt: skip

    def _began(self, latest: LatestValues, point: str) -> float:
        look = self._look
        looked = look.began if look is not None and point in look.values else float("-inf")
        return max(looked, latest.began(self.device.name, point))
