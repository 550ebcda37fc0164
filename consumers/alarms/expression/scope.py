"""What an expression can name: points of devices, words that are said of them, values of the site and of services."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import NamedTuple, Self

from consumers.alarms import site_words
from consumers.alarms.reading import ALARMS, WORDS
from consumers.alarms.site_words import Word
from schemas.interlock import DERIVED, Derived, states
from schemas.messages import Cause
from schemas.profile import Profile
from schemas.register import Point
from schemas.site import Site
from schemas.site_device import POLLS

SITE = "site"
"""Before a value of the site: `site.peak_target`."""
OWN = "@"
"""Begins the place of what is no device: of a service, or of the site. No device's name holds it."""
SITE_PLACE = f"{OWN}{SITE}"

FRESH, FRESH_SLOW = 5.0, 150.0
"""Seconds for which a value is known at least after it was heard; the second of a point that is read in turn."""
TURNS = 20
"""Polls for which a point that is read in turn is known at least, as for interlocks: one request of them is read each
poll."""

Place = tuple[str, str]
"""A device and its point: where a value is."""


class Sort(StrEnum):
    """What a value is."""

    NUMBER = "a number"
    STATE = "a state"
    FLAGS = "a list of flags"
    TRUTH = "a condition"


class Quantity(NamedTuple):
    """What is known of a value before it is there."""

    sort: Sort
    unit: str | None = None
    """Of a number; None for one that takes the unit of the other side."""
    known: tuple[str, ...] | None = None
    """The states or flags it may say; None: nobody knows which."""


def _seconds() -> Quantity:
    return Quantity(Sort.NUMBER, "s")


def _heard(word: Word) -> Quantity:
    if not word.names:
        return Quantity(Sort.NUMBER, word.unit)
    return Quantity(Sort.FLAGS if word.flags else Sort.STATE, known=word.names)


SITE_VALUES: dict[str, Quantity] = {name: _heard(word) for name, word in site_words.SITE.items()}
"""`site.` and what comes behind it."""

DEVICE_WORDS: dict[str, Quantity] = {
    **{
        word: Quantity(Sort.FLAGS if condition == "contains" else Sort.STATE, known=tuple(str(one) for one in said))
        for word, (condition, said) in WORDS.items()
    },
    **{name: _heard(word) for name, word in site_words.DEVICE.items()},
}
"""What every device has beside its points."""

SERVICE_WORDS: dict[str, Quantity] = {
    "state": Quantity(Sort.STATE, known=("online", "offline")),
    "causes": Quantity(Sort.FLAGS, known=tuple(str(one) for one in Cause)),
    "lag": _seconds(),
}
"""What every part of joulebus has."""


class Found(NamedTuple):
    """Where a value is, and what it is made of."""

    quantity: Quantity
    places: tuple[Place, ...]
    """Several for what is made of several points: a derived point, or alarms in several registers."""
    derived: Derived | None = None


@dataclass(frozen=True)
class Scope:
    """What a rule can name. Made once for a site; `of` says whose rule it is."""

    devices: Mapping[str, Profile]
    polls: Mapping[str, float] = field(default_factory=dict)
    """Seconds between two readings of each device; 1 when not given."""
    own: str = ""
    """The device of the rule, or the part of joulebus."""
    is_service: bool = False
    zone: tzinfo = UTC
    """The windows of the clock stand on its time."""
    billed: str = ""
    """The meter whose import is billed."""
    _cache: dict[str, dict[str, Found]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_site(cls, site: Site) -> Self:
        return cls(site.profiles, {one.name: one.poll for one in site.devices}, zone=site.zone, billed=site.grid.meter)

    def of(self, device: str) -> "Scope":
        """For a rule of this device."""
        return replace(self, own=device, is_service=False)

    def of_service(self, service: str) -> "Scope":
        """For a rule of this part of joulebus."""
        return replace(self, own=service, is_service=True)

    @property
    def place(self) -> str:
        """The first part of the places of what is its own."""
        return f"{OWN}{self.own}" if self.is_service else self.own

    def poll(self, device: str) -> float:
        return self.polls.get(device, 1.0)

    def patience(self, place: Place) -> float:
        """Seconds for which a value is known after it was heard."""
        device, point = place
        if device.startswith(OWN) or device not in self.devices:
            return float("inf")
        return patience(self.devices[device].points.get(point), self.poll(device))

    def names(self, device: str) -> dict[str, Found]:
        """All that a device, a part of joulebus or the site has, by name."""
        if device not in self._cache:
            self._cache[device] = self._named(device)
        return self._cache[device]

    def _named(self, device: str) -> dict[str, Found]:
        if device == SITE_PLACE:
            return {name: Found(one, ((device, name),)) for name, one in SITE_VALUES.items()}
        if device.startswith(OWN):
            return {name: Found(one, ((device, name),)) for name, one in SERVICE_WORDS.items()}
        points = self.devices[device].points
        found = {name: Found(_quantity(point), ((device, name),)) for name, point in points.items()}
        for name, derived in DERIVED.items():
            if name not in points and set(derived.parts) <= points.keys():
                places = tuple((device, part) for part in derived.parts)
                found[name] = Found(Quantity(Sort.NUMBER, derived.unit), places, derived)
        registers = [name for name in points if name == ALARMS or name.startswith(f"{ALARMS}_")]
        if registers:
            flags = dict.fromkeys(flag for name in registers for flag in (points[name].flags or {}).values())
            found[ALARMS] = Found(Quantity(Sort.FLAGS, known=tuple(flags)), tuple((device, one) for one in registers))
        return found | {name: Found(one, ((device, name),)) for name, one in DEVICE_WORDS.items()}


def patience(point: Point | None, poll: float) -> float:
    """Seconds for which a point is known after it was heard."""
    slow = point is not None and point.rate == "slow"
    return max(TURNS * poll, FRESH_SLOW) if slow else max(POLLS * poll, FRESH)


def _quantity(point: Point) -> Quantity:
    if point.flags is not None:
        return Quantity(Sort.FLAGS, known=tuple(point.flags.values()))
    names = states(point)
    if names is not None or point.type == "text":
        return Quantity(Sort.STATE, known=None if names is None else tuple(dict.fromkeys(names)))
    return Quantity(Sort.NUMBER, point.unit)
