"""Plans for what limits a real battery: taper, derates, reserves, CO2, batteries that are apart, and how they fail."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.storage import Part, Storage
from optimizer.taper import Taper, at, lines
from optimizer.verify import verify
from schemas.messages import Plan
from tests.optimizer.outlooks import BERLIN, NOON, battery, charge, grid, outlook, prices_by_hour, wild


def good(look: Outlook) -> Plan:
    found = plan(look)
    assert verify(found, look) == []
    return found


def stored(found: Plan, look: Outlook) -> list[float]:
    """kWh at the end of each step."""
    return [look.battery.energy * step.soc / 1e5 for step in found.steps]


@st.composite
def reserved(draw: st.DrawFn) -> Outlook:
    """Anything that could happen at a site, and anything that somebody may want kept beside."""
    look = draw(wild())
    n, rated, energy = len(look.starts), look.rated, look.battery.energy

    def some(most: float) -> Any:
        one = st.floats(0, most).map(lambda number: round(number, 3))
        return draw(st.one_of(st.just(0.0), one, st.lists(one, min_size=n, max_size=n).map(np.array)))

    powers = st.floats(0, 1.2 * rated)
    socs = st.lists(st.integers(0, 100), min_size=1, max_size=5, unique=True).map(sorted)
    taper = tuple(Taper(soc, draw(powers), draw(powers)) for soc in draw(st.one_of(st.just([]), socs)))
    part = st.builds(Part, st.floats(0, rated), st.floats(0, energy), st.floats(0, energy))
    return replace(
        look,
        battery=replace(look.battery, taper=taper, parts=tuple(draw(st.lists(part, max_size=3)))),
        allowed_charge=rated - some(rated),
        allowed_discharge=rated - some(rated),
        up=some(rated),
        down=some(rated),
        floor=some(1.1 * energy),
        ceiling=energy - some(energy),
        carbon=some(0.1),
        ramp=draw(st.sampled_from([np.inf, 20e3, 5.0])),
        inside=some(rated / 2),
    )


@settings(max_examples=60)
@given(reserved())
def test_whatever_is_reserved_there_is_a_plan_and_it_is_right(look: Outlook) -> None:
    good(look)
