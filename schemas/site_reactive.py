"""The reactive power that the network operator wants at the grid connection."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.profile import Profile
from schemas.shape import Shape
from schemas.units import Number, Vars, Volts

Factor = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
"""A power factor: over-excited (feeds var in) when positive, under-excited (draws var) when negative."""
Corner = Annotated[list[Number], Field(min_length=2, max_length=2)]

RULES = ("q", "power_factor", "power_factor_at_power", "q_at_voltage", "meter_power_factor")
LEAST = 0.8
"""No inverter is asked for less: VDE-AR-N 4110 ends at 0.90, 4105 at 0.90 and most machines at 0.80."""


class Reactive(Shape):
    """Reactive power from the inverters of batteries and PV, inside their S-circle, active power first: of those that
    can be told one (`q_set`), or a power factor (`pf_set`). A PV inverter that sleeps takes no part. One of the rules.
    Signs are those of an inverter: positive feeds var in (over-excited)."""

    q: Vars | None = None
    """A fixed reactive power of the site, var. What one inverter cannot give the others do."""
    power_factor: Factor | None = None
    """A fixed power factor of each inverter."""
    power_factor_at_power: Annotated[list[Corner], Field(min_length=2)] | None = None
    """cos phi(P): corners of the power in per unit of the rating and of the power factor, such as
    `[[0.5, 1.0], [1.0, -0.95]]`."""
    q_at_voltage: Annotated[list[Corner], Field(min_length=2)] | None = None
    """Q(U): corners of the voltage in per unit of `nominal_voltage` and of the reactive power in per unit of the
    apparent power, such as `[[0.94, 0.33], [0.97, 0.0], [1.03, 0.0], [1.06, -0.33]]`."""
    nominal_voltage: Volts | None = Field(default=None, gt=0)
    """V between two phases, for `q_at_voltage`."""
    meter_power_factor: Annotated[float, Field(ge=LEAST, le=1, allow_inf_nan=False)] | None = None
    """The least power factor at the grid meter, whatever the site draws or feeds in, and in both directions."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [rule for rule in RULES if getattr(self, rule) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(RULES)}; given: {', '.join(given) or 'none'}")
        if (self.q_at_voltage is None) != (self.nominal_voltage is None):
            raise ValueError("`nominal_voltage` (V between two phases) goes with `q_at_voltage`, which needs it")
        if self.power_factor is not None and abs(self.power_factor) < LEAST:
            raise ValueError(
                f"power_factor {self.power_factor:g} is below {LEAST:g}, more than an inverter is built for"
            )
        for name in ("power_factor_at_power", "q_at_voltage"):
            _rising(name, getattr(self, name) or [])
        if any(not LEAST <= abs(factor) <= 1 for _, factor in self.power_factor_at_power or []):
            raise ValueError(f"power_factor_at_power: each factor lies from {LEAST:g} to 1, or from -1 to -{LEAST:g}")
        if any(abs(share) > 1 for _, share in self.q_at_voltage or []):
            raise ValueError("q_at_voltage: the reactive power is per unit of the apparent power, from -1 to 1")
        return self


NEEDED = {"meter_power_factor": (("q",),), "q_at_voltage": (("u_l12", "u_l23", "u_l31"), ("u_l1n", "u_l2n", "u_l3n"))}
"""Points of the grid meter that a rule needs: one of the groups."""


def wrong_reactive(
    rule: Reactive | None, meters: Mapping[str, Profile], inverters: Iterable[Profile]
) -> Iterator[tuple[str, str]]:
    """A rule that nobody could follow is none: where in the file, and what would be right. `meters`: of the grid, by
    name."""
    if rule is None:
        return
    if not any(one.commands.keys() & {"q_set", "q_set_pct", "pf_set"} for one in inverters):
        words = (
            "no pcs and no pv of the site can be told a reactive power: no profile has q_set or pf_set; leave it out"
        )
        yield "grid.reactive", words
    for name, groups in NEEDED.items():
        if getattr(rule, name) is None or any(all(_shows(one, group) for one in meters.values()) for group in groups):
            continue
        points = " or ".join(", ".join(group) for group in groups)
        mute = [one for one, profile in meters.items() if not any(_shows(profile, group) for group in groups)]
        lacks = f"the profile of {' and '.join(mute or meters)} has no {points}"
        yield f"grid.reactive.{name}", f"the grid meter does not show what it needs: {lacks}"


def _shows(meter: Profile, points: Iterable[str]) -> bool:
    return set(points) <= meter.points.keys()


def _rising(name: str, corners: list[list[float]]) -> None:
    for before, after in pairwise(corners):
        if after[0] <= before[0]:
            raise ValueError(f"{name}: the corners must rise, and {after[0]:g} comes after {before[0]:g}")
