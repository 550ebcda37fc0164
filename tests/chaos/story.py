"""What goes wrong, and when: drawn from a seed, so that a bad story can be told again."""

from dataclasses import dataclass
from itertools import accumulate
from random import Random

KINDS = {
    "bridge": ("kill", "freeze"),
    "archive": ("kill", "freeze"),
    "broker": ("kill", "freeze", "wipe"),
    "database": ("kill", "freeze"),
    "dispatch": ("silence",),
}
"""What can happen to each part: kill -9, SIGSTOP, kill -9 and all its files lost, and nobody who commands."""


@dataclass(frozen=True)
class Fault:
    """Something that happens to a part at `at` seconds and is put right `lasts` seconds later."""

    at: float
    part: str
    kind: str
    lasts: float

    @property
    def end(self) -> float:
        return self.at + self.lasts


def story(seed: int, seconds: float) -> list[Fault]:
    """Faults for so long: up to a few at once, never two of the same part."""
    random = Random(seed)
    moments = accumulate(iter(lambda: random.uniform(0.3, 1.6), None))
    told: list[Fault] = []
    for at in moments:
        if at >= seconds:
            return told
        free = [part for part in KINDS if all(one.end < at for one in told if one.part == part)]
        if free:
            part = random.choice(free)
            lasts = random.uniform(4.0, 6.0) if part == "dispatch" else random.uniform(0.3, 3.5)
            told.append(Fault(at, part, random.choice(KINDS[part]), lasts))
    raise AssertionError("time has no end")
