"""What dispatch says it does, as stories: of the site and of each battery, typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.account import account, undecided
from schemas.messages import Action, Authority, BatteryDispatch, Cause, ControlDispatch, ControlRequest, Mode
from tests.consumers.test_dispatch_batteries import Both, two
from tests.consumers.test_dispatch_desk import Story, plant_site


def told(story: Story) -> ControlDispatch:
    """What goes out now, and what is said of it."""
    sent = story.desk.instruct(story.now, story.second)
    for pcs, order in sent.items():
        story.desk.sends(f"dispatch-{story.second:.0f}-{pcs}", pcs, order)
    said = account(story.desk, sent, story.now, story.second)
    assert said is not None
    for one in story.desk.batteries.values():  # what is said is what is sent
        goes, mine = sent.get(one.pcs), said.batteries[one.battery.name]
        assert mine.action == (goes.action if goes else None)
        assert mine.power == (goes.wanted.power if goes and not goes.action else None)
        assert mine.reason
    return said


def works(both: Both) -> None:
    both.hear_both(grid=90e3)


def one_is_off(both: Both) -> None:
    both.hear_both(grid=90e3, states=("running", "off"))


def one_has_no_bms(both: Both) -> None:
    for _ in range(3):
        both.hear_both(grid=90e3, silent=("bms2",))


def none_has_a_bms(both: Both) -> None:
    for _ in range(3):
        both.hear_both(grid=90e3, silent=("bms1", "bms2"))


def all_silent(both: Both) -> None:
    both.hear_both()
    both.second += 20


def one_runs_the_wrong_way(both: Both) -> None:
    both.hear_both(grid=90e3)
    both.orders()
    both.says("pcs2", "not_obeyed", Cause.REVERSED, reason="the wrong way")
    both.hear_both(grid=90e3)


def and_falls_silent(both: Both) -> None:
    one_runs_the_wrong_way(both)
    for _ in range(5):
        both.hear_both(grid=90e3, silent=("pcs2",))


def one_is_not_held(both: Both) -> None:
    both.hear_both(grid=90e3)
    both.orders()
    both.says("pcs2", "failed", Cause.NOT_HELD, reason="it reads 0")
    both.hear_both(grid=90e3)


def a_lockout(both: Both) -> None:
    both.hear_both(powers=(50e3, 0.0))
    both.ask("lockout", why="fire")
    both.hear_both(powers=(50e3, 0.0), states=("running", "off"))


def at_the_device(both: Both) -> None:
    both.hear_both()
    both.ask("local", until=both.now.replace(hour=12))


def of(battery: BatteryDispatch) -> tuple[bool, float | None, Action | None]:
    return battery.takes_part, battery.power, battery.action


COVERS = "no valid plan: covers the load"
STORIES: dict[str, tuple[Callable[[Both], None], dict[str, Any], tuple[str, Any], tuple[str, Any]]] = {
    "both work": (
        works,
        {"mode": Mode.AUTO, "power": 90e3, "authority": Authority.SELF_CONSUMPTION, "reason": COVERS},
        (COVERS, (True, 60e3, None)),
        (COVERS, (True, 30e3, None)),
    ),
    "one is off": (
        one_is_off,
        {"power": 90e3, "reason": COVERS},
        (COVERS, (True, 90e3, None)),
        ("pcs2 is off, and it was not we", (False, None, None)),
    ),
    "one has no BMS": (
        one_has_no_bms,
        {"power": 90e3, "reason": COVERS},
        (COVERS, (True, 90e3, None)),
        ("rests: the BMS does not say", (False, 0.0, None)),
    ),
    "none has a BMS": (
        none_has_a_bms,
        {"power": 0.0, "reason": "rests: the BMS does not say"},
        ("rests: the BMS does not say", (False, 0.0, None)),
        ("rests: the BMS does not say", (False, 0.0, None)),
    ),
    "all silent": (
        all_silent,
        {"power": None, "authority": None, "reason": "no battery can be steered"},
        ("pcs1 is silent; nothing is sent", (False, None, None)),
        ("pcs2 is silent; nothing is sent", (False, None, None)),
    ),
    "a lockout": (
        a_lockout,
        {"mode": Mode.LOCKOUT, "power": None, "reason": "lockout by anna: fire"},
        ("rests before the stop", (False, 0.0, None)),
        ("the PCS is stopped", (False, None, None)),
    ),
    "at the device": (
        at_the_device,
        {"mode": Mode.LOCAL, "power": None, "reason": "anna steers at the device; nothing is sent"},
        ("anna steers at the device", (False, None, None)),
        ("anna steers at the device", (False, None, None)),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_it_says_of_the_site_and_of_each_battery_what_it_does_and_why(tmp_path: Path, story: str) -> None:
    both = Both(two(tmp_path))
    play, site, hall, yard = STORIES[story]
    play(both)
    said = told(both)
    found = said.model_dump(include=set(site))
    assert site["reason"] in found.pop("reason")
    assert found == {name: value for name, value in site.items() if name != "reason"}
    assert not said.read_only
    for (words, does), battery in ((hall, said.batteries["hall"]), (yard, said.batteries["yard"])):
        assert (battery.reason.startswith(words), of(battery)) == (True, does), battery.reason


@pytest.mark.parametrize("play", [one_runs_the_wrong_way, and_falls_silent])
def test_one_that_is_locked_out_alone_says_for_what(tmp_path: Path, play: Callable[[Both], None]) -> None:
    both = Both(two(tmp_path))
    play(both)
    said = told(both)
    assert [one.locked_out for one in said.batteries.values()] == ["", "reversed: the wrong way"]
    assert [one.takes_part for one in said.batteries.values()] == [True, False]
    assert "yard takes no part: locked out alone: reversed: the wrong way" in both.desk.detail


def test_what_the_bridge_objects_to_stands_with_its_battery_and_goes(tmp_path: Path) -> None:
    both = Both(two(tmp_path))
    one_is_not_held(both)
    assert [one.complaint for one in told(both).batteries.values()] == ["", "not_held: it reads 0"]
    assert both.desk.detail.endswith("; yard: not_held: it reads 0")
    both.second += 61
    assert [one.complaint for one in told(both).batteries.values()] == ["", ""]


def test_a_grid_mode_is_said_as_what_it_is(tmp_path: Path) -> None:
    """Of the two PCS only pcs1 knows it."""
    both = Both(two(tmp_path))
    both.ask("lockout")
    both.hear_both(states=("off", "off"))
    told(both)
    asks = ControlRequest(at=both.now, action=Action.GRID_FORMING, who="anna", why="island test")
    assert both.desk.hear(asks, both.now, both.second).followed
    said = told(both)
    assert (said.mode, said.action, said.reason) == (
        Mode.LOCKOUT,
        Action.GRID_FORMING,
        "grid_forming, asked by anna: island test",
    )
    assert of(said.batteries["hall"]) == (False, None, Action.GRID_FORMING)
    assert (said.batteries["yard"].reason, said.batteries["yard"].action) == ("the PCS is stopped", None)


def test_a_single_battery_does_what_the_site_does(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    story.hear_all(grid=30e3)
    said = told(story)
    assert (said.power, said.reason) == (30e3, said.batteries["battery"].reason)
    story.second += 20
    said = told(story)
    assert (said.power, said.reason) == (None, "pcs1 is silent; nothing is sent")


LIMITS: dict[str, tuple[dict[str, Any], float, str, tuple[str, str]]] = {
    "both at their rating": (
        {}, 400e3, "; limited by the PCS rating", ("; limited by the PCS rating",) * 2,
    ),
    "one empty": (
        {"socs": (50.0, 5.0)}, 400e3,
        "; limited by the PCS rating of hall, the SoC of 5.0 % of yard",
        ("; limited by the PCS rating", "; limited by the SoC of 5.0 %"),
    ),
    "one empty, and the other has enough": (
        {"socs": (50.0, 5.0)}, 60e3, "", ("", "; limited by the SoC of 5.0 %"),
    ),
    "none at a limit": ({}, 60e3, "", ("", "")),
    "without a BMS": (
        {"silent": ("bms2",)}, 400e3,
        "; limited by the PCS rating; yard takes no part: the BMS does not say what it allows",
        ("; limited by the PCS rating", "rests: the BMS does not say what it allows"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", LIMITS)
def test_a_battery_says_its_own_limit_and_the_site_who_takes_no_part(tmp_path: Path, story: str) -> None:
    """`limited by the BMS` was said of batteries whose BMS limits nothing."""
    given, power, site, each = LIMITS[story]
    both = Both(two(tmp_path))
    both.hear_both(**given)
    both.ask("manual", power=power, until=both.now.replace(hour=12))
    for _ in range(3):
        both.hear_both(**given)
    said = told(both)
    assert said.reason == f"manual by anna{site}"
    for words, one in zip(each, said.batteries.values(), strict=True):
        assert one.reason == (f"manual by anna{words}" if one.takes_part else words)


def test_a_silent_bms_is_told_in_the_same_words_as_long_as_it_is_silent(tmp_path: Path) -> None:
    """They counted the seconds: control/dispatch was another one each 2 s."""
    both = Both(two(tmp_path))
    both.hear_both(grid=60e3)
    said = list[ControlDispatch]()
    for _ in range(10):
        both.hear_both(grid=60e3, silent=("bms2",))
        said.append(told(both).model_copy(update={"at": both.now.replace(hour=0)}))
    assert "the BMS has been silent for more than 5 s" in said[-1].batteries["yard"].reason
    assert {one.model_copy(update={"at": said[-1].at}).model_dump_json() for one in said[5:]} == {
        said[-1].model_dump_json()
    }


def test_in_shadow_mode_it_says_so(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path, more='mode = "read_only"\n'))
    story.hear_all(grid=30e3)
    said = told(story)
    assert (said.read_only, said.power) == (True, 30e3)


def test_what_cannot_be_decided_is_said(tmp_path: Path) -> None:
    both = Both(two(tmp_path))
    said = undecided(both.desk, "cannot decide: a bug", both.now)
    assert said is not None
    assert {said.reason, *(one.reason for one in said.batteries.values())} == {"cannot decide: a bug"}
    assert {of(one) for one in said.batteries.values()} == {(False, None, None)}
