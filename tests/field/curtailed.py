"""A site whose feed-in is limited, in virtual time: the real bridge and desk of dispatch, the simulator's physics.

The export limit is 0, there is sun, and one or two batteries of which a story decides how full they are.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.modes import begin
from schemas.messages import Authority, GridLimitRequest, Telemetry, Value
from schemas.units import Quality
from simulator.plant import Surroundings
from tests.bridges.control.story import DEMO, Story, story
from tests.virtual import loop

TICK = 2.0
"""Seconds between two commands, as dispatch gives them."""
LOOK = 0.25
RATED = 150e3
"""W of the PV."""
TOLERANCE = 0.01 * RATED
LIMIT_REGISTER = 5
"""Of model 123: WMaxLimPct."""


class CurtailedSite:
    """What it takes and the sun can be changed at any time."""

    def __init__(self, it: Story, load: float, sun: float) -> None:
        self.it, self.load, self.sun = it, load, sun
        self.desk = Desk.of(it.site)
        self.desk.control = begin(loop().wall())
        self.sends = True
        self.heard = 0
        self.exported: list[tuple[float, float]] = []
        """When, and W that were fed in."""
        publish = it.bridge.outgoing.put_from

        def put(moment: datetime, device: str, values: dict[str, Value], quality: Mapping[str, Quality]) -> Telemetry:
            said = publish(moment, device, values, quality)
            self.desk.read(device, said, loop().wall(), loop().time())
            return said

        it.bridge.outgoing.put_from = put  # type: ignore[method-assign]  # the wire between the two parts

    async def dispatch(self) -> None:
        while True:
            if self.sends:
                self.tick()
            await asyncio.sleep(TICK)

    def tick(self) -> None:
        """As dispatch's service does each 2 s."""
        now, mono = loop().wall(), loop().time()
        for _, _, outcome in self.it.outcomes[self.heard :]:
            self.desk.hear_outcome(outcome, now, mono)
        self.heard = len(self.it.outcomes)
        orders = self.desk.instruct(now, mono)
        orders |= self.desk.limit_pv(orders, now, mono)
        orders |= self.desk.steer_loads(now, mono)
        self.it.bridge.limits.hear(self.desk.limits.said(now))
        for device, order in orders.items():
            self._send(device, order, mono)

    def limit(self, **change: Any) -> None:
        """The network operator says how much may flow. It is followed."""
        self._limits += 1
        now = loop().wall()
        wish: dict[str, Any] = {"id": f"dso-{self._limits}", "at": now, "source": "dso", "authority": Authority.DSO,
                "direction": "feed_in", "reason": "story"} | change  # fmt: skip
        assert self.desk.limits.hear(GridLimitRequest(**wish), now) is None

    _limits = 0

    def _send(self, device: str, order: Instruction, mono: float) -> None:
        change: dict[str, Any] = {"values": order.values, "action": order.action, "reason": order.wanted.reason}
        command = self.it.command(device, authority=order.wanted.authority, **change)
        self.desk.sends(command.id, device, order)
        self.desk.has_sent(device, order, mono)

    async def live(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK)):
            await asyncio.sleep(LOOK)
            self.exported.append((loop().time(), -self.it.grid))

    def longest_beyond(self, limit: float = 0.0, *, since: float = 0.0) -> float:
        """Seconds on end that more than the limit and 1 % of the PV was fed in."""
        longest = now = 0.0
        for at, power in self.exported:
            now = now + LOOK if at > since and power > limit + TOLERANCE else 0.0
            longest = max(longest, now)
        return longest

    def most(self, last: float) -> float:
        """The most W that were fed in within the last seconds."""
        return max(power for at, power in self.exported if at > loop().time() - last)

    def least(self, last: float) -> float:
        """The least, negative when the site imported."""
        return min(power for at, power in self.exported if at > loop().time() - last)

    def pv(self, name: str = "pv") -> float:
        return self.it.simulated.world.plant.pv[name].p

    def said_of(self, device: str) -> set[str]:
        """What the bridge has said of its commands, besides that a newer one came."""
        return {one.state.value for one in self.it.said(device=device)} - {"superseded"}

    def writes(self, since: float, device: str = "pv") -> int:
        """How often a limit was written."""
        return sum(one.device == device and one.at > since for one in self.it.simulated.written)


@contextlib.asynccontextmanager
async def curtailed(
    folder: Path,
    *faults: str,
    load: float = 40e3,
    sun: float = 0.6,
    soc: float = 95.0,
    export_limit: float = 0.0,
    file: Path = DEMO,
    grid: Mapping[str, Any] | None = None,
    **change: Any,
) -> AsyncIterator[CurtailedSite]:
    """The batteries are full unless the story says otherwise."""
    made: list[CurtailedSite] = []

    def around(_: datetime) -> Surroundings:
        return Surroundings(made[0].load, made[0].sun) if made else Surroundings(load, sun)

    limits = {"export_limit": export_limit, **(grid or {})}
    async with story(folder, *faults, grid=limits, around=around, file=file, soc=soc, **change) as it:
        made.append(CurtailedSite(it, load, sun))
        steering = asyncio.create_task(made[0].dispatch())
        try:
            yield made[0]
        finally:
            steering.cancel()
            await asyncio.gather(steering, return_exceptions=True)
