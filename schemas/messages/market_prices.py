"""Prices of a market that are said to the planner."""

import itertools
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.messages.message import Id, Order
from schemas.units import CURRENCY, SIGNATURE, Instant, Number


class PriceBlock(Order):
    """Prices one after the other, each as long as the others."""

    start: Instant
    """When the first begins: on a quarter of an hour."""
    minutes: Literal[15, 30, 60]
    per_mwh: Annotated[list[Number], Field(min_length=1, max_length=1000)]
    """In the currency of the message, per MWh, as the market publishes them."""

    @model_validator(mode="after")
    def _on_a_quarter(self) -> Self:
        if self.start.timestamp() % 900:
            raise ValueError("`start` lies on a quarter of an hour")
        return self

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes * len(self.per_mwh))


Blocks = Annotated[list[PriceBlock], Field(min_length=1, max_length=100)]


class MarketPrices(Order):
    """Market prices of the next hours (retained). They hold before those of files and of the fetcher, where the tariff
    says `topic = true`; each message replaces those before, for the time of which it says something. The broker keeps
    the last one: say all that is known from today's midnight on, each time."""

    id: Id
    at: Instant
    """When they were said."""
    until: Instant | None = None
    """From then on they are no longer used. None: as long as there are any."""
    currency: Annotated[str, Field(pattern=CURRENCY)]
    prices: Blocks
    export: Blocks | None = None
    """Where fed-in energy has other prices; None: the same."""
    signature: Annotated[str, Field(pattern=SIGNATURE)] | None = None
    """As a command's, with the key `JOULEBUS_PRICE_KEY`."""

    @model_validator(mode="after")
    def _one_price_at_a_time(self) -> Self:
        for blocks in (self.prices, self.export or []):
            found = sorted(blocks, key=lambda one: one.start)
            for one, two in itertools.pairwise(found):
                if two.start < one.end:
                    raise ValueError(f"two prices hold at {two.start:%Y-%m-%d %H:%M}Z: say one of them")
        if self.until is not None and self.until <= self.at:
            raise ValueError("`until` must be later than `at`")
        return self
