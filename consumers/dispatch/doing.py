"""What dispatch does now with the site, and why; in words for its sign of life. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.dispatch.battery_desk import BatteryDesk
from schemas.messages import Action, Authority, Mode


@dataclass(frozen=True)
class Doing:
    """Of the site; each battery has its own `why`."""

    reason: str = ""
    """Empty where nothing is decided for the site as a whole."""
    power: float | None = None
    """W of all that take part."""
    authority: Authority | None = None
    action: Action | None = None
    """A grid mode that a person asked for."""
    shared: frozenset[str] = frozenset()
    """The PCS of the batteries that take part."""


def detail(doing: Doing, mode: Mode, batteries: Sequence[BatteryDesk], mono: float) -> str:
    """In one line."""
    if doing.action is not None:
        return f"{doing.action} {doing.reason}"
    power = "" if doing.power is None else f"{doing.power / 1000:.1f} kW, "
    site = [f"{power}{doing.reason}"] if doing.reason else []
    whys = [of(one, one.words, batteries) for one in batteries if one.words]
    complaints = [of(one, words, batteries) for one in batteries if (words := one.complains(mono))]
    return f"{mode}: {'; '.join([*site, *whys, *complaints])}"


def of(one: BatteryDesk, words: str, batteries: Sequence[BatteryDesk]) -> str:
    """Whose words these are, where there are several."""
    return words if len(batteries) == 1 else f"{one.battery.name}: {words}"
