"""Which BMS belongs to which PCS, from what they showed while they were watched. Pure.

Certain is what the powers tell: the racks of a PCS carry together what it gives. What they do not tell the voltage of
the DC link may, then the address; what then is left is proposed as a choice.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from joulebus.site_guess import ALIKE, VOLTS, Found, Trace, follows
from schemas.units import Kind

CARRIES = (0.85, 1.2)
"""W at the cells by W at the PCS: its losses, and two instruments of class 1."""
PART = 0.05
"""Of the power of a PCS that a rack carries at least, if it is one of its racks."""
ALONE = 0.98
"""Correlation beyond which one PCS alone explains what racks carry, so that nobody knows whether another shares."""


@dataclass(frozen=True)
class Guess:
    """A battery as it is proposed."""

    pcs: tuple[Found, ...]
    racks: tuple[Found, ...]
    """None where no BMS was found, or none is needed."""
    why: str
    choices: tuple[str, ...] = ()
    """Lines that say what could not be told, and what to write then."""


def batteries(devices: Sequence[Found]) -> list[Guess]:
    """One for each PCS, or for several that share their cells; each BMS once at most."""
    pcs = [one for one in devices if one.kind is Kind.PCS]
    free = [one for one in devices if one.kind is Kind.BMS]
    found = list[Guess]()
    for rule in (_by_flow, _shared, _by_link, _by_host, _last):
        left = [one for one in pcs if not any(one in guess.pcs for guess in found)]
        for guess in rule(left, [one for one in free if not any(one in guess.racks for guess in found)]):
            found.append(guess)
    unclear = [one for one in free if not any(one in guess.racks for guess in found)]
    found.sort(key=lambda guess: pcs.index(guess.pcs[0]))
    return [_with_choices(one, found, unclear) for one in found]


def _by_flow(left: Sequence[Found], free: Sequence[Found]) -> Iterator[Guess]:
    """The racks that carry together what the PCS gives, if no other PCS gives the same."""
    for pcs in left:
        racks = _carriers(pcs.flow, free, pcs)
        others = [one for one in left if one is not pcs]
        if racks and not any(_may_be_of(one, rack) for one in others for rack in racks):
            yield Guess((pcs,), tuple(racks), _carry(racks, pcs.name))


def _may_be_of(pcs: Found, rack: Found) -> bool:
    """Both moved alike, and no voltage says that they are apart: PCS that one hand steers go up and down together."""
    volts = None not in (pcs.middle("dc_u"), rack.middle("u"))
    return _moves_with(rack.flow, pcs.flow) and (not volts or _same_link(pcs, rack))


def _carry(racks: Sequence[Found], whose: str) -> str:
    if len(racks) == 1:
        return f"what {racks[0].name} carries follows {whose}"
    return f"what {' and '.join(one.name for one in racks)} carry together follows {whose}"


def _carriers(power: Trace, free: Sequence[Found], pcs: Found) -> list[Found]:
    """Racks of which each moves with this power, and all together by as much. Of more those at its voltage."""
    near = [one for one in free if _moves_with(one.flow, power)]
    for some in (near, [one for one in near if _same_link(pcs, one)]):
        if some and _explained(_sum([one.flow for one in some]), power):
            return some
    return []


def _moves_with(flow: Trace, power: Trace) -> bool:
    told = follows(flow, power)
    return told is not None and told[0] >= ALIKE and told[1] >= PART


def _explained(flow: Trace, power: Trace) -> bool:
    told = follows(flow, power)
    return told is not None and told[0] >= ALIKE and CARRIES[0] <= told[1] <= CARRIES[1]


def _sum(traces: Sequence[Trace]) -> list[float]:
    return [math.fsum(each) if all(map(math.isfinite, each)) else math.nan for each in zip(*traces, strict=False)]


def _shared(left: Sequence[Found], free: Sequence[Found]) -> Iterator[Guess]:
    """Several PCS of one DC voltage, of which only the sum is what the racks carry."""
    for count in range(len(left), 1, -1):
        for some in combinations(left, count):
            power = _sum([one.flow for one in some])
            racks = [one for one in free if all(_same_link(pcs, one) for pcs in some) and _moves_with(one.flow, power)]
            if not racks or not _explained(carried := _sum([one.flow for one in racks]), power):
                continue
            if all((told := follows(carried, pcs.flow)) is not None and abs(told[0]) < ALONE for pcs in some):
                names = " + ".join(one.name for one in some)
                yield Guess(some, tuple(racks), _carry(racks, names))
                return


def _by_link(left: Sequence[Found], free: Sequence[Found]) -> Iterator[Guess]:
    """The voltage of the DC link, where it is that of one PCS and one BMS only; of the only PCS there may be racks."""
    for pcs in left:
        racks = [one for one in free if _same_link(pcs, one)]
        rivals = [one for one in left if any(_same_link(one, rack) for rack in racks)]
        if racks and len(rivals) == 1 and (len(racks) == 1 or len(left) == 1):
            yield Guess((pcs,), tuple(racks), "same DC voltage")


def _by_host(left: Sequence[Found], free: Sequence[Found]) -> Iterator[Guess]:
    yield from _one_to_one(left, free, lambda pcs, bms: pcs.address == bms.address, "same address")


def _one_to_one(
    left: Sequence[Found], free: Sequence[Found], rule: Callable[[Found, Found], bool], why: str
) -> Iterator[Guess]:
    for pcs in left:
        fits = [bms for bms in free if rule(pcs, bms)]
        if len(fits) == 1 and sum(rule(one, fits[0]) for one in left) == 1:
            yield Guess((pcs,), tuple(fits), why)


def _last(left: Sequence[Found], free: Sequence[Found]) -> Iterator[Guess]:
    """In their order; a hybrid that speaks for its cells takes none, for it would be another's."""
    rest = [*free]
    for pcs in left:
        if pcs.hybrid or not rest:
            yield Guess((pcs,), (), "it tells the SoC of its cells itself" if pcs.hybrid else "no BMS was found")
        else:
            yield Guess((pcs,), (rest.pop(0),), "the only guess left")


def _same_link(pcs: Found, bms: Found) -> bool:
    ours, theirs = pcs.middle("dc_u"), bms.middle("u")
    return ours is not None and theirs is not None and theirs > 0 and abs(ours - theirs) <= VOLTS * theirs


def _with_choices(guess: Guess, every: Sequence[Guess], unclear: Sequence[Found]) -> Guess:
    """What else could be meant, with what was seen; nothing where the powers told it."""
    if guess.why.startswith("what ") or not guess.racks:
        return guess
    lines = list[str]()
    near = [one for one in unclear if _same_link(guess.pcs[0], one)]
    if near:
        racks = ", ".join(f'"{one.name}"' for one in (*guess.racks, *near))
        lines.append(f"bms = [{racks}]  # if these are racks in parallel; {_seen(guess.pcs[0], near)}")
    others = [one.pcs[0] for one in every if one is not guess and not one.racks and not one.pcs[0].hybrid]
    shared = [one for one in others if _same_link(one, guess.racks[0])]
    if shared:
        names = ", ".join(f'"{one.name}"' for one in (*guess.pcs, *shared))
        lines.append(f"pcs = [{names}]  # if they share these cells; then leave out the battery of {shared[0].name}")
    return Guess(guess.pcs, guess.racks, guess.why, tuple(lines))


def _seen(pcs: Found, racks: Sequence[Found]) -> str:
    volts = [f"{one.name} {one.middle('u') or 0:.0f} V" for one in racks]
    return f"{pcs.name} shows {pcs.middle('dc_u') or 0:.0f} V, {', '.join(volts)}"
