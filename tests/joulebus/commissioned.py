"""A simulated site, and an integrator who commissions it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from joulebus.commission import bridge, runs, walk
from joulebus.commission.command import Person, Wish, commission
from joulebus.shipped_sites import SITES
from runtime.settings import Settings, parse_broker
from schemas.profile import Profile
from schemas.site import Site
from schemas.site_file import load_site
from simulator.plant import Surroundings
from simulator.service import SimulatedSite

DEMO = Path(__file__).parents[2] / "tests" / "one_battery.toml"
NIGHT = datetime(2026, 6, 21, 1, 0, tzinfo=UTC)
P_SET = 135
"""The register of the PCS."""


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds where the field takes minutes."""
    monkeypatch.setattr(walk, "PAUSE", 0.05)
    monkeypatch.setattr(walk, "LONGEST", 3.0)
    monkeypatch.setattr(bridge, "LISTEN", 0.3)
    monkeypatch.setattr(runs, "HOLD", 1.5)
    monkeypatch.setattr(runs, "TICK", 0.1)
    monkeypatch.setattr(walk, "RESTS", 6.0)


@asynccontextmanager
async def simulated(name: str, *faults: str, ramp: float = math.inf, **change: Any) -> AsyncIterator[SimulatedSite]:
    """The demo's site on free ports; its PCS gives up after 2 s of silence."""
    demo = load_site(DEMO)
    update = {"site": name, "battery": [demo.battery[0].model_copy(update={"ramp": 200_000.0})]} | change
    site = demo.model_copy(update=update)
    pcs = demo.profiles["pcs"]
    assert pcs.watchdog is not None
    dog = pcs.watchdog.model_copy(update={"seconds": 2.0})
    site.__dict__["profiles"] = demo.profiles | {"pcs": pcs.model_copy(update={"watchdog": dog})}
    async with SimulatedSite(site, faults, ramp=ramp, start=NIGHT, free_ports=True) as running:
        running.site.__dict__["profiles"] = site.profiles
        yield running


LARGE = SITES / "large.toml"


@asynccontextmanager
async def large(
    name: str, *faults: str, load: float = 300e3, sun: float = 0.5, only: Collection[str] = (), **change: Any
) -> AsyncIterator[SimulatedSite]:
    """The shipped large site on free ports, or some batteries of it, under a sun that stands still."""
    shipped = load_site(LARGE)
    kept = [one for one in shipped.battery if not only or one.name in only]
    update = {"site": name, "battery": [one.model_copy(update={"ramp": 200_000.0}) for one in kept]} | change
    mine = {device for one in kept for device in (*one.pcs, *one.bms)}
    others = {device for one in shipped.battery for device in (*one.pcs, *one.bms)} - mine
    update["device"] = [device for device in shipped.device if device.name not in others]
    site = shipped.model_copy(update=update)
    site.__dict__["profiles"] = {n: _impatient(one) for n, one in shipped.profiles.items() if n not in others}
    around = Surroundings(load, sun)
    simulated = SimulatedSite(site, faults, ramp=math.inf, start=NIGHT, free_ports=True, around=lambda _: around)
    async with simulated as running:
        running.site.__dict__["profiles"] = site.profiles
        yield running


def _impatient(profile: Profile) -> Profile:
    """Its watchdog, if it has one, bites after 2 s."""
    if profile.watchdog is None:
        return profile
    return profile.model_copy(update={"watchdog": profile.watchdog.model_copy(update={"seconds": 2.0})})


@dataclass
class Integrator:
    """Answers what is asked, and remembers it."""

    yes: Callable[[str], bool] = lambda _: True
    types: str = ""
    asked: list[str] = field(default_factory=list)

    def ask(self, words: str) -> bool:
        self.asked.append(words)
        return self.yes(words)

    def typed(self, words: str) -> str:
        self.asked.append(words)
        return self.types


async def commissioned(
    running: SimulatedSite,
    broker: str,
    path: Path,
    who: Integrator | None = None,
    *,
    site: Site | None = None,
    wish: Wish | None = None,
) -> tuple[int, str]:
    """The exit code and the report."""
    who = who or Integrator()
    settings = Settings(parse_broker(broker, "admin", None, {}), "")
    report = path / "report.md"
    person = Person(who.ask, who.typed)
    code = await commission(site or running.site, settings, report, person, say=lambda _: None, wish=wish or Wish())
    return code, await asyncio.to_thread(report.read_text, encoding="utf-8")


def powers(running: SimulatedSite) -> list[float]:
    """kW that were written to the setpoint."""
    words = [one.values[0] for one in running.written if one.device == "pcs" and one.register == P_SET]
    return [(word - 0x10000 if word & 0x8000 else word) / 10 for word in words]


def writes(running: SimulatedSite) -> list[Any]:
    return list(running.written)
