"""How much CO2 a kWh of the grid stands for."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.shape import Shape


class Carbon(Shape):
    """The intensity of what is drawn from the grid: one number, or a file of them."""

    intensity: Annotated[float, Field(ge=0, le=5000, allow_inf_nan=False)] | None = None
    """g of CO2 per kWh, at any time."""
    file: str | None = None
    """A CSV file, relative to the site file: `timestamp_utc,g_per_kwh`, one row an hour or a quarter of an hour."""
    price: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 0.0
    """Per tonne, in the tariff's currency: the plan weighs what it draws with it. It is on no bill: what it comes to
    stands beside the money."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.intensity is None) == (self.file is None):
            raise ValueError("give either `intensity` in g per kWh or `file`, not both and not neither")
        return self
