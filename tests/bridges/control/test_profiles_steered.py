"""Every PCS that takes a power is steered by the real bridge: right in its registers, proven, and safe without it."""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bridges.fieldbus.modbus.connection import Connection
from schemas.messages import Telemetry
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site_device import Device
from schemas.site_file import load_site
from schemas.topics import DEVICE_STATUS, OUTCOME, TELEMETRY
from schemas.units import utc_now
from tests.bridges.conftest import DEMO, Bench, Start

RATED = 50_000.0
SECONDS = 4.0
"""The watchdogs' time, here."""

Words = tuple[int, ...]


@dataclass(frozen=True)
class Story:
    """What must stand in the registers, worked out by hand for a rating of 50 kW."""

    profile: str
    model: int
    """The SunSpec model its registers are counted in; 0 for none."""
    positive: dict[int, Words]
    """After +15 kW."""
    negative: dict[int, Words]
    """After -10 kW."""
    zero: dict[int, Words]
    armed: tuple[int, Words] | None = None
    """The shipped watchdog: its register and the words for its shipped time."""
    dog: dict[str, Any] = field(default_factory=dict)
    """What makes its time `SECONDS`."""
    rated: float = RATED
    """W; less for one whose registers end below."""


STORIES = [
    Story(
        "sinexcel_pws2", 0, {135: (150,)}, {135: (65436,)}, {135: (0,)},
        armed=(327, (10,)),
    ),
    Story(
        "kaco_gridsave", 64201, {9: (30,)}, {9: (65516,)}, {9: (0,)},
        armed=(8, (10,)),
    ),
    Story(
        "refustore_88k", 123, {5: (300,), 9: (1,)}, {5: (65336,), 9: (1,)}, {5: (0,), 9: (1,)},
    ),
    Story(
        "sunspec_storage_701", 704, {24: (0, 15000), 23: (1,), 22: (1,)}, {24: (65535, 55536)}, {24: (0, 0)},
        armed=(31, (0, 10)),
    ),
    Story(
        "sungrow_sh", 0,
        {13049: (2,), 13050: (187,), 13051: (15000,)}, {13050: (170,), 13051: (10000,)}, {13050: (204,), 13051: (0,)},
    ),
    Story(
        "goodwe_et", 0,
        {47511: (12,), 47512: (15000,)}, {47511: (11,), 47512: (10000,)}, {47511: (8,), 47512: (0,)},
    ),
    Story(
        "huawei_sun2000_luna", 0,
        {47100: (2,), 47249: (0, 15000)}, {47100: (1,), 47247: (0, 10000)}, {47100: (2,), 47247: (0, 0)},
        armed=(47083, (240,)), dog={"scale": 1.0},
    ),
    Story(
        "kostal_plenticore", 0, {1034: (0x6000, 0x466A)}, {1034: (0x4000, 0xC61C)}, {1034: (0, 0)}, rated=25_000.0,
    ),
    Story(
        "fronius_gen24", 124, {12: (3000,), 13: (62536,), 5: (3,)}, {12: (63536,), 13: (2000,)}, {12: (0,), 13: (0,)},
    ),
    Story(
        "solaredge_storage", 0,
        {57348: (4,), 57357: (4,), 57360: (0x6000, 0x466A)}, {57357: (3,), 57358: (0x4000, 0x461C)},
        {57357: (0,), 57358: (0, 0)},
        armed=(57355, (14400, 0)),
    ),
    Story(
        "sma_sunny_island", 0, {40149: (0, 15000), 40151: (0, 802)}, {40149: (65535, 55536)}, {40149: (0, 0)},
    ),
]  # fmt: skip


def test_no_pcs_is_left_out() -> None:
    steered = {
        path.stem for path in PROFILES.glob("*.toml") if {"p_set", "p_set_pct"} & set(load_profile(path.stem).commands)
    }
    assert steered == {story.profile for story in STORIES}


def faster(profile: Profile, story: Story) -> Profile:
    """The same registers; an EEPROM may be written more often, and the watchdog bites sooner. The demo's battery stands
    behind it, with a voltage of its own."""
    dc_u = {name: one.model_copy(update={"high": None}) for name, one in profile.points.items() if name == "dc_u"}
    p_set = profile.commands["p_set"].model_copy(update={"interval": 0.0})
    dog = profile.watchdog.model_copy(update={"seconds": SECONDS} | story.dog) if profile.watchdog else None
    changed = {"points": profile.points | dc_u, "commands": profile.commands | {"p_set": p_set}, "watchdog": dog}
    return profile.model_copy(update=changed)


def held(bench: Bench, story: Story, registers: dict[int, Words]) -> dict[int, Words]:
    """What the device was told last, by the same registers."""
    image = bench.simulated.devices["pcs"].image
    base = image.address(0, story.model) if story.model else 0
    found: dict[int, Words] = {}
    for one in bench.simulated.written:
        if one.device == "pcs" and one.register - base in registers:
            found[one.register - base] = one.values
    return {register: found.get(register, ()) for register in registers}


def site(story: Story) -> list[Device]:
    """The demo's devices with another PCS."""
    pcs = Device(name="pcs", profile=story.profile, address="tcp://127.0.0.1:1", rated_power=story.rated, poll=0.5)
    return [pcs, *load_site(DEMO).device[1:]]


def holds(power: float, said: Telemetry) -> bool:
    """The register shows it to everybody."""
    return said.number("p_set") == power


async def until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("story", [story for story in STORIES if story.armed], ids=lambda story: story.profile)
async def test_its_watchdog_is_armed_with_the_time_of_its_profile(start: Start, story: Story) -> None:
    assert story.armed is not None
    register, words = story.armed
    bench = await start(profiles={"pcs": load_profile(story.profile).rated(story.rated)}, device=site(story))
    await until(lambda: held(bench, story, {register: words}) == {register: words}, 5)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=[story.profile for story in STORIES])
async def test_it_is_steered_proven_and_safe_when_its_bridge_dies(
    start: Start, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = faster(load_profile(story.profile).rated(story.rated), story)
    bench = await start(profiles={"pcs": profile}, device=site(story))
    plant = bench.simulated.world.plant
    for power, registers in ((15_000.0, story.positive), (-10_000.0, story.negative), (0.0, story.zero)):
        command = await bench.command(values={"p_set": power})
        said = await bench.outcome(command.id, "verified", "limited", "failed", "not_obeyed", "refused")
        assert (said.state, said.applied, said.reason) == ("verified", {"p_set": power}, "")
        assert said.measured["p"] == pytest.approx(power, abs=1000)
        assert held(bench, story, registers) == registers
        assert plant.pcs.p_set == pytest.approx(power, abs=1)
        if not profile.commands["p_set"].unseen:
            await bench.hears.until(TELEMETRY, functools.partial(holds, power), device="pcs")
    begin = utc_now()
    command = await bench.command(values={"p_set": 15_000.0}, at=begin, until=begin + timedelta(seconds=2.5))
    await bench.outcome(command.id, "verified")
    await bench.outcome(command.id, "expired")
    await until(lambda: plant.pcs.p_set == 0, 5)
    await bench.outcome((await bench.command(values={"p_set": 15_000.0})).id, "verified")
    if profile.watchdog:
        await asyncio.sleep(SECONDS + 1)
        assert not plant.pcs.timed_out, "it is fed"
        assert plant.pcs.p_set == pytest.approx(15_000, abs=1)
    assert not [one for one in bench.hears.all(OUTCOME) if one.state == "foreign_change"]
    assert {one.state for one in bench.hears.all(DEVICE_STATUS)} == {"online"}
    bench.kill(monkeypatch)
    if profile.watchdog:
        await until(lambda: plant.pcs.timed_out and plant.pcs.p_set == 0, SECONDS + 4)
    else:
        await asyncio.sleep(SECONDS)
        assert plant.pcs.p_set == pytest.approx(15_000, abs=1), "no watchdog is known: docs/devices.md says so"


@pytest.mark.parametrize(
    ("story", "register", "word", "again"),
    [(STORIES[4], 13049, 0, (2,)), (STORIES[5], 47511, 1, (12,)), (STORIES[6], 47100, 0, (2,))],
    ids=["a companion", "a mode", "the mode of rest"],
)
async def test_the_right_amount_in_another_mode_is_not_ours(
    start: Start, story: Story, register: int, word: int, again: Words
) -> None:
    shipped = load_profile(story.profile).rated(story.rated)
    profile = faster(shipped, story).model_copy(update={"watchdog": shipped.watchdog})  # its food is the mode as well
    bench = await start(profiles={"pcs": profile}, device=site(story))
    await bench.outcome((await bench.command(values={"p_set": 15_000.0})).id, "verified")
    assert held(bench, story, {register: again}) == {register: again}
    await asyncio.sleep(1.0)  # a reading has seen it there: who has never seen it accuses nobody
    app = Connection(bench.site.named("pcs").address)
    await app.write(1, profile.commands["p_set"].write, register, [word])
    app.close()
    assert held(bench, story, {register: again}) == {register: (word,)}
    await until(lambda: any(one.state == "foreign_change" for one in bench.hears.all(OUTCOME)), 8)
    command = await bench.command(values={"p_set": 15_000.0})
    assert (await bench.outcome(command.id, "verified")).applied == {"p_set": 15_000.0}
    assert held(bench, story, {register: again}) == {register: again}
