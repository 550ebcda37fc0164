"""Which batteries begin locked out: by the file, by the broker, under which name; and how what is left over ends."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.dispatch.account import account
from consumers.dispatch.desk import Desk
from consumers.dispatch.kept import ONLY, Kept, KeptBattery, Stored
from consumers.dispatch.own_lockouts import begin_each
from schemas.messages import Action, Cause, ControlMode, Mode
from schemas.site import Site
from schemas.site_batteries import units
from schemas.site_battery import Battery, Unit
from schemas.state_words import ASK
from tests.consumers.test_dispatch_batteries import Both, two

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
AUTO = ControlMode(at=NOON, mode=Mode.AUTO, who="anna")
OUT = ControlMode(at=NOON, mode=Mode.LOCKOUT, who="dispatch", cause=Cause.REVERSED, why="the wrong way")
HALL, YARD = ("hall", "pcs1"), ("yard", "pcs2")


def batteries(*names: tuple[str, str]) -> list[Unit]:
    found = [Battery(name=name, pcs=[pcs], bms=[f"{pcs}-bms"], energy=1e5) for name, pcs in names]
    return units(found, {pcs: 1e5 for _, pcs in names})


def file(**kept: KeptBattery) -> Kept:
    return Kept(at=NOON, mode=AUTO, batteries=kept)


def one(name: str = "", out: ControlMode | None = None) -> KeptBattery:
    return KeptBattery(name=name, out=out, may_start="we stopped it")


def broker(*names: str, cause: Cause | None = Cause.REVERSED) -> ControlMode:
    causes = {} if cause is None else dict.fromkeys(names, cause)
    return AUTO.model_copy(update={"out": dict.fromkeys(names, "the wrong way"), "out_causes": causes})


WELL = file(pcs1=one("hall"), pcs2=one("yard"))
HELD = file(pcs1=one("hall"), pcs2=one("yard", OUT))
OLD = file(pcs1=one(), pcs2=one(out=OUT))
"""From before the name of the battery was kept."""

STORIES: dict[str, tuple[Kept | None, ControlMode | None, list[tuple[str, str]], set[str], set[str]]] = {
    "the first run": (None, None, [HALL, YARD], set(), set()),
    "all is well": (WELL, broker(), [HALL, YARD], set(), set()),
    "both know": (HELD, broker("yard"), [HALL, YARD], {"pcs2"}, set()),
    "the broker forgot": (HELD, AUTO, [HALL, YARD], {"pcs2"}, set()),
    "the broker has nothing": (HELD, None, [HALL, YARD], {"pcs2"}, set()),
    "the file is gone": (None, broker("yard"), [HALL, YARD], {"pcs2"}, set()),
    "the file forgot": (WELL, broker("yard"), [HALL, YARD], {"pcs2"}, set()),
    "each knows of another": (HELD, broker("hall"), [HALL, YARD], {"pcs1", "pcs2"}, set()),
    "the broker names the PCS": (None, broker("pcs2"), [HALL, YARD], {"pcs2"}, set()),
    "a file without names": (OLD, None, [HALL, YARD], {"pcs2"}, set()),
    "a file of one battery": (file(**{ONLY: one(out=OUT)}), None, [HALL, YARD], {"pcs1"}, set()),
    "the same, and it has another name": (file(**{ONLY: one()}), broker("yard"), [HALL, YARD], {"pcs2"}, set()),
    "the PCS was renamed": (HELD, None, [HALL, ("yard", "new")], {"new"}, set()),
    "the battery was renamed": (HELD, None, [HALL, ("new", "pcs2")], {"pcs2"}, set()),
    "the battery was renamed, and the broker knows": (WELL, broker("yard"), [HALL, ("new", "pcs2")], {"pcs2"}, set()),
    "the PCS was renamed, and the broker knows": (OLD, broker("yard"), [HALL, ("yard", "new")], {"new"}, {"pcs2"}),
    "two changed their names": (HELD, None, [("hall", "pcs2"), ("yard", "pcs1")], {"pcs1", "pcs2"}, set()),
    "both names are new": (HELD, None, [HALL, ("new", "newer")], {"newer"}, {"yard"}),
    "both are new, without names": (OLD, None, [HALL, ("new", "newer")], {"newer"}, {"pcs2"}),
    "both are new, by the broker": (WELL, broker("yard"), [HALL, ("new", "newer")], {"newer"}, {"yard"}),
    "both are new, and nobody knows which": (None, broker("old"), [HALL, YARD], {"pcs1", "pcs2"}, {"old"}),
    "it was removed": (HELD, broker("yard"), [HALL], set(), {"yard"}),
    "another was removed": (HELD, broker("yard"), [YARD], {"pcs2"}, set()),
    "one that was well was removed": (WELL, broker(), [HALL, ("new", "newer")], set(), set()),
}


@pytest.mark.parametrize("story", STORIES)
def test_who_is_out_begins_out(story: str) -> None:
    kept, said, now, out, left_over = STORIES[story]
    begun = begin_each(kept, said, batteries(*now))
    assert {pcs for pcs, its in begun.batteries.items() if its.out is not None} == out
    assert {its.name or key for key, its in begun.left_over.items()} == left_over
    for its in begun.batteries.values():
        assert its.out is None or ("the wrong way" in its.out.why and its.out.cause == Cause.REVERSED)


def test_of_a_pcs_under_another_name_nobody_knows_who_stopped_it() -> None:
    begun = begin_each(WELL, None, batteries(HALL, ("yard", "new")))
    assert [its.may_start for its in begun.batteries.values()] == ["we stopped it", ""]


def site_of(folder: Path, *names: tuple[str, str]) -> Site:
    """The same site, with batteries of these names."""
    site = two(folder)
    kept = [old.model_copy(update={"name": name}) for old, (name, _) in zip(site.battery, names, strict=False)]
    return site.model_copy(update={"battery": kept})


def begun(folder: Path, file_: Kept | None, said: ControlMode | None, *names: tuple[str, str]) -> Both:
    both = Both(site_of(folder, *names))
    both.desk = Desk.of(both.desk.site)
    stored = Stored() if file_ is None else Stored(file_.mode, kept=file_)
    both.desk.begin(stored, Stored(said), both.now, both.second)
    return both


def test_what_it_was_for_is_reset_when_a_person_ends_it(tmp_path: Path) -> None:
    for cause in (Cause.REVERSED, None):
        both = begun(tmp_path, None, broker("yard", cause=cause), HALL, YARD)
        both.hear_both(grid=90e3)
        assert both.orders()["pcs1"].wanted.power == 90e3, "the other gives all"
        assert "yard takes no part: locked out alone: the wrong way" in both.desk.detail
        both.ask("auto")
        both.hear_both(grid=90e3)
        assert both.orders()["pcs2"].action is Action.RESET
        both.hear_both(grid=90e3)
        assert both.powers() == {"pcs1": 60e3, "pcs2": 30e3}


def test_where_all_are_out_the_site_is_locked(tmp_path: Path) -> None:
    """The other one was removed."""
    both = begun(tmp_path, HELD, None, ("yard", "pcs1"))
    assert both.mode is Mode.LOCKOUT
    assert both.desk.control is not None
    assert (both.desk.control.mode.cause, both.desk.control.mode.why) == (Cause.REVERSED, "the wrong way")


def test_a_lockout_of_no_battery_is_said_and_kept_until_somebody_asks_for_auto(tmp_path: Path) -> None:
    held = file(pcs1=one("hall"), pcs2=one("yard"), pcs3=one("cellar", OUT))
    both = begun(tmp_path, held, None, HALL, YARD)
    for _ in range(2):  # also after another start
        both.hear_both(grid=90e3)
        assert both.powers() == {"pcs1": 60e3, "pcs2": 30e3}, "it holds up nobody who was known"
        assert "cellar is locked out (the wrong way) and is no battery of the site file" in both.desk.detail
        said, kept = both.desk.mode.said(), both.desk.keep(both.now, both.second)
        assert said is not None
        assert (said.out, said.out_causes) == ({"cellar": "the wrong way"}, {"cellar": Cause.REVERSED})
        assert kept is not None
        both = begun(tmp_path, kept, None, HALL, YARD)
    both.ask("lockout")
    assert both.desk.mode.left_over
    both.ask("auto")
    both.hear_both(grid=90e3)
    both.orders()
    assert "cellar" not in both.desk.detail
    said, kept = both.desk.mode.said(), both.desk.keep(both.now, both.second)
    assert said is not None
    assert said.out == {}
    assert kept is not None
    assert list(kept.batteries) == ["pcs1", "pcs2"]


def test_a_new_battery_says_why_it_is_out_and_how_that_ends(tmp_path: Path) -> None:
    held = file(pcs1=one("hall"), old=one("cellar", OUT))
    both = begun(tmp_path, held, None, HALL, YARD)
    both.hear_both(grid=90e3)
    orders = both.orders()
    assert orders["pcs1"].wanted.power == 90e3
    was = "cellar, which was locked out (the wrong way) and is no longer in the site file"
    words = f"locked out alone: yard is new, and may be {was}; rests before the stop; {ASK}"
    assert f"yard takes no part: {words}" in both.desk.detail
    said = account(both.desk, orders, both.now, both.second)
    assert said is not None
    assert words in said.reason
    assert "cellar is locked out (the wrong way) and is no battery of the site file" in said.reason
    both.ask("auto")
    assert both.desk.mode.outs == {}
