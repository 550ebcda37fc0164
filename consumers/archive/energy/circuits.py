"""Which counters count which power of a device: what its energies are made of. Pure.

A counter is taken only where it counts at the same place as the power does: the DC counters of an inverter whose `p` is
that of its AC side would leave its losses out of the site's balance. So they count for a hybrid, whose `p` is its
battery's.
"""

from collections.abc import Iterator
from typing import NamedTuple

from schemas.profile import Profile
from schemas.site import Site
from schemas.site_powers import rated_through, through_the_site
from schemas.units import Kind

PV = "pv_p"
"""What the PV of a hybrid is called, in one point or as the sum of its inputs."""

STEP = 1000.0
"""Wh of a counter whose device tells its scale itself: of none that we know is it more."""


class Circuit(NamedTuple):
    """One power of a device, with the counters that count it; an empty name where its profile has none."""

    point: str
    """What its energies are stored as."""
    powers: tuple[str, ...]
    """Points that add up to it."""
    out: str
    into: str
    one_way: bool = False
    """What flows the other way is next to nothing: 0 where nobody measures it."""
    most: float = 0.0
    """W that can go through it."""
    step: float = 1.0
    """Wh in which its counters move."""


_COUNTERS = {
    Kind.METER: ("e_import", "e_export", False),
    Kind.LOAD: ("e_import", "e_export", True),
    Kind.PV: ("e_inj_total", "e_abs_total", True),
    Kind.BMS: ("e_discharge_total", "e_charge_total", False),
    Kind.PCS: ("e_inj_total", "e_abs_total", False),
}
"""Out, in, whether it is one-way. The `p` of a meter and of a load is positive for what is drawn. A sensor has none."""
_HYBRID = ("e_dc_discharge", "e_dc_charge", False)


def circuits(profile: Profile, most: float) -> Iterator[Circuit]:
    """Those of a make and model. `most`: W that can go through the device."""
    own = _COUNTERS.get(profile.kind)
    if own is None:
        return
    hybrid = profile.kind is Kind.PCS and ("ac_p" in profile.points or bool(profile.pv_points))
    out, into, one_way = _HYBRID if hybrid else own
    if found := _circuit(profile, "p", ("p",), (out, into), one_way=one_way, most=most):
        yield found
    if profile.pv_points and (
        found := _circuit(profile, PV, tuple(profile.pv_points), ("e_pv_total", ""), one_way=True, most=2 * most)
    ):  # an inverter bears more PV than its AC side is rated for: what is too much goes into the battery
        yield found


def of_site(site: Site) -> dict[str, list[Circuit]]:
    """Those of each device that has some."""
    rated = {one.name: rated_through(site, one.name) or through_the_site(site) for one in site.devices}
    found = {name: [*circuits(site.profiles[name], most)] for name, most in rated.items()}
    return {name: some for name, some in found.items() if some}


def _circuit(
    profile: Profile, point: str, powers: tuple[str, ...], counters: tuple[str, str], *, one_way: bool, most: float
) -> Circuit | None:
    measured = powers if all(one in profile.points for one in powers) else ()
    out, into = (one if one in profile.points else "" for one in counters)
    if not measured and not (out and (into or one_way)):
        return None
    steps = [
        STEP if one.scale_register is not None else abs(one.scale)
        for one in map(profile.points.get, (out, into))
        if one
    ]
    return Circuit(point, measured, out, into, one_way, most, max(steps, default=1.0))
