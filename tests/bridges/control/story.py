"""A bridge and a simulated site in virtual time: real codec, real registers, real physics, no sockets and no waiting.

Commands come at the rhythm of the field; what is written is read from the registers' own log.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridges.fieldbus.contract import FieldDevice
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.service import Bridge
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Authority, Command, Outcome
from schemas.profile import Profile
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import COMMAND
from simulator.service import SimulatedSite
from simulator.states import INSTANT, Times
from simulator.world import Around
from tests.virtual import loop

DEMO = Path(__file__).parents[3] / "tests" / "one_battery.toml"
SUMMER_NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
P_SET = 135
"""Register of the Sinexcel's active power setpoint, 100 W a step."""


@dataclass
class Story:
    """What happens at a site, by the loop's virtual clock."""

    site: Site
    simulated: SimulatedSite
    bridge: Bridge
    serving: asyncio.Task[None]
    outcomes: list[tuple[float, str, Outcome]] = field(default_factory=list)
    _ids: int = 0

    def wish(self, **change: Any) -> Command:
        """A good command, with some changes."""
        self._ids += 1
        now = loop().wall()
        wish: dict[str, Any] = {
            "id": f"c{self._ids}",
            "at": now,
            "until": now + timedelta(seconds=10),
            "source": "dispatch",
            "authority": Authority.PLAN,
            "values": {"p_set": 10_000.0},
            "reason": "story",
        }
        return Command(**(wish | change))

    def command(self, device: str = "pcs", *, retained: bool = False, **change: Any) -> Command:
        """One that the bridge hears now."""
        command = self.wish(**change)
        payload = command.model_dump_json().encode()
        place = {"site": self.site.site, "device": device}
        self.bridge.controls[device].hear(Heard(COMMAND, place, command, "", payload, retained, 0))
        return command

    async def steer(self, power: float | Callable[[float], float], seconds: float, **change: Any) -> None:
        """As dispatch does: a command each 2 s that lives for 10."""
        ends = loop().time() + seconds
        while loop().time() < ends - 1e-6:
            wanted = power(loop().time()) if callable(power) else power
            self.command(values={"p_set": wanted}, **change)
            await asyncio.sleep(min(2.0, ends - loop().time()))

    async def until(self, what: Callable[[], bool], seconds: float) -> float:
        """Waits for something; gives how long it took. Fails when it does not come."""
        began = loop().time()
        while not what():
            assert loop().time() - began <= seconds, f"not within {seconds} s"
            await asyncio.sleep(0.05)
        return loop().time() - began

    def said(self, command: Command | None = None, device: str = "pcs") -> list[Outcome]:
        """The outcomes of a command, or of all."""
        mine = [one for _, name, one in self.outcomes if name == device]
        return mine if command is None else [one for one in mine if one.id == command.id]

    def states(self, command: Command | None = None, device: str = "pcs") -> list[str]:
        return [one.state.value for one in self.said(command, device)]

    def written(self, register: int = P_SET, device: str = "pcs") -> list[tuple[float, tuple[int, ...]]]:
        """When a register was written, and with what."""
        return [(one.at, one.values) for one in self.simulated.written
                if one.device == device and one.register == register]  # fmt: skip

    @property
    def power(self) -> float:
        """W the battery really gives."""
        return self.simulated.world.plant.pcs.p

    @property
    def grid(self) -> float:
        """W that really flow through the connection point."""
        return self.simulated.world.plant.grid

    def causes(self, device: str = "pcs") -> list[str]:
        """What the bridge says is wrong with a device."""
        status = self.bridge.said.get(device)
        return [] if status is None else list(status.causes)


def changed(site: Site, device: str, **change: Any) -> list[Any]:
    """The devices of a site with one of them changed."""
    return [one.model_copy(update=change) if one.name == device else one for one in site.device]


@contextlib.asynccontextmanager
async def story(
    tmp_path: Path,
    *faults: str,
    battery: Mapping[str, Any] | None = None,
    grid: Mapping[str, Any] | None = None,
    profiles: Mapping[str, Profile] | None = None,
    soc: float = 50.0,
    ramp: float = math.inf,
    start: datetime = SUMMER_NOON,
    around: Around | None = None,
    times: Times = INSTANT,
    only: Iterable[str] | None = None,
    file: Path = DEMO,
    **change: Any,
) -> AsyncIterator[Story]:
    """A site, changed; its bridge has read every device when the story begins."""
    demo, calm = load_site(file), {"ramp": 1e9} | dict(battery or {})
    update: dict[str, Any] = {"battery": [one.model_copy(update=calm) for one in demo.battery]}
    update["grid"] = demo.grid.model_copy(update=dict(grid or {}))
    site = demo.model_copy(update=update | change)
    site.__dict__["profiles"] = demo.profiles | dict(profiles or {})
    made = SimulatedSite(
        site, faults, soc=soc, ramp=ramp, start=start, around=around, times=times, noisy=True, sockets=False
    )
    async with made as simulated:
        settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, tmp_path)
        bridge = Bridge(Part("bridge", site, settings), field_devices(simulated, only))
        serving = asyncio.create_task(bridge.serve(), name="story.bridge")
        told = Story(site, simulated, bridge, serving)
        await asyncio.sleep(0)
        for name, control in bridge.controls.items():
            control.say = lambda outcome, name=name: told.outcomes.append((loop().time(), name, outcome))  # type: ignore[misc]
        try:
            await told.until(lambda: all(one.known for one in bridge.readers.values()), 10)
            yield told
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            bridge.close()


def field_devices(simulated: SimulatedSite, only: Iterable[str] | None = None) -> list[FieldDevice]:
    """Every device as a bridge has it, on a line without sockets."""
    site = simulated.site
    return [
        ModbusDevice(
            device,
            site.profiles[device.name],
            simulated.wire(device.address),
            writable=site.mode == "control"
            and bool(site.profiles[device.name].commands or site.profiles[device.name].actions),
        )
        for device in site.device
        if only is None or device.name in only
    ]
