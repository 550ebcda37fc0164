"""The market prices that were said on the topic, out of the archive: they are there after a restart, too."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.heard import Heard, read
from schemas.tables import control
from schemas.topics import MARKET_PRICES

BACK = timedelta(days=30)
"""So far back the planner remembers, too."""


class PricesTold:
    """Of one site. `news` gives each word once."""

    def __init__(self, engine: AsyncEngine, site: str) -> None:
        self.engine, self.site = engine, site
        self.waiting = list[Heard[Any]]()
        self._newest: datetime | None = None

    async def read(self, now: datetime) -> None:
        """Read what has come, in the order in which it was said."""
        c = control.c
        mine = c.site == self.site, c.topic == MARKET_PRICES.name, c.at >= now - BACK
        asked = select(c.at, c.body).where(*mine).order_by(c.at)
        if self._newest is not None:
            asked = asked.where(c.at > self._newest)
        async with self.engine.connect() as connection:
            rows = (await connection.execute(asked)).all()
        for at, body in rows:
            payload = body.encode()
            self.waiting.append(
                Heard(MARKET_PRICES, {"site": self.site}, *read(MARKET_PRICES, payload), payload, True, 0)
            )
            self._newest = at

    def news(self) -> list[Heard[Any]]:
        """What was read since this was asked last."""
        found, self.waiting = self.waiting, []
        return found
