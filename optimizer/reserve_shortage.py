"""Which reserves a plan cannot keep: an empty battery, cells that allow too little, a limit that comes first. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np

from optimizer.limit_shortage import spans
from optimizer.outlook import Outlook, Vector
from optimizer.reserves import Kept, with_reserves
from optimizer.taper import at
from schemas.messages import Step

LITTLE, FEW = 50.0, 0.0003
"""W or Wh that are missing and worth no word; of the battery's energy as much."""


def lacking(bare: Outlook, every: Sequence[Kept], steps: Sequence[Step]) -> list[str]:
    """Sentences: what is missing of which reserves, from when to when. `bare`: the outlook without any."""
    return [words for words in _lacking(bare, every, steps) if words]


def _lacking(bare: Outlook, every: Sequence[Kept], steps: Sequence[Step]) -> Iterator[str]:
    look, battery = with_reserves(bare, every), bare.battery
    power, soc = np.array([one.power for one in steps]), np.array([one.soc for one in steps])
    stored, near = battery.energy * soc / 100, LITTLE + FEW * battery.energy
    charge, discharge = np.array([at(battery.taper, one) for one in soc]).T
    take = np.minimum(np.minimum(bare.rated, charge), bare.allowed_charge) + power
    give = np.minimum(np.minimum(bare.rated - bare.inside, discharge), bare.allowed_discharge) - power
    up, down = (np.where(kept > 0, kept - left, 0.0) for kept, left in ((look.up, give), (look.down, take)))
    for key, short, most, what in (
        ("below", look.floor - stored, near, "kWh are missing"),
        ("above", stored - look.ceiling, near, "kWh of room are missing"),
        ("up", up, LITTLE, "kW up are missing"),
        ("down", down, LITTLE, "kW down are missing"),
    ):
        yield _words(look, every, key, short=short, most=most, what=what)


def _words(look: Outlook, every: Sequence[Kept], key: str, *, short: Vector, most: float, what: str) -> str:
    worst, when = int(np.argmax(short)), spans(look, short > most)
    if not when:
        return ""
    names = [one.name for one in every if getattr(one, key)[worst] > 0]
    whose = f"reserve {names[0]} is" if len(names) == 1 else f"reserves {' and '.join(names)} are"
    return f"the {whose} not kept whole {when}: up to {short[worst] / 1000:.1f} {what}"
