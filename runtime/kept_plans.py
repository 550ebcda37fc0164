"""A plan as the archive keeps it: in columns, rounded to what means something. Pure.

Powers to 1 W, SoC and energy to 0.01 %, prices to 0.00001 per kWh. What is said on the topic stays exact.
"""

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from pydantic_core import from_json, to_json

from schemas.messages import Plan, Step

Span = tuple[datetime, datetime]

QUARTER = timedelta(minutes=15)
DIGITS = {
    **dict.fromkeys(("power", "grid", "load", "pv", "cap", "policy"), 0),
    "soc": 2,
    **dict.fromkeys(("price_import", "price_export", "marginal_value"), 5),
}
"""Decimal places that are kept of each number of a step."""


class Unreadable(ValueError):
    """A plan of the archive is something else than this joulebus reads."""


def pack(plan: Plan) -> bytes:
    """The plan, but for what `forecasts` says; about 2 kB for two days of quarters."""
    rows = [_rounded(step) for step in plan.steps]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in Step.model_fields}
    columns["grid"] = [row["grid"] - _balance(row) for row in rows]
    columns["at"] = [step.at for step in plan.steps[:1]]
    columns["at"] += [None if _follows(before, step) else step.at for before, step in pairwise(plan.steps)]
    del columns["load"], columns["pv"]
    return zlib.compress(to_json(plan.model_dump(mode="json") | {"steps": columns}), 9)


def unpack(packed: bytes, body: str, span: Span | None = None) -> Plan:
    """The plan again, out of `pack` and `forecasts` of it; of a span the steps alone that reach into it. Raises
    Unreadable when they are something else."""
    try:
        said = from_json(zlib.decompress(packed))
        columns = said["steps"]
        columns["load"], columns["pv"] = ([step[n] for step in from_json(body)["steps"]] for n in (0, 1))
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        end = datetime.fromisoformat(said["at"])
        for row in rows:
            row["grid"] += _balance(row)
            begin = end if row["at"] is None else datetime.fromisoformat(row["at"])
            row["at"], end = begin, begin + timedelta(seconds=row["seconds"])
        return Plan.model_validate_json(to_json(said | {"steps": [row for row in rows if _reaches(row, span)]}))
    except (zlib.error, LookupError, AttributeError, TypeError, ValueError) as wrong:
        raise Unreadable(f"a plan of the archive cannot be read: {wrong}") from wrong


def read(body: str, packed: bytes | None, span: Span | None = None) -> Plan:
    """The plan of a row; one of an older joulebus is not packed. Of a span less of it is read: a day of a chart needs a
    step of each of its plans, and to check all of them took most of its time. Raises Unreadable."""
    if packed is not None:
        return unpack(packed, body, span)
    try:
        return Plan.model_validate_json(body)
    except ValueError as wrong:
        raise Unreadable(f"a plan of the archive cannot be read: {wrong}") from wrong


def _reaches(row: Mapping[str, Any], span: Span | None) -> bool:
    return span is None or (row["at"] < span[1] and row["at"] + timedelta(seconds=row["seconds"]) > span[0])


def _rounded(step: Step) -> dict[str, Any]:
    return {name: _short(name, value) for name, value in step.model_dump(mode="json").items()}


def _balance(row: Mapping[str, Any]) -> float:
    """What the grid gives when all adds up: nearly always what the plan says, so that the rest is 0."""
    found: float = row["load"] - row["pv"] - row["power"]
    return found


def _follows(before: Step, step: Step) -> bool:
    return step.at == before.at + timedelta(seconds=before.seconds)


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
    if isinstance(value, list):
        return [_short(name, one) for one in value]
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
