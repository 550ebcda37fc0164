"""Two batteries on the desk: one decision for the site, a share for each; what happens to one is no other's affair."""

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import ValidationError

from consumers.dispatch.kept import Stored
from consumers.dispatch.lasting_limits import LASTS
from consumers.dispatch.state_file import read, write
from schemas.messages import (
    Action,
    Cause,
    ControlRequest,
    Limited,
    Mode,
    Outcome,
    OutcomeState,
    RequestOutcome,
)
from schemas.site import Site
from schemas.site_file import load_site
from tests.consumers.test_dispatch_desk import NOON, TARIFF, Story

SITE = """
site = "{name}"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 250e3, export_limit = 100e3 }}
battery = [
    {{ name = "hall", pcs = "pcs1", bms = "bms1", energy = 200e3 }},
    {{ name = "yard", pcs = "pcs2", bms = "bms2", energy = 100e3 }},
]
device = [
    {{ name = "grid", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" }},
    {{ name = "pcs1", profile = "sinexcel_pws2", address = "tcp://127.0.0.1:503", rated_power = 100e3 }},
    {{ name = "bms1", profile = "pylontech_powercube_m2", address = "tcp://127.0.0.1:504" }},
    {{ name = "pcs2", profile = "kaco_gridsave", address = "tcp://127.0.0.1:505", rated_power = 50e3 }},
    {{ name = "bms2", profile = "byd_c130", address = "tcp://127.0.0.1:506" }},
]
"""


def two(folder: Path, name: str = "plant") -> Site:
    (folder / "tariff.toml").write_text(dedent(TARIFF.replace("demand = { price = 15.0 }\n", "")), encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(SITE.format(name=name), encoding="utf-8")
    return load_site(path)


class Both(Story):
    """A desk with two batteries."""

    def hear_both(
        self,
        grid: float = 90e3,
        powers: tuple[float, float] = (0.0, 0.0),
        states: tuple[str, str] = ("running", "running"),
        socs: tuple[float, float] = (50.0, 50.0),
        *,
        silent: tuple[str, ...] = (),
    ) -> None:
        self.second += 2
        for turn in range(2):
            for number, (power, state, soc) in enumerate(zip(powers, states, socs, strict=True), 1):
                if f"pcs{number}" not in silent:
                    self.hear(f"pcs{number}", p=power, state=state)
                if f"bms{number}" not in silent:
                    self.hear(f"bms{number}", soc=soc, u=800.0, ccl=200.0, dcl=200.0)
            if not turn:
                self.hear("grid", p=grid)

    def powers(self) -> dict[str, float]:
        """W of the setpoints that go out."""
        return {pcs: order.wanted.power for pcs, order in self.orders().items() if order.action is None}

    def says(self, pcs: str, state: str, cause: Cause | None = None, **more: Any) -> RequestOutcome | None:
        """An outcome of the last command to a PCS; gives what who asked is told."""
        name = [key for key, (whose, _) in self.desk.commands.sent.items() if whose == pcs][-1]
        said = {"id": name, "at": self.now, "state": OutcomeState(state), "source": "dispatch", "cause": cause, **more}
        return self.desk.hear_outcome(Outcome.model_validate(said), self.now, self.second)

    @property
    def mode(self) -> Mode:
        assert self.desk.control is not None
        return self.desk.control.mode.mode


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(two(tmp_path))


def test_the_load_is_shared_by_energy(both: Both) -> None:
    both.hear_both(grid=90e3)
    assert both.powers() == {"pcs1": 60e3, "pcs2": 30e3}
    assert both.desk.detail == "auto: 90.0 kW, no valid plan: covers the load"


def test_what_they_give_is_load_that_is_covered(both: Both) -> None:
    both.hear_both(grid=0.0, powers=(60e3, 30e3))
    assert both.powers() == {"pcs1": 60e3, "pcs2": 30e3}


def test_the_last_word_of_a_share_says_of_what(both: Both) -> None:
    both.hear_both(grid=90e3)
    assert both.orders()["pcs2"].wanted.reason == "no valid plan: covers the load; its share of 90.0 kW"


OUT = {
    "tripped": (
        {"states": ("running", "fault")},
        "yard takes no part: the PCS is in fault",
        {"pcs1": 90e3, "pcs2": 0.0},
    ),
    "stopped at its panel": ({"states": ("running", "off")}, "yard takes no part: pcs2 is off", {"pcs1": 90e3}),
    "without its BMS": ({"silent": ("bms2",)}, "yard takes no part: the BMS does not say", {"pcs1": 90e3, "pcs2": 0.0}),
    "never heard": ({"silent": ("pcs2",)}, "yard takes no part: pcs2 is silent; nothing is sent", {"pcs1": 90e3}),
    "full, and it is to discharge": ({"socs": (50.0, 95.0)}, "", {"pcs1": 40e3, "pcs2": 50e3}),
    "empty": ({"socs": (50.0, 5.0)}, "", {"pcs1": 90e3, "pcs2": 0.0}),
}


@pytest.mark.parametrize("story", OUT)
def test_the_share_of_one_that_cannot_goes_to_the_other_at_once(both: Both, story: str) -> None:
    given, words, powers = OUT[story]
    for _ in range(3):  # one that is never heard is waited for a little
        both.hear_both(**given)  # type: ignore[arg-type]
    orders = both.orders()
    assert {pcs: order.wanted.power for pcs, order in orders.items()} == powers
    assert words in both.desk.detail
    assert words in orders["pcs1"].wanted.reason


def test_one_that_falls_silent_is_load_until_the_meter_shows_otherwise(both: Both) -> None:
    """It may go on: who took over what it gave would feed it out. When it ends, the meter shows it."""
    for _ in range(3):
        both.hear_both(grid=0.0, powers=(60e3, 30e3))
        both.powers()
    for _ in range(5):
        both.hear_both(grid=0.0, powers=(60e3, 30e3), silent=("pcs2", "bms2"))
        assert both.powers()["pcs1"] == 60e3
    for _ in range(3):
        both.hear_both(grid=30e3, powers=(60e3, 30e3), silent=("pcs2", "bms2"))
        powers = both.powers()
    assert powers == {"pcs1": 90e3}
    for _ in range(6):
        both.hear_both(grid=0.0, powers=(90e3, 0.0))
        powers = both.powers()
    assert sum(powers.values()) == 90e3, "and back again it stands at 0, which nobody has told"


def test_a_trip_that_comes_again_takes_out_that_battery_alone(both: Both) -> None:
    for states in (("running", "fault"), ("running", "running"), ("running", "fault")):
        for _ in range(40):
            both.hear_both(grid=90e3, states=states)
            both.orders()
    assert both.mode is Mode.AUTO
    assert "yard takes no part: locked out alone: the PCS has tripped again after its reset" in both.desk.detail
    both.hear_both(grid=90e3, states=("running", "off"))
    assert both.powers() == {"pcs1": 90e3}, "and nobody starts it"
    both.ask("auto")
    both.hear_both(grid=90e3, states=("running", "fault"))
    order = both.orders()["pcs2"]
    assert (order.action, order.wanted.reason) == (Action.RESET, "lockout ended by anna")
    both.hear_both(grid=90e3)
    assert len(both.powers()) == 2


def test_who_is_out_stands_in_the_mode_until_somebody_asks_for_auto(both: Both) -> None:
    """For programs: it stood in a sentence of the status alone."""
    both.hear_both()
    both.orders()
    said = [both.desk.mode.said()]
    both.says("pcs2", "not_obeyed", Cause.REVERSED, reason="the wrong way")
    said.append(both.desk.mode.said())
    both.ask("auto")
    said.append(both.desk.mode.said())
    assert [one and (one.mode, one.out) for one in said] == [
        (Mode.AUTO, {}),
        (Mode.AUTO, {"yard": "reversed: the wrong way"}),
        (Mode.AUTO, {}),
    ]


def test_without_any_battery_the_site_is_locked_out(both: Both) -> None:
    both.hear_both()
    both.orders()
    both.says("pcs2", "not_obeyed", Cause.REVERSED, reason="the wrong way")
    modes = [both.mode]
    both.says("pcs1", "not_obeyed", Cause.REVERSED, reason="the wrong way")
    assert [*modes, both.mode] == [Mode.AUTO, Mode.LOCKOUT]
    both.ask("auto")
    both.hear_both()
    assert {pcs: order.action for pcs, order in both.orders().items()} == dict.fromkeys(("pcs1", "pcs2"), Action.RESET)


@pytest.mark.parametrize("cause", [Cause.METER_POLARITY, Cause.SWINGING])
def test_a_doubt_of_the_meter_locks_the_site(both: Both, cause: Cause) -> None:
    both.hear_both()
    both.orders()
    both.says("pcs2", "refused", cause, reason="the meter")
    assert both.mode is Mode.LOCKOUT
    both.hear_both(powers=(50e3, 25e3))
    assert both.powers() == {"pcs1": 0.0, "pcs2": 0.0}
    both.ask("auto")
    both.hear_both()
    assert {order.action for order in both.orders().values()} == {Action.RESET}, "each is told that it is right now"


def test_a_lockout_stops_each(both: Both) -> None:
    both.hear_both()
    both.ask("lockout")
    both.hear_both(states=("running", "running"))
    both.orders()
    both.hear_both(states=("off", "running"))
    assert {pcs: order.action for pcs, order in both.orders().items()} == {"pcs2": Action.STOP}
    assert both.desk.detail == "lockout: hall: the PCS is stopped; yard: stops the PCS"


def test_what_the_bridge_does_not_let_pass_the_other_gives(both: Both) -> None:
    both.hear_both(grid=90e3)
    both.orders()
    limit = Limited(point="p_set", source="interlock:hot-bms2", wanted=30e3, allowed=10e3)
    both.says("pcs2", "limited", Cause.INTERLOCK, limited_by=[limit])
    both.hear_both(grid=20e3, powers=(60e3, 10e3))
    assert both.powers() == {"pcs1": 80e3, "pcs2": 11e3}, "and it is asked for a little more"
    assert both.desk.batteries["pcs2"].last == 10e3, "on which nobody counts"
    both.second += 31
    for _ in range(2):  # a BMS that was silent is believed by its second word
        both.hear_both(grid=0.0, powers=(80e3, 10e3))
    assert both.powers()["pcs2"] > 20e3, "a bridge that says no more has forgotten it"


@pytest.mark.parametrize("wanted", [90e3, -90e3])
def test_one_that_is_held_back_gets_its_share_when_a_little_more_passes(both: Both, wanted: float) -> None:
    sign = 1 if wanted > 0 else -1
    both.hear_both(grid=wanted)
    whole = both.powers()["pcs2"]
    held = Limited(point="p_set", source="interlock:hot-bms2", wanted=whole, allowed=0.0)
    both.says("pcs2", "applied", limited_by=[held])
    for _ in range(20):  # an interlock holds it for 40 s: nothing is missing meanwhile
        both.hear_both(grid=0.0, powers=(wanted, 0.0))
        orders = both.orders()
        assert orders["pcs1"].wanted.power == pytest.approx(wanted)
        assert orders["pcs2"].wanted.power == sign * 1e3
        assert orders["pcs2"].wanted.reason.endswith("asks whether it is still held back")
        both.says("pcs2", "limited", limited_by=[held.model_copy(update={"wanted": sign * 1e3})])
    both.hear_both(grid=0.0, powers=(wanted, 0.0))
    both.orders()
    both.says("pcs2", "applied", requested={"p_set": sign * 1e3})
    both.hear_both(grid=0.0, powers=(wanted, 0.0))
    assert both.powers()["pcs2"] == pytest.approx(whole, abs=1e3)


@pytest.fixture
def slow(tmp_path: Path) -> Both:
    """The register of pcs2 wears: it may be written each 300 s."""
    site = two(tmp_path)
    profile = site.profiles["pcs2"]
    wears = profile.commands["p_set"].model_copy(update={"memory": "eeprom"})
    site.profiles["pcs2"] = profile.model_copy(update={"commands": profile.commands | {"p_set": wears}})
    return Both(site)


@pytest.mark.parametrize("wanted", [90e3, -90e3])
def test_a_register_that_wears_is_asked_for_its_whole_share(slow: Both, wanted: float) -> None:
    """A little would be its one write of 300 s."""
    sign = 1 if wanted > 0 else -1
    slow.hear_both(grid=wanted)
    slow.orders()
    held = Limited(point="p_set", source="interlock:hot-bms2", wanted=sign * 30e3, allowed=0.0)
    slow.says("pcs2", "limited", limited_by=[held])
    slow.hear_both(grid=0.0, powers=(wanted, 0.0))
    orders = slow.orders()
    assert orders["pcs1"].wanted.power == pytest.approx(wanted), "nothing is missing meanwhile"
    assert sign * orders["pcs2"].wanted.power > 20e3
    assert orders["pcs2"].counted == 0.0
    assert orders["pcs2"].wanted.reason.endswith("asks whether it is still held back")


@pytest.mark.parametrize(("stands", "counted"), [(10e3, 10e3), (0.0, 0.0), (-20e3, 0.0), (120e3, 90e3)])
def test_a_register_that_waits_for_its_budget_counts_with_what_stands_there(
    slow: Both, stands: float, counted: float
) -> None:
    slow.hear_both(grid=90e3)
    whole = slow.orders()["pcs2"].wanted.power
    waits = Limited(point="p_set", source="register:budget", wanted=whole, allowed=stands)
    slow.says("pcs2", "accepted", limited_by=[waits])
    slow.hear_both(grid=90e3)
    orders = slow.orders()
    assert (orders["pcs1"].wanted.power, orders["pcs2"].counted) == (90e3 - counted, counted)
    assert orders["pcs2"].wanted.power == pytest.approx(whole, abs=1e3), "it is asked for its share"
    assert f"stays at {stands / 1000:.1f} kW" in orders["pcs2"].wanted.reason
    slow.says("pcs2", "applied", requested={"p_set": whole})
    slow.hear_both(grid=90e3)
    assert slow.powers() == {"pcs1": pytest.approx(90e3 - whole), "pcs2": pytest.approx(whole)}


def test_one_that_would_have_nothing_to_do_is_not_asked_for_a_little(both: Both) -> None:
    both.hear_both(grid=20e3)
    both.orders()
    held = Limited(point="p_set", source="interlock:hot-bms2", wanted=30e3, allowed=0.0)
    both.says("pcs2", "limited", limited_by=[held])
    both.hear_both(grid=20e3)
    assert both.powers() == {"pcs1": 20e3, "pcs2": 0.0}


@pytest.mark.parametrize("limit", LASTS)
def test_only_a_limit_that_lasts_is_given_to_the_other(both: Both, limit: str) -> None:
    both.hear_both(grid=90e3)
    both.orders()
    source = (
        limit.replace("DEVICE", "pcs2").replace("AUTHORITY", "dso").replace("NAME", "hot").replace("CAUSE", "swing")
    )
    both.says("pcs2", "limited", limited_by=[Limited(point="p_set", source=source, wanted=30e3, allowed=10e3)])
    both.hear_both(grid=90e3)
    assert both.powers() == ({"pcs1": 80e3, "pcs2": 11e3} if LASTS[limit] else {"pcs1": 60e3, "pcs2": 30e3})


def test_each_limit_that_the_bridge_may_name_is_known_to_last_or_to_pass() -> None:
    told = (
        Path(__file__)
        .parents[2]
        .joinpath("docs", "control.md")
        .read_text(encoding="utf-8")
        .partition("## Limits")[2]
        .partition("\n## ")[0]
    )
    assert [line.split("`")[1] for line in told.splitlines() if line.startswith("| `")] == list(LASTS), "in its order"


DOES: dict[str, tuple[float, Callable[[float], float], float]] = {
    "nothing": (90e3, lambda _: 0.0, 90e3),
    "half": (90e3, lambda told: told / 2, 80e3),
    "no more than 10 kW": (90e3, lambda told: min(told, 10e3), 80e3),
    "stays at 20 kW": (90e3, lambda _: 20e3, 70e3),
    "gives more than all need": (10e3, lambda _: 20e3, 0.0),
    "charges": (30e3, lambda _: -20e3, 30e3),
    "stores half": (-90e3, lambda told: told / 2, -80e3),
}
"""The load, what pcs2 does of what it is told, and what pcs1 does at least then."""


def live(both: Both, load: float, does: Callable[[float], float], turns: int) -> list[tuple[float, float]]:
    """Both follow, 2 s later, and what pcs2 does not do the bridge says 10 s later."""
    told, gives, apart, ran = {"pcs1": 0.0, "pcs2": 0.0}, (0.0, 0.0), 0, []
    for _ in range(turns):
        gives = told["pcs1"], does(told["pcs2"])
        both.hear_both(grid=load - sum(gives), powers=gives)
        apart = apart + 1 if abs(gives[1] - told["pcs2"]) > 500 else 0
        told = both.powers()
        if apart > 5:
            both.says("pcs2", "not_obeyed", Cause.NOT_OBEYED, reason="it does not follow")
        elif not apart:
            both.says("pcs2", "verified")
        ran.append(gives)
    return ran


@pytest.mark.parametrize("what", DOES)
def test_a_battery_that_does_not_obey_counts_with_what_it_gives(both: Both, what: str) -> None:
    load, does, least = DOES[what]
    ran = live(both, load, does, 400)[50:]
    well = [one for one, _ in ran if abs(one) >= abs(least) - 2e3 and one * load >= 0]
    assert len(well) >= 0.9 * len(ran), "and it is tried again, later each time"


def test_one_that_obeys_again_gets_its_share_again(both: Both) -> None:
    live(both, 90e3, lambda _: 0.0, 100)
    assert live(both, 90e3, lambda told: told, 160)[-1] == (60e3, 30e3)


@pytest.mark.parametrize(
    ("load", "panel", "given"),
    [(0.0, -50e3, 0.0), (20e3, -50e3, 20e3), (-30e3, -50e3, 0.0), (-30e3, -10e3, -20e3), (60e3, 20e3, 40e3)],
    ids=["nothing else", "a load", "all of the surplus", "a part of it", "it gives"],
)
def test_what_is_charged_at_a_panel_is_no_load_and_what_is_given_there_is(
    both: Both, load: float, panel: float, given: float
) -> None:
    power = 0.0
    for _ in range(4):
        both.hear_both(grid=load - panel - power, powers=(power, panel))
        both.hear("pcs2", p=panel, state="running", control_loc="local")
        power = both.powers()["pcs1"]
    assert power == pytest.approx(given, abs=500)


def test_the_import_limit_reckons_with_what_is_charged_at_a_panel(both: Both) -> None:
    for _ in range(3):
        both.hear_both(grid=280e3, powers=(0.0, -50e3), socs=(50.0, 50.0))
        both.hear("pcs2", p=-50e3, state="running", control_loc="local")
    moment = both.desk.fold.moment([both.desk.batteries["pcs1"].seen], both.now, both.second, 0.0)
    assert (moment.net, moment.charging) == (230e3, 50e3), "the grid carries both"


def test_a_manual_power_is_that_of_the_site(both: Both) -> None:
    both.ask("manual", power=60e3, until=both.now.replace(hour=11))
    both.hear_both(grid=0.0)
    assert sum(both.powers().values()) == 60e3


def test_what_is_known_of_each_outlives_a_restart(both: Both, tmp_path: Path) -> None:
    both.hear_both()
    both.orders()
    both.says("pcs2", "not_obeyed", Cause.REVERSED, reason="the wrong way")
    kept = both.desk.keep(both.now, both.second)
    assert kept is not None
    path = tmp_path / "kept.json"
    write(path, kept)
    other = Both(two(tmp_path))
    other.desk.begin(read(path), Stored(), both.now, 3.0)
    assert other.desk.keep(both.now, 3.0) == kept
    assert other.desk.batteries["pcs2"].out is not None
    assert other.desk.batteries["pcs1"].out is None


def test_a_file_from_before_there_could_be_several_is_read(tmp_path: Path) -> None:
    """Its one battery is the first of the site file."""
    path = tmp_path / "kept.json"
    old = {
        "at": "2026-06-10T10:00:00Z",
        "mode": {"at": "2026-06-10T10:00:00Z", "mode": "auto", "who": "anna"},
        "may_start": "we stopped it",
        "starts": [2, 20.0],
        "peak": 88e3,
    }
    path.write_text(json.dumps(old), encoding="utf-8")
    both = Both(two(tmp_path))
    both.desk.begin(read(path), Stored(), both.now, 3.0)
    assert (both.desk.peaks.peak, both.desk.batteries["pcs1"].starts.why) == (88e3, "we stopped it")
    assert both.desk.batteries["pcs1"].starts.attempts.count == 2
    assert both.desk.batteries["pcs2"].starts.why == ""


MEANT: dict[str, tuple[tuple[str, ...], str | None, str | None, Cause | None, str]] = {
    "the only one that can": (("pcs1",), None, "pcs1", None, ""),
    "the only one, by its name": (("pcs1",), "hall", "pcs1", None, ""),
    "one that cannot": (("pcs1",), "yard", None, Cause.UNKNOWN, "yard's PCS (pcs2) cannot form a grid"),
    "none can": ((), None, None, Cause.UNKNOWN, "no PCS of the site can form a grid"),
    "two can": (("pcs1", "pcs2"), None, None, Cause.INVALID, "say in `battery` which one goes to grid_forming: hall"),
    "the second": (("pcs1", "pcs2"), "yard", "pcs2", None, ""),
    "one that runs": (("pcs1", "pcs2"), "hall", None, Cause.WRONG_STATE, "only at rest, hall's PCS (pcs1) is running"),
    "nobody": (("pcs1", "pcs2"), "shed", None, Cause.UNKNOWN, "there is no battery 'shed'; there is: hall, yard"),
    "by its PCS": (("pcs1", "pcs2"), "pcs2", None, Cause.UNKNOWN, "there is no battery 'pcs2'; there is: hall, yard"),
}  # fmt: skip


@pytest.mark.parametrize("story", MEANT)
def test_a_grid_mode_goes_to_the_battery_that_is_meant(both: Both, story: str) -> None:
    able, battery, told, cause, words = MEANT[story]
    profiles = both.desk.site.profiles
    knows = profiles["pcs1"]
    for pcs in ("pcs1", "pcs2"):
        profiles[pcs] = knows if pcs in able else knows.model_copy(update={"actions": {}})
    both.hear_both(states=("running" if story == "one that runs" else "off", "off"))
    asks = ControlRequest(at=both.now, action=Action.GRID_FORMING, battery=battery, who="anna", why="an island")
    said = both.desk.hear(asks, both.now, both.second)
    assert (said.followed, said.cause) == (cause is None, cause)
    assert words in said.reason
    orders = both.orders()
    assert [pcs for pcs, one in orders.items() if one.action is Action.GRID_FORMING] == ([told] if told else [])


def test_a_battery_is_named_for_a_grid_mode_alone() -> None:
    with pytest.raises(ValidationError, match="a mode holds for all batteries"):
        ControlRequest(at=NOON, mode=Mode.AUTO, battery="yard", who="anna")


def test_a_lockout_that_names_one_is_taken_and_holds_for_all(both: Both) -> None:
    """It is no moment to be refused for a word too many."""
    both.hear_both()
    asks = ControlRequest(at=both.now, mode=Mode.LOCKOUT, battery="yard", who="anna")
    said = both.desk.hear(asks, both.now, both.second)
    assert (said.followed, said.reason, both.mode) == (True, "a lockout holds for all batteries", Mode.LOCKOUT)


# --- what who asked is told ------------------------------------------------------------------------------


def told(said: RequestOutcome | None) -> tuple[bool, str] | None:
    return None if said is None else (said.followed, said.reason)


def stopping(both: Both) -> None:
    both.hear_both()
    both.ask("lockout", id="r1")
    for _ in range(2):
        both.hear_both()
        orders = both.orders()
    assert {order.action for order in orders.values()} == {Action.STOP}


def test_a_lockout_is_confirmed_when_the_last_one_has_stopped(both: Both) -> None:
    """`not_obeyed` of one and then `verified: off` of the other, without their names: it read as if all stood."""
    stopping(both)
    no = both.says("pcs2", "not_obeyed", Cause.NOT_OBEYED, reason="it still runs")
    assert told(no) == (False, "yard: not_obeyed: it still runs")
    assert both.says("pcs1", "verified", reason="off") is None, "yard still runs"
    for _ in range(5):
        both.hear_both(states=("off", "running"))
        orders = both.orders()
    assert orders["pcs2"].action is Action.STOP, "it is told again"
    assert both.says("pcs2", "not_obeyed", Cause.NOT_OBEYED, reason="it still runs") is None, "once"
    yes = both.says("pcs2", "verified", reason="off")
    assert told(yes) == (True, "hall: verified: off; yard: verified: off")


def test_one_that_is_stopped_before_the_other_is_told_confirms_no_lockout(both: Both) -> None:
    """Under load one is brought to rest first, for some seconds."""
    both.hear_both(powers=(60e3, 0.0))
    both.ask("lockout", id="r1")
    for _ in range(2):
        both.hear_both(powers=(60e3, 0.0))
        orders = both.orders()
    assert {pcs: order.action for pcs, order in orders.items()} == {"pcs1": None, "pcs2": Action.STOP}
    assert both.says("pcs2", "verified", reason="off") is None
    both.hear_both(states=("running", "off"))
    assert both.orders()["pcs1"].action is Action.STOP
    yes = both.says("pcs1", "verified", reason="off")
    assert told(yes) == (True, "hall: verified: off; yard: verified: off")


def test_one_that_stands_or_has_tripped_needs_no_stop(both: Both) -> None:
    both.hear_both(states=("running", "off"))
    both.ask("lockout", id="r1")
    for _ in range(2):
        both.hear_both(states=("running", "off"))
        both.orders()
    assert told(both.says("pcs1", "verified", reason="off")) == (True, "hall: verified: off")


def test_auto_is_confirmed_when_each_has_started(both: Both) -> None:
    both.hear_both(states=("off", "off"))
    both.ask("auto", id="r1")
    both.hear_both(states=("off", "off"))
    assert {order.action for order in both.orders().values()} == {Action.START}
    assert both.says("pcs1", "verified", reason="running") is None
    both.hear_both(states=("running", "off"))
    both.orders()
    no = both.says("pcs2", "refused", Cause.INTERLOCK, reason="interlock: epo")
    assert told(no) == (False, "yard: refused: interlock: epo")
    for _ in range(6):
        both.hear_both(states=("running", "off"))
        both.orders()
    yes = both.says("pcs2", "verified", reason="running")
    assert told(yes) == (True, "hall: verified: running; yard: verified: running")


def test_what_ran_out_because_its_battery_went_aside_is_no_failure(both: Both) -> None:
    both.ask("manual", id="r1", power=60e3, until=both.now.replace(hour=11))
    both.hear_both(grid=0.0)
    both.orders()
    assert both.says("pcs1", "verified") is None, "yard has not answered"
    for _ in range(6):
        both.hear_both(grid=0.0, powers=(40e3, 0.0), states=("running", "off"))
        both.orders()
    assert both.says("pcs2", "expired", Cause.NO_COMMAND, reason="no command") is None
    assert told(both.says("pcs1", "verified")) == (True, "hall: verified")


def test_what_ran_out_while_it_was_told_is_a_failure(both: Both) -> None:
    both.ask("manual", id="r1", power=60e3, until=both.now.replace(hour=11))
    both.hear_both(grid=0.0)
    both.orders()
    no = both.says("pcs2", "expired", Cause.EXPIRED, reason="it was valid until 3 s ago")
    assert told(no) == (False, "yard: expired: it was valid until 3 s ago")


def test_one_that_is_taken_out_is_not_waited_for(both: Both) -> None:
    both.ask("manual", id="r1", power=60e3, until=both.now.replace(hour=11))
    both.hear_both(grid=0.0)
    both.orders()
    no = both.says("pcs2", "not_obeyed", Cause.REVERSED, reason="the wrong way")
    assert told(no) == (False, "yard: not_obeyed: the wrong way")
    assert told(both.says("pcs1", "verified")) == (True, "hall: verified")
