"""A million steps in virtual time: commands in any order, repeated, delayed, forged; devices that are silent, decline,
stop; inputs that are unknown. No write beyond a limit that is valid at that moment, none by a command that is not;
without a valid one the fallback in time; no flash cell worn out.
"""

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridges.control.battery_control import BatteryControl
from bridges.control.controller import Controller
from bridges.control.write_budget import MOST_URGENT
from bridges.fieldbus.contract import FieldDevice, Unreachable, Writable
from bridges.telemetry.latest_values import LatestValues
from runtime.heard import Heard
from schemas.messages import Action, Authority, Command, Telemetry
from schemas.site_file import load_site
from schemas.topics import COMMAND, COMMAND_TTL
from tests.bridges.control.bare import Bare
from tests.bridges.control.story import DEMO
from tests.virtual import loop, virtual

FULL = os.environ.get("JOULEBUS_CHAOS") == "full"
SEEDS, STEPS = (range(20), 50_000) if FULL else (range(2), 2_500)
CYCLE, RAMP = 0.5, 50_000.0
SOURCES = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
SITE = load_site(DEMO).model_copy(update={"command_sources": SOURCES})
EPOCH = "ab" * 8


@dataclass
class Truth:
    """What is true, kept apart from what the bridge believes."""

    bms_at: float = -1e9
    charge: float = 0.0
    discharge: float = 0.0
    """W."""
    soc: float = 50.0
    read: tuple[float, float, float] = (0.0, 0.0, 50.0)
    """What the BMS said when it was read last: charge, discharge, SoC."""
    valid: list[tuple[float, Command]] = field(default_factory=list)
    """(deadline, command) of what may be obeyed, in the order it came."""

    def wishes(self, now: float) -> list[float]:
        """What the newest command wants, while it is valid: none of those before it counts any more."""
        return [one.values["p_set"] for ends, one in self.valid[-1:] if now <= ends]


class Walk:
    """One random walk."""

    def __init__(self, seed: int, *, wears: bool) -> None:
        self.random = random.Random(seed)
        memory: dict[str, Any] = {"wears": True, "interval": 300.0, "per_day": 50} if wears else {}
        self.pcs = Bare("pcs", {
            "p_set": Writable("p_set", -100_000.0, 100_000.0, None, **memory),
            "q_set": Writable("q_set", -100_000.0, 100_000.0, 0.0),
        })  # fmt: skip
        self.wears, self.latest, self.truth = wears, LatestValues(), Truth()
        self.steps = self.unsafe = 0
        self.told: list[Any] = []
        battery = BatteryControl(SITE.units[0], SITE, self.pcs, (), self.latest)
        self.control = Controller(
            self._device(), SITE, self.latest, self.told.append, battery=battery, wall=lambda: loop().wall()
        )
        self._number = 0
        self._old: list[tuple[Command, bytes]] = []
        self._alone_since = loop().time()

    def _device(self) -> FieldDevice:
        return self.pcs

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            self.steps += 1
            self.random.choices(DEEDS, WEIGHTS)[0](self)
            await self._read()
            before = len(self.pcs.log)
            await self.control.cycle()
            for at, point, value in self.pcs.log[before:]:
                self._judge(at, point, value)
            self._judge_fallback()
            if self.random.random() < 0.001:
                loop().step_wall(self.random.choice([-86_400.0, -3600.0, -2.0, 2.0, 3600.0, 86_400.0]))
            await asyncio.sleep(CYCLE)

    # what happens ------------------------------------------------------------------------------

    def calm(self) -> None:
        """Dispatch sends its next command."""
        self._number += 1
        self._send(self._command(self.random.choice([-90e3, -40e3, 0.0, 10e3, 50e3, 120e3]), self._number), good=True)

    def stranger(self) -> None:
        self._send(self._command(66_000.0, None, source="thief"), good=False)

    def late(self) -> None:
        self._send(self._command(67_000.0, None, at=-30, until=-20), good=False)

    def ahead(self) -> None:
        self._send(self._command(68_000.0, None, at=30, until=40), good=False)

    def retained(self) -> None:
        self._send(self._command(69_000.0, None), good=False, retained=True)

    def repeat(self) -> None:
        """An old one comes once more, whatever was in between."""
        if self._old:
            self._hear(*self.random.choice(self._old[-6:]), retained=False)

    def garbage(self) -> None:
        payload = self.random.randbytes(self.random.randint(0, 40))
        self.control.hear(Heard(COMMAND, {}, None, "not valid", payload, False, 0))

    def reset(self) -> None:
        self._number += 1
        self._send(self._command(None, self._number, action=Action.RESET, authority=Authority.OPERATOR), good=True)

    def start_or_stop(self) -> None:
        self._number += 1
        action = self.random.choice([Action.START, Action.START, Action.STOP])
        self._send(self._command(None, self._number, action=action), good=True)

    def silence(self) -> None:
        self.pcs.silent = not self.pcs.silent

    def decline(self) -> None:
        self.pcs.declines ^= {self.random.choice(["p_set", "q_set"])}

    def limits(self) -> None:
        """The BMS changes its mind."""
        self.truth.charge = self.random.choice([0.0, 20e3, 60e3, 200e3])
        self.truth.discharge = self.random.choice([0.0, 20e3, 60e3, 200e3])
        self.truth.soc = self.random.choice([5.0, 50.0, 50.0, 50.0, 95.0])

    def nothing(self) -> None:
        """Time passes."""

    # how it comes to the bridge ----------------------------------------------------------------

    def _command(
        self, power: float | None, number: int | None, *, at: float = 0.0, until: float = 10.0, **change: Any
    ) -> Command:
        now = loop().wall()
        self._ids = getattr(self, "_ids", 0) + 1
        wish: dict[str, Any] = {
            "id": f"c{self._ids}",
            "at": now + timedelta(seconds=at),
            "until": now + timedelta(seconds=until),
            "epoch": EPOCH if number else None,
            "number": number,
            "source": "dispatch",
            "authority": Authority.PLAN,
            "values": {} if power is None else {"p_set": power},
            "reason": "walk",
        }
        return Command(**(wish | change))

    def _send(self, command: Command, *, good: bool, retained: bool = False) -> None:
        payload = command.model_dump_json().encode()
        self._hear(command, payload, retained=retained)
        if good:
            self._old.append((command, payload))
            if "p_set" in command.values:
                self.truth.valid.append((loop().time() + COMMAND_TTL, command))
                del self.truth.valid[:-8]

    def _hear(self, command: Command, payload: bytes, *, retained: bool) -> None:
        self.control.hear(Heard(COMMAND, {}, command, "", payload, retained, 0))

    async def _read(self) -> None:
        now, truth = loop().time(), self.truth
        values: dict[str, Any] = {
            "u": 800.0, "ccl": truth.charge / 800.0, "dcl": truth.discharge / 800.0 / 0.95, "soc": truth.soc,
        }  # fmt: skip
        if self.random.random() < 0.9:
            truth.bms_at, truth.read = now, (truth.charge, truth.discharge, truth.soc)
            self._note("bms", values)
        if self.random.random() < 0.95:
            self._note("meter", {"p": 20_000.0 - float(self.pcs.values()["p"])})  # type: ignore[arg-type]
        try:
            reading = await self.pcs.read()
        except Unreachable:
            return
        self._note("pcs", reading.values)
        self.control.read(reading.began)

    def _note(self, device: str, values: dict[str, Any]) -> None:
        sample = Telemetry.model_construct(at=loop().wall(), epoch=EPOCH, seq=1, values=values, quality={})
        self.latest.note(device, sample, loop().time())

    # what must never be ------------------------------------------------------------------------

    def _judge(self, at: float, point: str, value: float) -> None:
        if point != "p_set":
            return
        truth, problems = self.truth, []
        if abs(value) > 100_000.0:
            problems.append("beyond the rating")
        if value and at - truth.bms_at > 5.0 + CYCLE:
            problems.append("with a BMS that is silent")
        charge, discharge, soc = truth.read
        if value < -charge - 1 or value > discharge + 1:
            problems.append(f"beyond the BMS, {-charge:g} to {discharge:g}")
        if (value > 0 and soc <= 10.0) or (value < 0 and soc >= 90.0):
            problems.append("beyond the SoC")
        if value and self.pcs.state != "running":
            problems.append("to an inverter that stands")
        mine = [one for when, name, one in self.pcs.log[:-1] if name == "p_set" and when < at]
        before = mine[-1] if mine else 0.0
        wishes = truth.wishes(at)
        low, high = min([0.0, before, *wishes]), max([0.0, before, *wishes])
        if not low - 100 <= value <= high + 100:
            problems.append(f"and nobody wants that: {wishes}, before {before:g}")
        assert not problems, f"step {self.steps}: {value:g} W was written {', '.join(problems)}"

    def _judge_fallback(self) -> None:
        """Never more than the ttl and two cycles, and the ramp, without a valid command above the fallback."""
        now = loop().time()
        if self.truth.wishes(now) or self.pcs.silent or "p_set" in self.pcs.declines or self.control.left_alone:
            self._alone_since = now
            return
        resting = max((one.again - now for one in self.control.writer.budgets.values()), default=0.0)
        if now - self._alone_since > 2 * CYCLE + 200_000.0 / RAMP + max(0.0, resting):
            assert self.pcs.held_values.get("p_set", 0.0) == pytest.approx(0.0, abs=1), f"step {self.steps}"


DEEDS: list[Callable[[Walk], None]] = [
    Walk.calm, Walk.nothing, Walk.repeat, Walk.stranger, Walk.late, Walk.ahead, Walk.retained, Walk.garbage, Walk.reset,
    Walk.start_or_stop, Walk.silence, Walk.decline, Walk.limits,
]  # fmt: skip
WEIGHTS = [25, 40, 8, 2, 2, 2, 2, 2, 1, 1, 2, 2, 6]


@pytest.mark.search
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_nothing_unsafe_is_written(seed: int, tmp_path: Path) -> None:
    @virtual
    async def told(_: Path) -> None:
        walk = Walk(seed, wears=seed % 3 == 2)
        await walk.run(STEPS)
        assert walk.steps == STEPS
        if walk.wears:
            days = STEPS * CYCLE / 86_400
            writes = sum(name == "p_set" for _, name, _ in walk.pcs.log)
            assert writes <= (50 + MOST_URGENT + 2) * (days + 1)

    told(tmp_path)
