"""Whether a PV inverter slept, and nothing is missing, or was lost to us. Pure.

The sun supplies many inverters: they answer from dawn to dusk. Nobody tells us when that is, and a cable that breaks
looks the same; so a silence is sleep only where all that was measured says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

DIM = 0.05
"""Of the rated power: below it an inverter falls asleep and wakes up. A gap above it is energy that nobody counted."""
LONGEST_NIGHT = timedelta(hours=20)
"""Between two samples, in winter at 60 degrees. A silence of days is none, however dark it began."""
DAYS = 3
"""So many days before say what is usual at this time: dusk moves by some minutes a day, and one may be cloudy."""

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Silence:
    """A span without samples; `before` is the last power before it and `after` the first after it, in W.

    None: it is not known, or the silence goes on. `usual`: the mean powers of the same quarters of an hour on the days
    before, as far as there are any.
    """

    start: datetime
    end: datetime
    spoke: datetime | None
    before: float | None
    after: float | None
    usual: tuple[float, ...] = ()


def slept(silence: Silence, rated: float) -> bool:
    """It was dim when the inverter fell silent and when it spoke again, and usually is all the time between."""
    if silence.spoke is None or silence.before is None or silence.end - silence.spoke > LONGEST_NIGHT:
        return False
    told = [silence.before, *silence.usual] + ([] if silence.after is None else [silence.after])
    return max(told) < DIM * rated


def quarters(start: datetime, end: datetime) -> list[datetime]:
    """The whole quarters of an hour within a span, of each of the days before."""
    first = datetime.fromtimestamp(-(-start.timestamp() // 900) * 900, start.tzinfo)
    inside = [first + n * QUARTER for n in range((end - first) // QUARTER)] if end > first else []
    return [at - timedelta(days=day) for day in range(1, DAYS + 1) for at in inside]
