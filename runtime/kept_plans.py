"""A plan as the archive keeps it: in columns, rounded to what means something. Pure.

Powers to 1 W, SoC and energy to 0.01 %, prices to 0.00001 per kWh. What is said on the topic stays exact.
"""

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

from schemas.messages import Plan, Step

QUARTER = timedelta(minutes=15)
DIGITS = {
    **dict.fromkeys(("power", "grid", "load", "pv"), 0),
    "soc": 2,
    **dict.fromkeys(("price_import", "price_export", "marginal_value"), 5),
}
"""Decimal places that are kept of each number of a step."""


def pack(plan: Plan) -> bytes:
    """The plan; about 2 kB for two days of quarters."""
    steps = [step.model_dump(mode="json") for step in plan.steps]
    columns = {name: [_short(name, step[name]) for step in steps] for name in Step.model_fields}
    return zlib.compress(to_json(plan.model_dump(mode="json") | {"steps": columns}), 9)


def unpack(packed: bytes) -> Plan:
    """The plan again. Raises ValueError when the bytes are not what `pack` gives."""
    try:
        said = from_json(zlib.decompress(packed))
        columns = said["steps"]
        steps = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return Plan.model_validate_json(to_json(said | {"steps": steps}))
    except (zlib.error, KeyError, AttributeError, TypeError) as wrong:
        raise ValueError(f"a plan of the archive cannot be read: {wrong}") from wrong


def forecasts(plan: Plan) -> str:
    """What the plan forecasts, as JSON: {"since": quarter, "steps": [[load, PV, seconds after `since`, seconds], ...]}.

    In W. A step without the last two is the quarter that begins as many quarters after `since` as stand before it.
    """
    since = _quarter(plan.steps[0].at) if plan.steps else plan.at
    steps = [_forecast(step, since + number * QUARTER, since) for number, step in enumerate(plan.steps)]
    return to_json({"since": f"{since:%Y-%m-%d %H:%M:%S}", "steps": steps}).decode()


def _forecast(step: Step, usual: datetime, since: datetime) -> list[float]:
    values = [_short("load", step.load), _short("pv", step.pv)]
    if step.at == usual and step.seconds == QUARTER.seconds:
        return values
    return [*values, (step.at - since) / timedelta(seconds=1), step.seconds]


def _quarter(at: datetime) -> datetime:
    return at - timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)


def _short(name: str, value: Any) -> Any:  # noqa: ANN401  # a number, or a text as it is
    if name not in DIGITS or not isinstance(value, float):
        return value
    found = round(value, DIGITS[name])
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def thin(made: Iterable[datetime], every: timedelta) -> list[datetime]:
    """Which plans are not needed to have one each `every`, by when they were made: all but the first of each span."""
    seen, spare = set[int](), list[datetime]()
    for at in sorted(made):
        span = int(at.timestamp() // every.total_seconds())
        if span in seen:
            spare.append(at)
        seen.add(span)
    return spare
