"""How long an operator takes to acknowledge. Pure."""

from collections.abc import Sequence
from math import ceil

from consumers.alarms.figures.following import Raise
from consumers.alarms.figures.targets import FEW_ANSWERS, figure
from schemas.alarm_figures import AlarmFigure


def acknowledging(raised: Sequence[Raise], seen: float) -> list[AlarmFigure]:
    """Median, nine of ten, and how many can be acknowledged no more: raised anew, or over, before anybody did.

    One that was shelved or suppressed meanwhile is none of them.

    The time is judged in parts of what each alarm gives to respond; without ten of them it is told and not judged.
    """
    took = [one for one in raised if one.answered is not None and one.answered >= one.at]
    seconds = sorted((one.answered - one.at).total_seconds() for one in took if one.answered is not None)
    parts = sorted(
        (one.answered - one.at).total_seconds() / one.respond for one in took if one.answered and one.respond
    )
    never = sum(one.answered is None and not one.open and not one.taken for one in raised)
    few = f"{len(parts)} of {FEW_ANSWERS} with a time to respond" if len(parts) < FEW_ANSWERS else ""
    return [
        figure("ack_median", _quantile(seconds, 0.5), seen, measure=_quantile(parts, 0.5), few=few),
        figure("ack_p90", _quantile(seconds, 0.9), seen, measure=_quantile(parts, 0.9), few=few),
        figure("ack_never", float(never), seen),
    ]


def _quantile(values: Sequence[float], part: float) -> float | None:
    """The smallest that so many are not above; of sorted ones."""
    return values[ceil(part * len(values)) - 1] if values else None
