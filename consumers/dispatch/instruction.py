"""One command of dispatch before it gets its id and its times."""

from dataclasses import dataclass

from optimizer.dispatch import Wanted
from schemas.messages import Action, Authority, ControlRequest


@dataclass(frozen=True)
class Instruction:
    """A setpoint, or an action."""

    wanted: Wanted
    action: Action | None = None
    request: ControlRequest | None = None
    """Of the person who is told what becomes of it."""
    probe: float = 0.0
    """W of it that nobody counts on: they find out whether the battery is held back no more."""
    point: str = "p_set"
    """What is told: a power in W, or for `p_limit_pct` of a PV inverter the share of its rating in %; empty where only
    a reactive power is told."""
    reactive: float | None = None
    """var beside it; None where the site has no rule or the inverter takes none."""
    factor: float | None = None
    """The power factor that gives it, for an inverter that takes no var."""

    @property
    def counted(self) -> float:
        """W that are expected of it."""
        return self.wanted.power - self.probe

    @property
    def values(self) -> dict[str, float]:
        """What the device is told, by the names of joulebus."""
        if self.action is not None:
            return {}
        values = {self.point: self.wanted.power} if self.point else {}
        if self.factor is not None:
            return values | {"pf_set": self.factor}
        return values | ({} if self.reactive is None else {"q_set": self.reactive})


def rest(reason: str, authority: Authority, request: ControlRequest | None = None) -> Instruction:
    """Power 0."""
    return Instruction(Wanted(0.0, reason[:500], authority), request=request)


def action(what: Action, reason: str, authority: Authority, request: ControlRequest | None = None) -> Instruction:
    return Instruction(Wanted(0.0, reason[:500], authority), what, request)
