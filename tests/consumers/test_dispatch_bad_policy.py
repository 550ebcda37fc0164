"""A plan whose policy says no clear thing is refused and said; the last one goes on."""

import json
from pathlib import Path

import pytest

from consumers.dispatch.service import Dispatch
from runtime.heard import Heard, read
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.topics import PLAN
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_policy import HOLD, plan
from tests.virtual import virtual

BAD = {
    "no number": ("[[0, NaN], [60000, 0]]", "policy"),
    "without end": ("[[0, 0], [Infinity, 0]]", "policy"),
    "unsorted": ("[[60000, 0], [0, 0], [90000, 30000]]", "the net loads must rise: 0 W stands behind 60000 W"),
    "one pair": ("[[0, 50000]]", "one pair says nothing of another net load"),
    "more than a plant has": ("[[0, 0], [60000, 1e15]]", "no plant has that"),
    "a pair of three": ("[[0, 0, 0], [60000, 0, 0]]", "policy"),
    "words": ('[["much", "little"]]', "policy"),
}


def told(policy: str) -> bytes:
    said = json.loads(plan(HOLD).model_dump_json())
    said["steps"][0]["policy"] = "HERE"
    return json.dumps(said).replace('"HERE"', policy).encode()


def test_a_good_one_is_read() -> None:
    assert read(PLAN, told(json.dumps(HOLD)))[1] == ""
    assert read(PLAN, told("[]"))[1] == ""
    assert read(PLAN, told("[[0, 0], [60000, 0], [60000, 30000]]"))[1] == "", "a step"


@pytest.mark.parametrize("kind", BAD)
def test_a_table_that_says_no_clear_thing_is_refused_with_its_place(kind: str) -> None:
    policy, words = BAD[kind]
    message, fault = read(PLAN, told(policy))
    assert message is None
    assert fault.startswith("steps.0.policy")
    assert words in fault


@virtual
async def test_dispatch_says_it_and_keeps_the_last_one(tmp_path: Path) -> None:
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "dispatch", None, {}), "", None, tmp_path)
    dispatch = Dispatch(Part("dispatch", plant_site(tmp_path), settings))

    async def hears(payload: bytes) -> None:
        message, fault = read(PLAN, payload)
        await dispatch._hear(Heard(PLAN, {"site": "plant"}, message, fault, payload, retained=True, mid=1))

    await hears(told(json.dumps(HOLD)))
    last = dispatch.desk.plans.latest
    assert last is not None
    await hears(told("[[60000, 0], [0, 0]]"))
    assert dispatch.desk.plans.latest == last
    assert dispatch.part.counts["refused_plans"] == 1
    dispatch._instruct()
    assert "the last plan cannot be read: steps.0.policy" in dispatch.part.detail
    await hears(told(json.dumps(HOLD)))
    dispatch._instruct()
    assert "cannot be read" not in dispatch.part.detail
    await hears(b"")
    assert dispatch.desk.plans.latest is None, "taken back"
    dispatch.close()
