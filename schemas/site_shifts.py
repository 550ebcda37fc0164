"""When the shifts of the operators begin."""

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field

from schemas.tariff_hours import Clock


def _each_once(given: list[time]) -> list[time]:
    if len({*given}) < len(given):
        raise ValueError("two shifts begin at the same time: give each once")
    return sorted(given)


Shifts = Annotated[list[Clock], Field(min_length=1, max_length=12), AfterValidator(_each_once)]
THREE = [time(6), time(14), time(22)]
