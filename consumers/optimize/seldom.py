"""What a plan needs that is reckoned now and then: how worn each battery is, out of the archive, and what each reserve
costs."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from math import isfinite

from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from optimizer.tariff import Series
from runtime.history import History
from runtime.part import Part
from schemas.troubles import Trouble
from schemas.units import utc_now

FIRST, WORN, PRICED = 600.0, 86_400.0, 3600.0
"""Seconds until the first time, between two looks at the batteries, and between two prices of the reserves."""
DAYS = timedelta(days=90)
"""Of the past a battery is judged by."""
QUARTER = 900.0


class Seldom:
    """Beside the plans; whatever goes wrong leaves what was known."""

    def __init__(self, part: Part, situation: Situation, past: Past, history: History) -> None:
        self.part, self.situation, self.past, self.history = part, situation, past, history

    async def run(self, series: Callable[[datetime, float], dict[str, Series]]) -> None:
        """Until it is cancelled. `series`: the market prices for now and a wall clock."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_worn(), name="optimize.worn")
            if self.part.site.reserve or self.part.site.plan.backup_minutes:
                group.create_task(self._keep_priced(series), name="optimize.reserves")

    async def _keep_worn(self) -> None:
        await asyncio.sleep(FIRST)
        while True:
            try:
                await self._look_at_batteries()
            except Exception as wrong:  # noqa: BLE001  # a record nobody thought of must not stop the plans
                self.part.log.warning("how worn the batteries are is not known: %s", wrong)
            await asyncio.sleep(WORN)

    async def _look_at_batteries(self) -> None:
        from consumers.optimize.battery_health import health  # noqa: PLC0415  # loads numpy and scipy
        from optimizer.health import usable  # noqa: PLC0415  # as above

        end = datetime.fromtimestamp(utc_now().timestamp() // QUARTER * QUARTER, utc_now().tzinfo)
        for one in await health(self.history, self.part.site, end - DAYS, end):
            energy, efficiency, sigma = usable(one.battery, one.found)
            if isfinite(sigma):
                self.situation.worn[one.battery.name] = energy, efficiency

    async def _keep_priced(self, series: Callable[[datetime, float], dict[str, Series]]) -> None:
        while True:
            await asyncio.sleep(FIRST)
            if not self.situation.missing(time.monotonic()):
                await self._price(series)
                await asyncio.sleep(PRICED - FIRST)

    async def _price(self, series: Callable[[datetime, float], dict[str, Series]]) -> None:
        from optimizer.reserve_price import in_words  # noqa: PLC0415  # loads the solver

        now = utc_now()
        still = self.situation.still(self.situation.held, self.situation.intensity)
        try:
            known = await asyncio.to_thread(series, now, time.time())
            still_past = self.past.still()
            self.situation.reserves = await asyncio.to_thread(_prices, still, still_past, known, now, time.monotonic())
        except Exception as wrong:  # noqa: BLE001  # as for the batteries
            self.part.log.warning("what the reserves cost is not known: %s", wrong)
            return
        self.part.log.info("%s", in_words(self.situation.reserves, self.part.site.prices.currency))


def _prices(
    situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float
) -> dict[str, float]:
    from consumers.optimize.think import reserve_prices  # noqa: PLC0415  # loads the solver
    from optimizer.program import Unsolved  # noqa: PLC0415  # as above

    try:
        return reserve_prices(situation, past, series, now, mono)
    except Unsolved as wrong:
        raise Trouble(str(wrong)) from wrong
