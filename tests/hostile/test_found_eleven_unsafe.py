"""What dispatch does each 2 s, attacked at the real rhythm: an older bridge, clocks, its file, windows that slide."""

import asyncio
import json
from datetime import timedelta
from math import inf, nan
from pathlib import Path

import pytest

from consumers.dispatch.desk import Desk
from consumers.dispatch.kept import Kept, KeptWindow, keepable
from consumers.dispatch.reasons import Reasons
from consumers.dispatch.state_file import ASIDE
from consumers.dispatch.state_file import read as read_state
from consumers.dispatch.state_keeping import StateKeeping
from runtime.heard import Heard, read
from schemas.messages import Cause, Command, ControlMode, Mode, Outcome, OutcomeState
from schemas.site_file import load_site
from schemas.topics import COMMAND
from schemas.units import EARLIEST
from tests.bridges.control.story import Story as BridgeStory
from tests.bridges.control.story import story
from tests.consumers.policy_site import PolicySite
from tests.consumers.test_dispatch_desk import NOON, TARIFF, Story, plant_site
from tests.consumers.test_dispatch_policy import CAP
from tests.consumers.test_dispatch_policy_story import one_battery, plan
from tests.consumers.test_dispatch_reasons import command, covers
from tests.consumers.test_load_desk import SWITCHED
from tests.consumers.test_load_desk import Story as Loads
from tests.virtual import loop, virtual

# an older bridge -------------------------------------------------------------------------------------------


def hears_as_an_older(it: BridgeStory, sent: Command) -> None:
    """The real way of a bridge that knows no `why`: here no key has this name."""
    payload = sent.model_dump_json(exclude_defaults=True).encode().replace(b'"why"', b'"whence"')
    found, fault = read(COMMAND, payload)
    place = {"site": it.site.site, "device": "pcs"}
    it.bridge.controls["pcs"].hear(Heard(COMMAND, place, found, fault, payload, False, 0))


@virtual
@pytest.mark.parametrize("late", [0.1, 5.0])
async def test_an_older_bridge_refuses_one_command_however_late_its_word_comes(tmp_path: Path, late: float) -> None:
    """By the id of the last command alone it was never known to be older where its word came after the next one: each
    command was refused, and the battery stayed at its fallback."""
    desk, reasons, heard = Story(plant_site(tmp_path)), Reasons(), 0
    covers(desk)
    order = desk.order()
    assert order is not None
    async with story(tmp_path / "bridge") as it:
        for turn in range(10):
            sent = it.wish(values={"p_set": 10_000.0 + 100 * turn})
            hears_as_an_older(it, reasons.add(sent, desk.desk, "pcs", order, loop().time()))
            await asyncio.sleep(2.0)
            for at, _, outcome in it.outcomes[heard:]:
                if at + late <= loop().time():
                    heard += 1
                    reasons.hear("pcs", outcome, loop().time())
        refused = [one for one in it.said() if one.state is OutcomeState.REFUSED]
        assert [one.cause for one in refused] == [Cause.INVALID]
        assert it.power == pytest.approx(10_900.0, rel=0.02)
        assert max(later[0] - at[0] for at, later in zip(it.written(), it.written()[1:], strict=False)) < 2.5


def test_reasons_come_again_and_cost_an_older_bridge_one_command_a_day(tmp_path: Path) -> None:
    desk, reasons = Story(plant_site(tmp_path)), Reasons()
    covers(desk)
    order = desk.order()
    assert order is not None
    counted, mono, number = dict[str, int](), 0.0, 0
    for bridge, days in (("older", 3.0), ("newer", 0.1), ("away", 0.02), ("older", 1.5)):
        for _ in range(round(days * 8640)):  # a command each 10 s
            mono, number = mono + 10.0, number + 1
            sent = reasons.add(command(number), desk.desk, "pcs1", order, mono)
            if not sent.why or bridge == "away":
                continue
            counted[bridge] = counted.get(bridge, 0) + 1
            refuses = bridge == "older"
            state = OutcomeState.REFUSED if refuses else OutcomeState.VERIFIED
            said = Outcome(id=sent.id, at=sent.at, state=state, cause=Cause.INVALID if refuses else None)
            assert reasons.hear("pcs1", said, mono) is refuses
    assert counted == {"older": 3 + 2, "newer": 864}


# windows that slide, and those that were kept -------------------------------------------------------------


def test_quarters_that_slide_by_five_minutes_are_held_wherever_they_begin(tmp_path: Path) -> None:
    """Half of one quarter and half of the next at 110 kW: each of both held 60 kW, and one between them made 77."""
    tariff = TARIFF.replace("price = 15.0", "price = 15.0, minutes = 15, sliding = 5")
    it = PolicySite(plant_site(tmp_path, tariff=tariff), NOON)
    it.hears(plan())
    it.run(1262, lambda second: 20e3 if second < 500 else 110e3)
    assert max(it.mean(begin) for begin in (0, 300)) <= CAP * 1.002


def test_what_was_kept_of_a_window_is_not_taken_for_another_of_the_same_name(tmp_path: Path) -> None:
    """The clock is set ahead, and back into the window of the last restart: of that one nothing had been drawn, and the
    battery gave all of it away. A window of 60 kW came to 73."""
    it = one_battery(tmp_path, NOON + timedelta(seconds=840), tells=False).run(4, 60e3)
    assert it.kept is not None
    nothing = {"demand": KeptWindow(start=NOON, imported=0.0, seen=840.0)}
    it.kept = it.kept.model_copy(update={"windows": nothing})
    it.restart(2, 60e3).run(4, 60e3)
    for ahead, seconds in ((1800.0, 60), (-300.0, 30)):
        it.ahead = ahead
        it.run(seconds, 100e3)
    assert it.grids[-1] <= CAP


def test_a_window_that_no_file_carries_ends_nothing(tmp_path: Path) -> None:
    """A controller in India without a clock of its own begins in 1970: its hour began in 1969, and dispatch ended with
    that, as often as it was started."""
    plant_site(tmp_path, tariff=TARIFF.replace("price = 15.0", "price = 15.0, minutes = 60"))
    file = tmp_path / "site.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("Europe/Berlin", "Asia/Kolkata"), encoding="utf-8")
    desk = Story(load_site(file))
    desk.ahead = (EARLIEST - NOON).total_seconds()
    desk.hear_all(grid=9e11, power=9e11)
    desk.order()
    kept = desk.desk.keep(desk.now, desk.second)
    assert kept is not None
    assert kept.windows["demand"].start == EARLIEST


async def test_what_cannot_be_written_down_is_said_and_holds_up_nothing(tmp_path: Path) -> None:
    keeping = StateKeeping(tmp_path / "kept.json")
    good = Kept(at=NOON, mode=ControlMode(at=NOON, mode=Mode.AUTO, who="anna"))
    for look, words in ((lambda: Kept.model_validate({"at": NOON}), "cannot be written down"), (lambda: good, "")):
        await keeping.keep(look)
        assert words in keeping.trouble
        assert bool(keeping.trouble) is bool(words)
    keeping.close()
    assert StateKeeping(tmp_path / "kept.json").begin().kept == good


async def test_a_lockout_outlives_a_number_that_no_file_carries(tmp_path: Path) -> None:
    """One window or load that was none, and the lockout beside it was not kept either."""
    out = ControlMode(at=NOON, mode=Mode.LOCKOUT, who="anna", why="smoke")
    keeping = StateKeeping(tmp_path / "kept.json")
    beside = {
        "windows": lambda: {"demand": KeptWindow(start=EARLIEST - timedelta(hours=1), imported=0.0, seen=0.0)},
        "peaks": lambda: {"demand": nan},
        "peak": lambda: 60e3,
    }
    await keeping.keep(lambda: keepable({"at": NOON, "mode": out}, beside))
    assert keeping.trouble == "no file carries windows, peaks"
    keeping.close()
    again = StateKeeping(tmp_path / "kept.json").begin()
    assert again.mode == out
    assert again.kept is not None
    assert again.kept.peak == 60e3


WINDOW = {"start": "2026-06-10T10:00:00Z", "imported": 1e3, "seen": 60.0}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("windows", {"demand": {**WINDOW, "seen": None}}),  # a NaN in JSON
        ("windows", {"demand": {**WINDOW, "seen": -5}}),
        ("windows", {"demand": {**WINDOW, "start": "2999-01-01T00:00:00Z"}}),
        ("windows", [WINDOW]),
        ("peak", "60 kW"),
        ("peaks", {"noon": "60 kW"}),
        ("loads", {"one": {}}),
        ("rules", 7),
        ("mode", {"mode": "sleep", "at": "2026-06-10T10:00:00Z", "who": "anna"}),
    ],
)
def test_only_what_says_who_steers_locks_a_site_out(tmp_path: Path, key: str, value: object) -> None:
    """After a step back to an older program any other part of the file stopped the site until a person came."""
    path = tmp_path / "dispatch-plant.json"
    good = Kept(at=NOON, mode=ControlMode(at=NOON, mode=Mode.AUTO, who="anna"), lease=5.0)
    text = json.dumps(json.loads(good.model_dump_json()) | {key: value})
    path.write_text(text, encoding="utf-8")
    found = read_state(path)
    if key == "mode":
        assert "mode" in found.fault
    else:
        assert (found.fault, found.kept) == ("", good)
        assert f"{path}: {key}: " in found.lost
        assert path.with_name(path.name + ASIDE).read_text(encoding="utf-8") == text


# several demands -------------------------------------------------------------------------------------------

NOONS = """
import.period = [{ price = 0.12 }]
demand = [
    { name = "day", price = 5.0 },
    { name = "noon", price = 15.0, hours = [{ start = 12:00:00, end = 14:00:00 }] },
]
"""


@pytest.mark.parametrize("restarts", [False, True], ids=["the plan ends", "a restart without one"])
def test_each_demand_is_held_after_the_last_plan(tmp_path: Path, *, restarts: bool) -> None:
    """Only that of the first was: the other window, of 60 kW, came to 78, and to 84 after a restart."""
    it = PolicySite(plant_site(tmp_path, tariff=NOONS), NOON, tells_billing=False)
    it.hears(plan().model_copy(update={"peak": 100e3, "peaks": {"day": 100e3, "noon": 60e3}, "steps": []}))
    it.run(10, 50e3)
    it.plan = None
    if restarts:
        it.restart(6, 50e3)
    elif it.desk is not None:
        it.desk.plans.hear(None, it.now)
    it.run(902 - int(it.second), 90e3)
    assert it.mean(0) <= CAP * 1.002


# loads that do not obey ------------------------------------------------------------------------------------


class Stubborn(Loads):
    """Its load `one` goes off so many seconds after it was told to, or comes back by itself."""

    after = inf
    back = inf
    told = inf

    def powers(self) -> dict[str, float]:
        powers = super().powers()
        if powers["one"] > 0.0:
            self.told = inf
            return powers
        self.told = min(self.told, self.second)
        gone = self.second - self.told
        return powers if self.after <= gone < self.after + self.back else powers | {"one": 10e3}


@pytest.mark.parametrize(
    ("after", "back"), [(inf, inf), (40.0, inf), (0.0, 120.0)], ids=["never", "late", "comes back"]
)
def test_a_load_that_does_not_obey_shields_no_other(tmp_path: Path, after: float, back: float) -> None:
    """The first of the site file was told to go and did not, and counted as gone: 105 kW of 100 kW for ever."""
    it = Stubborn(tmp_path, SWITCHED.replace("two", "one"), SWITCHED)
    it.after, it.back, it.base = after, back, 50e3
    it.tick(60)
    it.base, beyond, switched = 75e3, 0, 0
    for _ in range(600):
        before = dict(it.shares)
        it.tick()
        beyond += it.base + sum(it.powers().values()) > 100e3
        switched += it.shares != before
    assert beyond <= 2 * 20, "each time half a minute at most, and no more than twice"
    assert switched <= 8


# a meter that is late --------------------------------------------------------------------------------------


class Late(PolicySite):
    """Its meter shows what was 25 s before, and nothing is read in an even rhythm."""

    def _shown(self) -> float:
        return self.grids[max(0, len(self.grids) - 26)]

    def _hear(self, desk: Desk) -> None:
        true, self.second = self.second, self.second + 0.3 * (self.second * 0.618 % 1.0)
        super()._hear(desk)
        self.second = true


def test_a_meter_that_is_late_for_good_passes_no_cap(tmp_path: Path) -> None:
    """What the last 25 s of a window bring it shows in the next one: its own mean was 60.0 kW, the true one 61.1."""
    it = Late(plant_site(tmp_path), NOON)
    it.hears(plan())
    it.run(902, lambda second: 120e3 if second // 50 % 2 else 60e3)
    assert it.mean(0) <= CAP
