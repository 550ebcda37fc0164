"""Several meters that measure one grid connection together: what stands for them, and what of it is a sum. Pure.

Two transformers, each with its meter, are one connection: its power is the sum of theirs. For all who need it the
meters are one more device, `grid`, that has no address and is read by nobody; the bridge that reads them makes its
readings.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from schemas.profile import Profile
from schemas.site_device import UNSAID, Device
from schemas.site_grid import SUM
from schemas.units import Kind

Place = tuple[str | int, ...]

HOW: Mapping[str, str] = {
    "p": "sum", "p_l1": "sum", "p_l2": "sum", "p_l3": "sum",
    "q": "sum", "q_l1": "sum", "q_l2": "sum", "q_l3": "sum",
    "i": "sum", "i_l1": "sum", "i_l2": "sum", "i_l3": "sum",
    "e_import": "counter", "e_export": "counter", "eq_import": "sum", "eq_export": "sum",
    "s": "apparent", "pf": "factor",
    "u_l1n": "mean", "u_l2n": "mean", "u_l3n": "mean", "u_l12": "mean", "u_l23": "mean", "u_l31": "mean",
    "f": "any",
}  # fmt: skip
"""What becomes of a point that all of them have. One without a row is of its meter alone: a name, a distortion, the
apparent power of a phase. Reactive energies are judged by nobody, so none is carried on."""
ANYWHERE = {"low": None, "high": None, "steepest": None, "sign": None}
"""Bounds are those of one meter, and its reading was judged by them already."""
MADE_OF = {"s": ("p", "q"), "pf": ("p", "q")}
"""Points that are reckoned from others of the sum."""


def mistakes(meters: Sequence[str], names: Collection[str]) -> Iterator[tuple[Place, str]]:
    """Of `grid.meter`, beside what exists."""
    if len(meters) > 1 and SUM in names:
        words = f"device {SUM!r} has the name that the sum of {' and '.join(meters)} gets: call it otherwise"
        yield ("device", [*names].index(SUM), "name"), words


def together(members: Sequence[Device]) -> Device:
    """What stands for them: as slow, as late and as averaged as the worst of them."""
    late = [one.late for one in members]
    known = max((seconds for seconds in late if seconds is not None), default=None)
    if known is not None and None in late:
        known = max(known, UNSAID)
    summed = Device.model_construct(
        name=SUM, profile="sum", address="", poll=max(one.poll for one in members), delay=known
    )
    summed._members = tuple(one.name for one in members)
    return summed


def summed_profile(profiles: Sequence[Profile]) -> Profile:
    """The points that all of them have and that make one of the whole. Its registers are those of the first."""
    common = [name for name in profiles[0].points if all(name in one.points for one in profiles)]
    points = {
        name: profiles[0].points[name].model_copy(update=ANYWHERE | {"rate": _slowest(name, profiles)})
        for name in common
        if name in HOW and all(part in common for part in MADE_OF.get(name, ()))
    }
    return Profile.model_construct(
        make="several", model="their sum", kind=Kind.METER, source="the meters of the site", frozen_after=0.0,
        points=points,
    )  # fmt: skip


def _slowest(point: str, profiles: Sequence[Profile]) -> str:
    return "slow" if any(one.points[point].rate == "slow" for one in profiles) else "fast"
