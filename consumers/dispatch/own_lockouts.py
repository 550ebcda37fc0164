"""Which batteries begin locked out alone: those that are out by dispatch's own file or by the broker's memory.

A PCS and a battery may be given another name in the site file. So a lockout is found again by either name. One that
fits no battery any more is left over: it takes out each battery that nobody knew before, as it may be the same one,
and is kept until a named person asks for auto. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.dispatch.kept import ONLY, Kept, KeptBattery
from schemas.messages import Cause, ControlMode, Mode, PlanHeld
from schemas.site_battery import Unit


@dataclass(frozen=True)
class Begun:
    """How each battery begins, by its PCS, and what belongs to none, by the PCS or the battery that it was."""

    batteries: dict[str, KeptBattery]
    left_over: dict[str, KeptBattery]


def begin_each(file: Kept | None, broker: ControlMode | None, batteries: Sequence[Unit]) -> Begun:
    """What was kept, for the batteries of the site file as it is now."""
    known = _with_outs(_of_file(file, batteries), broker)
    found = {one.pcs: [key for key, kept in known.items() if _fits(key, kept, one)] for one in batteries}
    taken = {key for keys in found.values() for key in keys}
    left_over = {key: kept for key, kept in known.items() if key not in taken and kept.out is not None}
    return Begun({one.pcs: _begin(one, found[one.pcs], known, left_over) for one in batteries}, left_over)


def called(key: str, kept: KeptBattery) -> str:
    """What a battery that is left over was called."""
    return kept.name or key


def _of_file(file: Kept | None, batteries: Sequence[Unit]) -> dict[str, KeptBattery]:
    """By the name of the PCS. A file from before there could be several tells of the first one."""
    known = {} if file is None else dict(file.batteries)
    only, first = known.pop(ONLY, None), next((one.pcs for one in batteries), "")
    return known if only is None or not first else {first: only} | known


def _with_outs(known: dict[str, KeptBattery], broker: ControlMode | None) -> dict[str, KeptBattery]:
    """The broker names batteries."""
    if broker is None:
        return known
    for name, why in broker.out.items():
        key = next((key for key, kept in known.items() if kept.name == name), name)
        kept = known.get(key, KeptBattery())
        cause = broker.out_causes.get(name, Cause.INVALID)
        out = ControlMode(at=broker.at, mode=Mode.LOCKOUT, who="dispatch", why=why, cause=cause)
        known[key] = kept if kept.out is not None else kept.model_copy(update={"out": out})
    return known


def _fits(key: str, kept: KeptBattery, one: Unit) -> bool:
    return key in (one.pcs, one.name) or kept.name == one.name


def _begin(
    one: Unit, keys: Sequence[str], known: Mapping[str, KeptBattery], left_over: Mapping[str, KeptBattery]
) -> KeptBattery:
    if not keys:
        return _new(one, left_over)
    fits = [known[key] for key in keys]
    begun = known.get(one.pcs)
    if begun is None:  # of a PCS with another name nobody knows who stopped it
        begun = KeptBattery(to_reset=fits[0].to_reset, reset=fits[0].reset)
    return begun.model_copy(update={"out": begun.out or next((kept.out for kept in fits if kept.out), None)})


def _new(one: Unit, left_over: Mapping[str, KeptBattery]) -> KeptBattery:
    for key, kept in left_over.items():
        if kept.out is not None:
            was = f"{called(key, kept)}, which was locked out ({kept.out.why}) and is no longer in the site file"
            why = f"{one.name} is new, and may be {was}"
            return KeptBattery(out=kept.out.model_copy(update={"why": why[:500]}))
    return KeptBattery()


def told(mode: ControlMode, outs: Mapping[str, ControlMode], plan: PlanHeld | None = None) -> ControlMode:
    """The mode of the site with who is out, by battery, and whether the plan is followed."""
    causes = {name: out.cause or Cause.INVALID for name, out in outs.items()}
    out = {name: out.why for name, out in outs.items()}
    return mode.model_copy(update={"out": out, "out_causes": causes, "plan": plan})


def outs_of(left_over: Mapping[str, KeptBattery]) -> dict[str, ControlMode]:
    """The lockouts that belong to no battery, by what it was called."""
    return {called(key, kept): kept.out for key, kept in left_over.items() if kept.out is not None}


def complaints(left_over: Mapping[str, KeptBattery]) -> list[str]:
    """The same in words."""
    words = "{} is locked out ({}) and is no battery of the site file: name it there, or ask for auto to forget it"
    return [words.format(name, out.why) for name, out in outs_of(left_over).items()]
