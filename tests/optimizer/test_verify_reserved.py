"""The second code path knows cells, reserves, CO2, caps and policies by itself: each broken plan has its words."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optimizer.bill import carbon, cost
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.refused import record
from optimizer.storage import Part, Storage
from optimizer.taper import Taper
from optimizer.verify import verify
from schemas.messages import Plan, Step
from tests.optimizer.outlooks import NOON, charge, grid, outlook, prices_by_hour

CELLS = Storage(
    200e3,
    taper=(Taper(0, 100e3, 0.0), Taper(20, 100e3, 100e3), Taper(80, 100e3, 100e3), Taper(90, 20e3, 100e3)),
)
LOOK = replace(
    outlook(6, buy=prices_by_hour(hours=6), demand=15.0, billed=120e3, grid=grid(import_limit=160e3), soc=60.0),
    battery=CELLS,
    floor=60e3,
    ceiling=170e3,
    up=20e3,
    down=30e3,
    carbon=0.02,
    ramp=100.0,
    allowed_charge=60e3,
)
GOOD = plan(LOOK)
LAST = len(GOOD.steps) - 1
RIGHT = [(-100e3, 0.0), (50e3, 0.0), (120e3, 40e3)]


def stepped(index: int, made: Plan = GOOD, **values: Any) -> Plan:
    steps = list(made.steps)
    steps[index] = steps[index].model_copy(update=values)
    return made.model_copy(update={"steps": steps})


def walked(powers: Sequence[float], look: Outlook = LOOK) -> Plan:
    """A plan whose every number follows from other powers, its cost as well: only what it does is wrong."""
    full = np.array([*powers, *[0.0] * (len(GOOD.steps) - len(powers))])
    soc, steps = look.soc, list[Step]()
    for step, power, hours in zip(GOOD.steps, full.tolist(), look.hours.tolist(), strict=True):
        cells = power / 0.95 if power > 0 else power * 0.95
        soc -= cells * hours / look.battery.energy * 100
        steps.append(step.model_copy(update={"power": power, "soc": soc, "grid": step.load - step.pv - power}))
    return GOOD.model_copy(update={"steps": steps, "cost": cost(look, full), "carbon": carbon(look, full)})


BROKEN: dict[str, tuple[Plan, str]] = {
    "more than the BMS allows": (walked([-65e3]), "-65000 W is more than may be charged now (60000 W)"),
    "faster than the cells take": (walked([-40e3] * 6), "may be charged at 88"),
    "below what is reserved": (walked([60e3] * 5), "41.1 kWh in the battery, and 60.0 kWh are reserved"),
    "no room for a reserve": (walked([-50e3] * 5), "leave no room above 170.0 kWh"),
    "no power kept to give": (walked([90e3]), "90000 W leave 10000 W of the 20000 W that are reserved"),
    "no power kept to take": (walked([-50e3]), "-50000 W leave 10000 W of the 30000 W that are reserved"),
    "faster than its ramp": (walked([50e3, -50e3]), "the power changes by 100000 W, more than its ramp of 100 W/s"),
    "a wrong price of its CO2": (GOOD.model_copy(update={"carbon": GOOD.carbon + 1}), "its CO2 costs"),
    "a wrong price of the CO2 at rest": (GOOD.model_copy(update={"carbon_idle": 0.0}), "the CO2 of idling costs"),
    "a policy that is not a number": (stepped(1, policy=[(0.0, math.nan)]), "not every number of its policy"),
    "a policy without an order": (stepped(1, policy=[(50e3, 0.0), (50e3, 9e3)]), "net loads of its policy do not rise"),
    "a policy beyond the PCS": (
        stepped(1, policy=[(0.0, 0.0), (9e5, 110e3)]),
        "its policy gives 110000 W at a net load",
    ),
    "a policy beyond the BMS": (stepped(1, policy=[(-9e4, -70e3)]), "and 60000 W may be charged"),
    "a cap below what is billed": (stepped(2, cap=100e3), "its cap of 100000 W is below the 120000 W that are billed"),
    "a cap that is nothing": (stepped(2, cap=math.inf), "its cap is not finite"),
}


def test_a_good_plan_passes_with_its_policy_and_its_cap() -> None:
    assert verify(GOOD, LOOK) == []
    assert verify(stepped(1, policy=RIGHT, cap=120e3), LOOK) == []
    assert max(step.power for step in GOOD.steps) > 10e3, "it does something"


@pytest.mark.parametrize(("broken", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plan_is_found(broken: Plan, words: str) -> None:
    wrong = verify(broken, LOOK)
    assert any(words in sentence for sentence in wrong), wrong


def test_a_policy_gives_no_energy_that_is_not_there() -> None:
    low = outlook(2, soc=12.0)
    rests = plan(low)
    assert verify(stepped(0, rests, policy=[(0.0, 0.0), (90e3, 90e3)]), low) == [
        "10 Jun 10:00Z: its policy gives 90000 W at a net load of 90000 W, and 12.0 % SoC have not so much"
    ]
    full = outlook(2, soc=89.0)
    assert len(verify(stepped(0, plan(full), policy=[(-90e3, -90e3), (0.0, 0.0)]), full)) == 1


def test_a_cap_is_held_against_the_demand_whose_hours_it_is() -> None:
    evening = charge(name="evening", demand=20.0, billed=90e3, hours=[{"start": "18:00", "end": "20:00"}])
    look = outlook(8, charges=[evening])
    assert verify(stepped(0, plan(look), cap=10e3), look) == [], "nothing is billed at noon"
    assert "is below the 90000 W" in verify(stepped(25, plan(look), cap=10e3), look)[0]


def test_what_idling_does_wrong_is_no_measure() -> None:
    """To fill a reserve costs more than to rest; and what insures against a load that is not known may."""
    bare = outlook(6, soc=30.0, load=50e3)
    filled = plan(kept := replace(bare, floor=75e3))
    assert verify(filled, kept) == []
    assert any("dearer than idling" in words for words in verify(filled, bare))
    unsure = replace(bare, charges=[charge(demand=15.0, billed=90e3)], spread=10e3)
    insured = plan(replace(unsure, floor=75e3))
    assert verify(insured, unsure) == []


BUSY = outlook(6, load=150e3, buy=([0.05] * 4 + [0.9] * 8) * 2, soc=60.0)
FORGOTTEN: dict[str, tuple[dict[str, Any], str]] = {
    "taper": ({"battery": CELLS}, "may be charged at"),
    "empty cells": (
        {"battery": replace(CELLS, taper=(Taper(10, 1e5, 0.0), Taper(40, 1e5, 1e5)))},
        "may be discharged at",
    ),
    "ramp": ({"ramp": 100.0}, "more than its ramp"),
    "floor": ({"floor": 100e3}, "are reserved"),
    "ceiling": ({"ceiling": 150e3}, "leave no room"),
    "up": ({"up": 30e3}, "W that are reserved"),
    "down": ({"down": 30e3}, "W that are reserved"),
    "a BMS that allows little": ({"allowed_charge": 60e3}, "may be charged now"),
    "PV in the way": ({"inside": 40e3}, "may be discharged now"),
    "CO2": ({"carbon": 0.02}, "its CO2 costs"),
    "one is empty": (
        {"battery": replace(BUSY.battery, parts=(Part(50e3, 80e3, 0.0), Part(50e3, 0.0, 80e3)))},
        "put in",
    ),
    "a limit": ({"grid": grid(import_limit=200e3)}, "beyond its limit"),
    "a demand": ({"charges": [charge(demand=15.0, billed=90e3)]}, "idling costs"),
}


@pytest.mark.parametrize(("what", "words"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_planner_that_forgets_is_found_out(what: dict[str, Any], words: str) -> None:
    """The plan that is best without it, consistent in each number, against what it should have been made for."""
    look = replace(BUSY, **what)
    wrong = verify(plan(BUSY), look)
    assert any(words in sentence for sentence in wrong), wrong
    assert verify(plan(look), look) == []


def test_a_refused_plan_is_kept_with_its_reasons_and_what_it_was_made_from() -> None:
    broken, words = BROKEN["below what is reserved"]
    kept = json.loads(json.dumps(record(broken, LOOK, [words]), allow_nan=False))
    assert kept["reasons"] == [words]
    assert Plan.model_validate(kept["plan"], strict=False) == Plan.model_validate_json(broken.model_dump_json())
    assert kept["outlook"]["battery"]["taper"][1] == [20, 100e3, 100e3]
    assert kept["outlook"]["load"] == [50e3] * len(LOOK.starts)
    assert kept["outlook"]["allowed_discharge"] is None
    assert kept["outlook"]["charges"][0]["peaks"] == {"2026-05-31T22:00:00+00:00": 120e3}
    assert kept["outlook"]["starts"][0] == NOON.isoformat()
