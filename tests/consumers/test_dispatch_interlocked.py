"""Dispatch says which interlock keeps a battery from what is sought, has stopped it, or forbids its start."""

from pathlib import Path

import pytest

from consumers.dispatch.interlocked import Interlocked, named
from schemas.messages import Mode
from tests.consumers.test_dispatch_desk import Story, plant_site

DERATED = {"warm-bms": 50.0, "warmer-bms": 30.0}


@pytest.mark.parametrize(
    ("acting", "charging", "discharging", "stopped", "no_start"),
    [
        ({}, "", "", "", ""),
        ({"cold-bms": ["block_charge"]}, "charging is blocked by interlock cold-bms", "", "", ""),
        ({"empty-bms": ["block_discharge"]}, "", "discharging is blocked by interlock empty-bms", "", ""),
        (
            {"door-pcs": ["zero", "block_start"], "cold-bms": ["block_charge"]},
            "charging is blocked by interlocks door-pcs, cold-bms",
            "discharging is blocked by interlock door-pcs",
            "",
            "interlock door-pcs",
        ),
        (
            {"fire-inputs": ["lock_out"]},
            "charging is blocked by interlock fire-inputs",
            "discharging is blocked by interlock fire-inputs",
            "interlock fire-inputs",
            "interlock fire-inputs",
        ),
        (
            {"warm-bms": ["derate"], "warmer-bms": ["derate_charge"]},
            "charging is limited to 30 % of the rated power by interlocks warm-bms, warmer-bms",
            "discharging is limited to 50 % of the rated power by interlock warm-bms",
            "",
            "",
        ),
        ({"newer-bms": ["melts"]}, "", "", "", ""),
    ],
)  # fmt: skip
def test_words(acting: dict[str, list[str]], charging: str, discharging: str, stopped: str, no_start: str) -> None:
    said = Interlocked(acting, DERATED)
    assert (said.holds(-1.0), said.holds(0.0), said.holds(1.0)) == (charging, "", discharging)
    assert (said.stopped, said.no_start) == (stopped, no_start)


@pytest.mark.parametrize(
    ("source", "says"), [("interlock:door-pcs", "interlock door-pcs"), ("dso:limit", "dso:limit"), ("odd", "odd")]
)
def test_a_limit_in_a_sentence(source: str, says: str) -> None:
    assert named(source) == says


def test_the_headline_and_the_command_name_what_blocks_only_where_it_binds(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.hear_all(grid=30e3)
    story.desk.batteries["pcs1"].interlocked = Interlocked({"cold-bms1": ["block_charge"]})
    order = story.order()
    assert order is not None
    assert "cold" not in order.wanted.reason + story.desk.doing.reason, "it discharges"
    story.desk.batteries["pcs1"].interlocked = Interlocked({"empty-bms1": ["block_discharge"]})
    order = story.order()
    assert order is not None
    for words in (order.wanted.reason, story.desk.doing.reason, story.desk.detail):
        assert "; but discharging is blocked by interlock empty-bms1" in words


def test_who_has_stopped_it_is_named(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.hear_all(state="running")
    story.order()
    story.hear_all(state="off")
    story.desk.batteries["pcs1"].interlocked = Interlocked({"fire-inputs": ["lock_out"]})
    assert story.order() is None
    assert "stopped by interlock fire-inputs" in story.desk.detail
    assert story.desk.control is not None
    assert story.desk.control.mode.mode is Mode.AUTO
