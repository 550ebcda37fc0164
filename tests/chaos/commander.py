"""Commands like dispatch's, and bad ones among them; each with a power of its own, so that the write log names it.

Good ones discharge, bad ones would charge: no register may ever hold a negative setpoint.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import NamedTuple

import aiomqtt

from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import Authority, Command
from schemas.topics import COMMAND
from schemas.units import utc_now

TTL = 3.0
PERIOD = 0.4
TOO_MUCH = 5_000_000.0
"""W; a wish far beyond the rating, which is obeyed as far as the limits go."""


class Given(NamedTuple):
    """A good command that was tried: its power in W, and from when until when it may be obeyed (monotonic)."""

    power: float
    at: float
    until: float


@dataclass
class Commander:
    """Sends until it is cancelled. A new connection after each loss: what could not be sent then is forgotten."""

    url: str
    site: str
    random: Random
    silent: bool = False
    ttl: float = TTL
    given: list[Given] = field(default_factory=list)
    bad: list[tuple[str, float]] = field(default_factory=list)
    """Kind and power of the others."""
    oldest: Command | None = None

    async def work(self) -> None:
        broker = parse_broker(self.url, "dispatch", None, {})
        while True:
            try:
                async with Bus(broker, identifier="dispatch") as bus:
                    while True:
                        if not self.silent:
                            await self._speak(bus)
                        await asyncio.sleep(PERIOD)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.2)

    async def _speak(self, bus: Bus) -> None:
        power = 100.0 * (10 + len(self.given)) if self.random.random() < 0.9 else TOO_MUCH
        good = self._command(power)
        now = time.monotonic()
        self.given.append(Given(power, now, now + self.ttl))
        await self._send(bus, good)
        if self.random.random() < 0.4:
            await self._mislead(bus, good)

    async def _mislead(self, bus: Bus, good: Command) -> None:
        """A command nobody may obey, whatever else was lost on its way."""
        kind = self.random.choice(["expired", "future", "foreign", "retained", "replayed"])
        wrong = self._command(-100.0 * (10 + len(self.bad)))
        if kind in ("expired", "future"):
            at = utc_now() + timedelta(seconds=-20 if kind == "expired" else 60)
            wrong = wrong.model_copy(update={"at": at, "until": at + timedelta(seconds=self.ttl)})
        elif kind == "foreign":
            wrong = wrong.model_copy(update={"source": "stranger"})
        elif kind == "replayed":
            wrong = self.oldest or good
        self.oldest = self.oldest or good
        self.bad.append((kind, wrong.values["p_set"]))
        await self._send(bus, wrong, retain=kind == "retained")

    async def _send(self, bus: Bus, command: Command, *, retain: bool = False) -> None:
        address = COMMAND.at(site=self.site, device="pcs")
        await bus.send(address, command.model_dump_json().encode(), retain=retain, expiry=None if retain else self.ttl)

    def _command(self, power: float) -> Command:
        now = utc_now()
        return Command(
            id=f"c{time.monotonic_ns()}",
            at=now,
            until=now + timedelta(seconds=self.ttl),
            source="dispatch",
            authority=Authority.PLAN,
            values={"p_set": power},
            reason="chaos",
        )
