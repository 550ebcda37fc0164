"""Why a quarter cost something else than planned: each cause by a story, and parts that add up."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.actual_against_plan import (
    LIMITS,
    ORDERED,
    STATUS,
    Band,
    Evidence,
    Held,
    Planned,
    Split,
    Why,
    limits,
    split,
    why_limited,
)
from optimizer.billing import Window
from optimizer.demand_share import Closing, Share
from optimizer.money import Energies, Prices, paid
from schemas.messages import Authority
from schemas.messages import Cause as Said
from schemas.tables import CAUSES
from schemas.tariff import Demand

AT = datetime(2026, 6, 1, 16, tzinfo=UTC)
PRICES = Prices(0.30, 0.10)
PLANNED = Planned(grid=0.0, power=40_000.0, prices=PRICES)
"""40 kW of load, all of it out of the battery: 10 kWh in a quarter."""


def held(energy: float, why: Why = Why.CLAMP, seconds: float = 900.0) -> dict[Why, Held]:
    return {why: Held(seconds, energy)}


COMMANDED = held(10e3)


def told(energies: Energies, evidence: Evidence, share: Share | None = None, planned: Planned = PLANNED) -> Split:
    found = split(energies, PRICES, share or Share(), planned, evidence, wear_price=0.0)
    assert found is not None
    assert sum(found.parts.values()) + found.planned == pytest.approx(
        paid(energies.imported or 0, energies.exported or 0, PRICES) + (share or Share()).at(energies.imported or 0)
    )
    return found


def gave(battery: float, load: float = 10_000.0) -> Energies:
    """A quarter in which the battery gave so many Wh into a load."""
    grid = load - battery
    return Energies(max(grid, 0.0), max(-grid, 0.0), pv=0.0, battery=battery, wear=0.0)


STORIES = {
    "as planned": (gave(10_000), Evidence(behind=COMMANDED), {}),
    "the BMS allowed 16 kW": (
        gave(4_000),
        Evidence(bands=(Band(-25e3, 4e3, Why.DERATE),), told=4e3, behind=held(4e3), rated=1e5),
        {Why.DERATE: 1.80},
    ),
    "a limit let nothing be fed in, and less was used": (
        gave(6_000, load=6_000),
        Evidence(bands=(Band(-9e9, 6e3, Why.LIMIT),), behind=COMMANDED),
        {Why.FORECAST: -0.40, Why.LIMIT: 0.40},  # 4 kWh fed in at 0.10 by the plan's battery
    ),
    "less was used, and the battery followed": (
        gave(6_000, load=6_000),
        Evidence(told=6e3, behind=held(6e3), rated=1e5),
        {Why.FORECAST: 0.0},
    ),
    "dispatch was silent": (gave(0), Evidence(told=0.0, behind=held(0.0, Why.LOST)), {Why.LOST: 3.0}),
    "half of the time silent, half by hand": (
        gave(0),
        Evidence(told=0.0, behind=held(0.0, Why.LOST, 450.0) | held(0.0, Why.OPERATOR, 450.0)),
        {Why.LOST: 1.5, Why.OPERATOR: 1.5},
    ),
    "its own rules: the SoC": (gave(2_000), Evidence(told=2e3, behind=held(2e3)), {Why.CLAMP: 2.4}),
    "the PCS had tripped": (
        gave(0),
        Evidence(told=10e3, behind=COMMANDED, device=Why.DERATE, rated=1e5),
        {Why.DERATE: 3.0},
    ),
    "it was commanded, and the bridge let less pass": (
        gave(4_000),
        Evidence(wanted=10e3, behind=COMMANDED, limited={Why.DERATE: 3.0, Why.CLAMP: 1.0}),
        {Why.DERATE: 1.35, Why.CLAMP: 0.45},
    ),
    "half of what it was commanded, and a PCS that shows no setpoint": (
        gave(3_000),
        Evidence(wanted=6e3, behind=held(6e3, Why.OPERATOR), device=Why.DERATE, rated=1e5),
        {Why.OPERATOR: 1.2, Why.DERATE: 0.9},
    ),
    "nothing is known": (gave(0), Evidence(), {Why.UNKNOWN: 3.0}),
    "it gave more than it was told, and nobody knows why": (
        gave(15_000),
        Evidence(told=10e3, behind=COMMANDED, rated=1e5),
        {Why.UNKNOWN: -0.5},
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    energies, evidence, expected = STORIES[name]
    found = told(energies, evidence)
    assert found.parts == pytest.approx(dict.fromkeys(Why, 0.0) | expected)


def test_a_peak_that_was_not_planned_is_counted_where_it_came_from() -> None:
    """40 kW drawn for the quarter, at 10 per kW and month, where 15 kW were due already: 250, and 3.00 of energy."""
    share = Share(closings=(Closing(Demand(price=10.0), 0.0, 15_000.0, Window(AT, 0.0, 0.0), 900.0),))
    found = told(gave(0), Evidence(told=0.0, behind=held(0.0, Why.LOST)), share)
    assert found.parts[Why.LOST] == pytest.approx(253.0)


def test_a_price_that_was_borrowed_is_an_error_of_the_forecast() -> None:
    planned = Planned(grid=40_000.0, power=0.0, prices=Prices(0.25, 0.10))
    found = told(gave(0), Evidence(), planned=planned)
    assert found.planned == pytest.approx(2.5)
    assert found.parts[Why.FORECAST] == pytest.approx(0.5)


WH, MORE = st.floats(0, 50_000), st.floats(-50_000, 50_000)
BANDS = st.builds(
    lambda ends, why: Band(min(ends), max(ends), why), st.tuples(MORE, MORE), st.sampled_from([Why.LIMIT, Why.DERATE])
)
EVIDENCE = st.builds(
    Evidence,
    bands=st.lists(BANDS, max_size=3).map(tuple),
    wanted=st.none() | MORE,
    told=st.none() | MORE,
    limited=st.dictionaries(st.sampled_from(Why), st.floats(0, 900)),
    behind=st.dictionaries(st.sampled_from(Why), st.builds(Held, st.floats(0, 900), MORE)),
    device=st.sampled_from(Why),
    rated=WH,
)
WORLD = st.builds(lambda i, e, b, w: Energies(i, e, pv=0.0, battery=b, wear=w), WH, WH, MORE, st.floats(0, 5))
CLOSINGS = st.builds(
    Closing,
    st.just(Demand(price=12.0, floor=2.0)),
    st.just(2000.0),
    WH,
    st.builds(Window, st.just(AT), WH, st.sampled_from([900.0, 2700.0])),
    st.sampled_from([0.0, 830.0, 900.0]),
)
MEANT = st.builds(Planned, MORE, MORE, st.builds(Prices, st.floats(-1, 1), st.floats(-1, 1)))


@given(WORLD, MEANT, EVIDENCE, CLOSINGS, st.floats(0, 0.1))
def test_the_parts_add_up_to_the_difference(
    energies: Energies, planned: Planned, evidence: Evidence, closing: Closing, wear: float
) -> None:
    share = Share(3.0, (closing,))
    found = split(energies, PRICES, share, planned, evidence, wear_price=wear)
    assert found is not None
    assert energies.imported is not None
    assert energies.exported is not None
    actual = paid(energies.imported, energies.exported, PRICES) + share.at(energies.imported) + (energies.wear or 0.0)
    assert found.planned + sum(found.parts.values()) == pytest.approx(actual, abs=1e-6)


def test_what_is_not_measured_is_not_split() -> None:
    assert split(Energies(1.0, 0.0), PRICES, Share(), PLANNED, Evidence(), wear_price=0.0) is None


def test_every_limit_that_is_documented_has_its_cause() -> None:
    page = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")
    section = page.split("## Limits\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == set(LIMITS)
    assert why_limited("pcs2:range") is Why.DERATE
    assert why_limited("dso:limit") is Why.LIMIT
    assert why_limited("interlock:door") is Why.DERATE
    assert why_limited("loop:swinging") is Why.CLAMP
    assert why_limited("moon:phase") is Why.UNKNOWN


def test_every_authority_and_every_column_is_known() -> None:
    assert set(ORDERED) == set(Authority)
    assert set(STATUS) <= {one.value for one in Said}
    assert tuple(why.value for why in Why) == CAUSES


def test_what_limited_a_command_has_its_cause() -> None:
    limited = {"bms:current": 3000.0, "battery:ramp": 1000.0, "pcs:rated_power": 500.0, "site:grid": 0.0}
    assert limits(limited) == {Why.DERATE: 3500.0, Why.CLAMP: 1000.0}
