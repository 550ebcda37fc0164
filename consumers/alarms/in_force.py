"""Two memories of the alarms, our disk's and the broker's: which of them holds. Pure."""

from collections.abc import Mapping

from runtime.alarm_words import ATTENTION
from schemas.messages import Alarm


def together(ours: Mapping[str, Alarm], stored: Mapping[str, Alarm]) -> dict[str, Alarm]:
    """What holds of our record and the broker's store: what either of them knows; of two the one in force.

    Our record is written first, so that the broker is behind it. Where it says something later all the same (the record
    is a copy of long ago, or a clock was set back) the one that asks more of an operator is in force.
    """
    return {**stored, **{name: _in_force(mine, stored.get(name)) for name, mine in ours.items()}}


def _in_force(mine: Alarm, stored: Alarm | None) -> Alarm:
    if stored is None or mine.at >= stored.at:
        return mine
    return min(mine, stored, key=lambda one: ATTENTION.index(one.state))
