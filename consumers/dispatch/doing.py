"""What dispatch does now with the site, and why; in words for its sign of life. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.dispatch.battery_desk import BatteryDesk
from optimizer.dispatch import Wanted
from schemas.messages import Action, Authority, Mode
from schemas.state_words import ASK, locked_out

NO_BATTERY = "the site has no battery to steer"


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
    wanted: Wanted | None = None
    """What was decided for all of them."""


def detail(doing: Doing, mode: Mode, batteries: Sequence[BatteryDesk], mono: float) -> str:
    """In one line."""
    if doing.action is not None:
        return doing.reason
    power = "" if doing.power is None else f"{doing.power / 1000:.1f} kW, "
    site = [f"{power}{doing.reason}"] if doing.reason else []
    whys = asides(mode, batteries)
    complaints = [of(one, words, batteries) for one in batteries if (words := one.complains(mono))]
    return f"{mode}: {'; '.join([*site, *whys, *complaints])}"


def asides(mode: Mode, batteries: Sequence[BatteryDesk]) -> list[str]:
    """Who takes no part and why, and how one comes back that is locked out."""
    if mode is Mode.LOCKOUT:  # each is brought to a stop by itself
        outs = {one.pcs: locked_out(one.out.why, one.why, alone=False) for one in batteries if one.out is not None}
        whys = [of(one, outs.get(one.pcs, one.why), batteries) for one in batteries if one.why or one.out]
    elif len(batteries) == 1:
        whys = [one.words for one in batteries if one.words]
    else:
        words = [(one.battery.name, one.words.removeprefix("rests: ")) for one in batteries if one.words]
        whys = [f"{name} takes no part: {why}" for name, why in words]
    return [*whys, ASK] if any(one.out for one in batteries) else whys


def of(one: BatteryDesk, words: str, batteries: Sequence[BatteryDesk]) -> str:
    """Whose words these are, where there are several."""
    return words if len(batteries) == 1 else f"{one.battery.name}: {words}"
