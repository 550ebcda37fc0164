"""A forecast as it is said on a topic, by whoever gets it for the site."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.messages import Order
from schemas.units import SAID, SIGNATURE, Instant

MOST = 1e10
"""W: no site has so much."""
Power = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False), SAID]


class ForecastPowers(Order):
    """What PV or load will be (retained). It counts by what it has proven, where the site file names it with
    `topic = true`. Say it anew when there is another one, at least each 12 hours."""

    at: Instant
    """When it was made."""
    of: Literal["pv", "load"]
    start: Instant
    """When the first value begins: on a quarter of an hour."""
    minutes: Literal[15, 30, 60]
    """That each value lasts."""
    values: Annotated[list[Power], Field(min_length=1, max_length=1536)]
    """W, means, one after the other: 16 days of quarters of an hour at most."""
    signature: Annotated[str, Field(pattern=SIGNATURE)] | None = None
    """As a command's, with the key `JOULEBUS_FORECAST_KEY`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.start.timestamp() % 900:
            raise ValueError("`start` lies on a quarter of an hour")
        if self.end - self.start > timedelta(days=16):
            raise ValueError("`values` reach beyond 16 days")
        if self.end <= self.at:
            raise ValueError("`values` were over when it was made (`at`)")
        return self

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes * len(self.values))
