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
DEVICES = {
    "pcs": (
        *("silent", "exception", "busy", "laggard", "garbage", "declines_p_set", "declines_q_set", "forgets"),
        *("ignores_setpoint", "refuses_setpoint", "foreign_write", "half", "late", "slow_ramp"),
    ),
    "bms": (
        *("silent", "exception", "busy", "laggard", "slow", "garbage", "truncated", "frozen", "zeros"),
        *("missing_register", "contactor_unreadable", "soc_nan", "soc_jump", "soc_zero_once"),
    ),
    "meter": ("silent", "busy", "laggard", "slow", "garbage", "wrong_transaction", "frozen", "zeros", "double_reply"),
    "pv": ("silent", "laggard", "slow", "stale_transaction", "other_function", "local"),
}
"""What a device and its line can do. Not what needs a person afterwards: a trip, a meter the wrong way round."""
UNTOLD = ("silent", "exception", "garbage", "declines_p_set", "refuses_setpoint", "foreign_write")
"""While its PCS does that, nobody can tell it anything."""


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
    """Faults for so long: up to a few at once, never two of the same part. Those of the devices go on beside."""
    return sorted(
        [*_told(Random(seed), seconds, KINDS), *_told(Random(f"{seed} devices"), seconds, DEVICES)],
        key=lambda fault: fault.at,
    )


def _told(random: Random, seconds: float, kinds: dict[str, tuple[str, ...]]) -> list[Fault]:
    moments = accumulate(iter(lambda: random.uniform(0.3, 1.6), None))
    told: list[Fault] = []
    for at in moments:
        if at >= seconds:
            return told
        free = [part for part in kinds if all(one.end < at for one in told if one.part == part)]
        if free:
            part = random.choice(free)
            lasts = random.uniform(4.0, 6.0) if part == "dispatch" else random.uniform(0.3, 3.5)
            told.append(Fault(at, part, random.choice(kinds[part]), lasts))
    raise AssertionError("time has no end")
