"""What optimize hears on the broker, given to those who remember it."""

import time
from typing import Any

from consumers.optimize.limits_heard import LimitsHeard
from consumers.optimize.occasions import Occasions
from consumers.optimize.past import Past
from consumers.optimize.price_sources import PriceSources
from consumers.optimize.situation import Situation
from runtime.bus import Bus
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.part import Part
from runtime.signature import forgery
from schemas.messages import Cause, ControlDispatch, ControlMode, MarketPrices, Telemetry
from schemas.printable import printable
from schemas.topics import (
    ALARM,
    CONTROL_DISPATCH,
    CONTROL_LIMITS,
    CONTROL_MODE,
    FORECAST_POWERS,
    MARKET_PRICES,
    TELEMETRY,
)
from schemas.units import utc_now

HEARD = (TELEMETRY, CONTROL_LIMITS, CONTROL_MODE, CONTROL_DISPATCH, MARKET_PRICES, FORECAST_POWERS, ALARM)
LIMITS = "limits"
"""What the cause is about that the broker keeps them back."""
TOLD = "told"
"""What the cause is about that prices on the topic are not followed."""


class Hearing:
    """Each message changes what the next plan is made of; what asks for one at once, `occasions` knows."""

    def __init__(self, part: Part, situation: Situation, past: Past, prices: PriceSources) -> None:
        self.part, self.situation, self.past, self.prices = part, situation, past, prices
        self.limits = LimitsHeard(part.site)
        self.occasions = Occasions(situation, self.limits)
        self._guarded = Guarded(part.log, part.counts)

    async def listen(self, bus: Bus) -> None:
        """Until the connection is lost."""
        async for batch in bus.listen(*(topic.at(site=self.part.site.site) for topic in HEARD)):
            for heard in batch:
                with self._guarded(heard):
                    self.hear(heard)
            bus.ack(batch)

    def hear(self, heard: Heard[Any]) -> None:
        """The next message."""
        if heard.topic is CONTROL_LIMITS:
            self.limits.hear(heard.message, utc_now(), time.monotonic(), retained=heard.retained)
            self.part.causes.clear(Cause.BROKER_REFUSES, about=LIMITS, words="the limits are heard")
        elif heard.topic is MARKET_PRICES:
            self._hear_prices(heard)
        elif heard.topic is FORECAST_POWERS:
            self._hear_forecast(heard)
        elif heard.topic is ALARM:
            self.occasions.hear_alarm(heard.place["alarm"], heard.message, time.monotonic())
        elif isinstance(heard.message, ControlMode):
            self.limits.moded = self.limits.moded or time.monotonic()
        elif isinstance(heard.message, ControlDispatch):
            self.situation.hear_dispatch(heard.message, time.monotonic())
        elif isinstance(heard.message, Telemetry) and not heard.retained:
            self.situation.fold(heard.place["device"], heard.message, utc_now(), time.monotonic())

    def note_withheld(self) -> None:
        """Say that the broker keeps the limits back, where it does."""
        if words := self.limits.withheld(time.monotonic()):
            self.part.causes.add(Cause.BROKER_REFUSES, words, about=LIMITS, ready=True)

    def _hear_prices(self, heard: Heard[Any]) -> None:
        """Prices on the topic; the next plan is made with them. The same ones said again are no news."""
        if why := self.prices.hear(heard, self.part.settings, utc_now()):
            self.part.counts["prices_refused"] += 1
            words = printable(f"the prices on market/prices are not followed: {why}")
            self.part.causes.add(Cause.PRICES, words, about=TOLD)
            return
        self.part.causes.clear(Cause.PRICES, about=TOLD, words="the prices on market/prices are followed")
        said = heard.message if isinstance(heard.message, MarketPrices) else None
        self.occasions.hear_prices(None if said is None else (said.currency, said.prices, said.export, said.until))

    def _hear_forecast(self, heard: Heard[Any]) -> None:
        """A forecast from outside; the next plan weighs it."""
        name, key = heard.place["forecast"], self.part.settings.forecast_key
        address = FORECAST_POWERS.at(**heard.place)
        fault = (forgery(heard.payload, address, key) if key and heard.payload else "") or heard.fault
        learning = self.past.learning.heard
        if learning.hear(name, heard.message, utc_now(), retained=heard.retained, fault=printable(fault)):
            self.part.counts["forecasts_refused"] += 1
