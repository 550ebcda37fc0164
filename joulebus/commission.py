"""Walks an integrator through a new site: reads every device, steps the battery by 5 %, and writes down what it found.

Speaks to the devices itself, so no bridge may serve them meanwhile: two masters would fight over one setpoint.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

import aiomqtt

from bridges.control.guard import understood
from bridges.control.setpoint_writer import SetpointWriter
from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.site_lines import modbus_devices
from joulebus.findings import GOOD, OPEN, WRONG, Finding, Step, agreement, judge, plausible, report, wander
from runtime.bus import Bus, Refused
from runtime.settings import Settings
from schemas.messages import Value
from schemas.site import Site
from schemas.topics import SERVICE_STATUS
from schemas.troubles import Trouble
from schemas.units import utc_now

SHARE = 0.05
"""Of the rated power: enough to see, too little to hurt."""
LOOKS, PAUSE = 5, 0.3
"""Readings of a mean, and seconds between them."""
LONGEST = 10.0
"""Seconds a device may take to follow a step."""

Ask = Callable[[str], bool]


async def commission(site: Site, settings: Settings, path: Path, ask: Ask, say: Callable[[str], None] = print) -> int:
    """0 when everything is right. Raises Trouble when a bridge serves the site."""
    notes = [await _no_bridge(site, settings)]
    walk = Walk(site, ask, say)
    try:
        await walk.read_all()
        await walk.step_all()
    finally:
        walk.close()
    text = report(site, walk.findings, utc_now(), [*notes, *walk.notes])
    await asyncio.to_thread(path.write_text, text, encoding="utf-8")
    say(f"{path} is written")
    return 0 if all(one.verdict == GOOD for one in walk.findings) else 1


async def _no_bridge(site: Site, settings: Settings) -> str:
    """Asks the broker. Raises Trouble when one is there."""
    address = SERVICE_STATUS.at(site=site.site, service="bridge")
    try:
        async with asyncio.timeout(5), Bus(settings.broker, identifier="commission") as bus:
            state = await _state(bus, address)
    except (aiomqtt.MqttError, Refused, TimeoutError) as wrong:
        return f"The broker {settings.broker} could not say whether a bridge runs: {wrong or 'no answer'}."
    if state == "online":
        raise Trouble(
            f"the bridge of {site.site} serves these devices: stop it first, two masters fight over a setpoint"
        )
    return f"No bridge served the site (its last word: {state or 'none'})."


async def _state(bus: Bus, address: str) -> str:
    """The retained word of the bridge; empty when there is none."""
    try:
        async with asyncio.timeout(1):
            async for batch in bus.listen(address):
                bus.ack(batch)
                for heard in batch:
                    if heard.message is not None:
                        return str(heard.message.state)
    except TimeoutError:
        pass
    return ""


@dataclass
class Walk:
    """One commissioning."""

    site: Site
    ask: Ask
    say: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fields = {one.name: one for one in modbus_devices(self.site, watched=True)}

    def close(self) -> None:
        for one in self.fields.values():
            one.line.close()

    def find(self, *found: Finding) -> None:
        for one in found:
            self.findings.append(one)
            self.say(f"  {one.device:<10} {one.check:<14} {one.verdict:<12} {one.says}")

    async def read_all(self) -> None:
        """Identity, points, ranges, ratings. Nothing is written."""
        seen: dict[str, dict[str, Value]] = {}
        for name, one in self.fields.items():
            try:
                seen[name] = (await one.read()).values
                for _ in one.slow:
                    seen[name] |= (await one.read()).values
            except (Unreachable, Declined) as wrong:
                self.find(Finding(name, "connection", WRONG, str(wrong)))
                continue
            model = f"{seen[name].get('model_name', '')} {seen[name].get('serial', '')}".strip()
            self.find(Finding(name, "connection", GOOD, model or "it answers"))
            self.find(*plausible(one.device, one.profile, seen[name]))
        self.find(*agreement(self.site, seen))
        self.seen = seen

    async def step_all(self) -> None:
        """Up and down by 5 %, if the person agrees and the battery may."""
        pcs = self.fields[self.site.battery.pcs]
        step = SHARE * (pcs.device.rated_power or 0.0)
        if why := self._forbids(step):
            self.find(Finding(pcs.device.name, "steps", OPEN, why))
            return
        pcs.writable = True
        registers = SetpointWriter(pcs, Counter())
        registers.recall(time.monotonic())
        steps = []
        try:
            for power in (step, -step):
                words = f"Write {power / 1000:+.1f} kW to {pcs.device.name} for some seconds, then 0?"
                if not self.ask(words):
                    self.notes.append(f"The step of {power:+.0f} W was not wanted.")
                    continue
                steps.append(await self._step(registers, power))
        except (Unreachable, Declined) as wrong:
            self.find(Finding(pcs.device.name, "steps", WRONG, str(wrong)))
        if not steps:
            self.find(Finding(pcs.device.name, "steps", OPEN, "none was made"))
            return
        self.find(*judge(self.site, steps))

    def _forbids(self, step: float) -> str:
        """Why the battery is left alone."""
        battery = self.site.battery
        missing = [name for name in (battery.pcs, battery.bms, self.site.grid.meter) if name not in self.seen]
        if missing:
            return f"no step without {', '.join(missing)}"
        if self.site.mode != "control" or "p_set" not in understood(self.fields[battery.pcs].commands):
            return "the site is only watched, or its PCS takes no power"
        bms = self.seen[battery.bms]
        u, ccl, dcl, soc = (bms.get(point) for point in ("u", "ccl", "dcl", "soc"))
        if not all(isinstance(one, float) for one in (u, ccl, dcl, soc)):
            return "the BMS does not say what it allows"
        if min(float(str(ccl)), float(str(dcl))) * float(str(u)) < 1.2 * step:
            return f"the BMS allows {ccl} A to charge and {dcl} A to discharge: too little for a step"
        if not battery.soc_min < float(str(soc)) < battery.soc_max:
            return f"the SoC of {soc} % lies outside of {battery.soc_min:g} to {battery.soc_max:g} %"
        state = self.seen[battery.pcs].get("state", "running")
        return "" if state == "running" else f"the PCS is {state}: start it first"

    async def _step(self, registers: SetpointWriter, power: float) -> Step:
        before, noise = await self._mean()
        began = time.monotonic()
        try:
            await registers.put("p_set", power, time.monotonic(), urgent=True, cyclic=False)
            delay = await self._delays(before, power, began)
            after, _ = await self._mean()
        finally:
            await registers.put("p_set", 0.0, time.monotonic(), urgent=True, cyclic=False)
        await asyncio.sleep(LOOKS * PAUSE)
        return Step(power, {name: after[name] - before[name] for name in after}, noise, delay)

    async def _mean(self) -> tuple[dict[str, float], float]:
        """The mean power of each of the three, and how much the grid wanders."""
        looks = []
        for _ in range(LOOKS):
            looks.append(await self._powers())
            await asyncio.sleep(PAUSE)
        means = {name: fmean(look[name] for look in looks if name in look) for name in looks[0]}
        meter = self.site.grid.meter
        return means, wander([look[meter] for look in looks if meter in look])

    async def _powers(self) -> dict[str, float]:
        battery, found = self.site.battery, dict[str, float]()
        for name in (battery.pcs, self.site.grid.meter):
            power = (await self.fields[name].look("p")).values.get("p")
            found |= {name: power} if isinstance(power, float) else {}
        dc = (await self.fields[battery.bms].look("u", "i")).values
        u, i = dc.get("u"), dc.get("i")
        return found | ({battery.bms: u * i} if isinstance(u, float) and isinstance(i, float) else {})

    async def _delays(self, before: Mapping[str, float], power: float, began: float) -> dict[str, float]:
        """Until half of the step was seen, whatever its sign."""
        delays: dict[str, float] = {}
        while time.monotonic() - began < LONGEST and len(delays) < len(before):
            now = await self._powers()
            for name, value in now.items():
                if name not in delays and abs(value - before.get(name, value)) > abs(power) / 2:
                    delays[name] = time.monotonic() - began
            await asyncio.sleep(0.05)
        return delays


def by_hand(words: str) -> bool:
    """Asks the person at the terminal; Enter alone is no."""
    return input(f"{words} [y/N] ").strip().lower() in ("y", "yes")


def run(site: Site, settings: Settings, path: Path, *, yes: bool) -> int:
    """The command."""
    ask = (lambda _: True) if yes else by_hand
    return asyncio.run(commission(site, replace(settings, health=None), path, ask))
