"""How long an operator takes to acknowledge. Pure."""

from collections.abc import Sequence
from math import ceil

from consumers.alarms.figures.following import Raise
from consumers.alarms.figures.targets import figure
from schemas.alarm_figures import AlarmFigure


def acknowledging(raised: Sequence[Raise], *, known: bool) -> list[AlarmFigure]:
    """Median, nine of ten, and how many can be acknowledged no more: raised anew, or over, before anybody did.

    One that was shelved or suppressed meanwhile is none of them.

    The time is judged in parts of what each alarm gives to respond; without any it is told and not judged.
    """
    took = [one for one in raised if one.answered is not None and one.answered >= one.at]
    seconds = sorted((one.answered - one.at).total_seconds() for one in took if one.answered is not None)
    parts = sorted(
        (one.answered - one.at).total_seconds() / one.respond for one in took if one.answered and one.respond
    )
    never = sum(one.answered is None and not one.open and not one.taken for one in raised)
    return [
        figure("ack_median", _quantile(seconds, 0.5), measure=_quantile(parts, 0.5), known=bool(parts)),
        figure("ack_p90", _quantile(seconds, 0.9), measure=_quantile(parts, 0.9), known=bool(parts)),
        figure("ack_never", float(never), known=known),
    ]


def _quantile(values: Sequence[float], part: float) -> float | None:
    """The smallest that so many are not above; of sorted ones."""
    return values[ceil(part * len(values)) - 1] if values else None
