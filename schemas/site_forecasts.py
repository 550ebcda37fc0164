"""Forecasts from outside that a site file names: of a file that somebody writes, or of a topic. Pure."""

from collections.abc import Iterator, Sequence
from typing import Literal, Self, get_args

from pydantic import model_validator

from schemas.shape import Shape
from schemas.units import Name

Form = Literal["solcast", "forecast.solar", "open-meteo", "csv"]
"""How a file is written."""


class OutsideForecast(Shape):
    """Counts in plans beside our own forecast by what it has proven ([forecasts](forecast.md))."""

    name: Name
    """What it is called in words, and on its topic."""
    of: Literal["pv", "load"]
    """Of all PV of the site, or of its load without what is planned as `[[load]]`."""
    format: Form | None = None
    """How `file` is written; the topic has one shape."""
    file: str | None = None
    """Relative to the site file; read again when it changes."""
    topic: bool = False
    """It is said on the topic `forecast/<name>/powers`."""

    @model_validator(mode="after")
    def _of_one_source(self) -> Self:
        if (self.file is None) == (not self.topic):
            raise ValueError("give either `file` or `topic = true`, not both and not neither")
        if self.file is not None and self.format is None:
            raise ValueError(f"give `format` with `file`: {', '.join(get_args(Form))}")
        if self.topic and self.format is not None:
            raise ValueError("`format` is that of a file: leave it out with `topic = true`")
        if self.of == "load" and self.format not in (None, "csv"):
            raise ValueError(f"{self.format} tells of PV and of no load: write a csv, or `topic = true`")
        return self


def twice(found: Sequence[OutsideForecast]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Names that are given more than once, with their place."""
    names = [one.name for one in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield ("forecast", number, "name"), f"forecast {name!r} is given twice; each needs a name of its own"
