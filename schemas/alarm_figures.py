"""How well the alarms of a site serve its operator: the figures of ISA-18.2, each with its target. Pure."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.alarm_name import AlarmName
from schemas.messages import AlarmPriority, Message
from schemas.units import Count, Instant, Number, Seconds, Share


class Verdict(StrEnum):
    """A figure against its target."""

    OK = "ok"
    BEYOND = "beyond"
    UNKNOWN = "unknown"
    """Nothing was seen, or too little to judge by."""


class AlarmFigure(Message):
    """One figure against its target."""

    name: str
    """Such as `per_hour`; docs/alarm-figures.md says what each one means."""
    value: Number | None = None
    """None: not known."""
    unit: str = ""
    """Empty for a count; a part of the whole is in %."""
    target: str
    """In words, for one operator."""
    verdict: Verdict
    """`unknown` until enough was seen to judge by."""
    why: str = ""
    """Of one that is not judged: what it lacks, such as "3 h of 6 h seen"."""
    source: str = ""
    """Where the target comes from."""


class FrequentAlarm(Message):
    """One of those that were raised most often."""

    alarm: AlarmName
    """As in the topic `alarm/{alarm}/state`."""
    raised: Count
    """How often."""
    share: Share
    """Of all that were raised."""


class LastingAlarm(Message):
    """One that stands, or stood, for long."""

    alarm: AlarmName
    since: Instant
    seconds: Seconds
    """Until it was over, or until now."""


class AlarmFlood(Message):
    """A time in which more alarms came than anybody reads: it begins above 10 in 10 min, and ends below 5."""

    begin: Instant
    """When the eleventh came."""
    end: Instant | None = None
    """None: it goes on."""
    alarms: Count
    """With those of the 10 min that led to it."""


class QuietAlarm(Message):
    """One that is kept from the operator at the end of the span, by a person."""

    alarm: AlarmName
    since: Instant
    seconds: Seconds
    until: Instant | None = None
    """When it comes back by itself."""
    by: str = ""
    why: str = ""


class Quieted(Message):
    """Alarms that were kept from the operator, in one of three ways."""

    now: Count = 0
    """At the end of the span."""
    times: Count = 0
    """How often one was, in the span."""
    longest: LastingAlarm | None = None
    standing: list[QuietAlarm] = []
    """Those that a person keeps quiet at the end, to be looked through; up to ten, the longest first."""


class AlarmWatch(Message):
    """The alarm service heard the site from `since` until `at`: what lies between two of these was not seen."""

    at: Instant
    """Until when."""
    since: Instant
    """From when."""


class AlarmFigures(Message):
    """The alarm system of a site over a span of time (retained)."""

    at: Instant
    """When it was said."""
    begin: Instant
    """Of the span: 24 h before its end."""
    end: Instant
    """Until when it was counted."""
    seen: Share
    """So much of the span is known; rates are of that part."""
    operators: Annotated[int, Field(ge=1)] = 1
    """Positions that share the alarms."""
    raised: Count = 0
    """Annunciated alarms: changes into unacknowledged."""
    last_10_min: Count = 0
    """Annunciated alarms of the 10 min before the end."""
    last_hour: Count = 0
    """The same of an hour."""
    flooding: bool = False
    """More alarms come now than anybody reads."""
    figures: list[AlarmFigure] = []
    """Find each by its `name`; their order may change."""
    top: list[FrequentAlarm] = []
    """Up to ten."""
    chattering: list[FrequentAlarm] = []
    """Raised 3 times or more in 60 s, and how often in such bursts; up to ten."""
    fleeting: list[FrequentAlarm] = []
    """Over within 60 s, and not chattering; up to ten."""
    stale: list[LastingAlarm] = []
    """Stood for more than 24 h; up to ten, the longest first."""
    floods: list[AlarmFlood] = []
    """The last ten."""
    flood_count: Count = 0
    """Floods in the span."""
    flood_longest: Seconds = 0.0
    """How long the longest of them was."""
    flood_most: Count = 0
    """Alarms of the largest."""
    priorities: dict[AlarmPriority, Count] = {}
    """Annunciated alarms of each priority."""
    shelved: Quieted = Quieted()
    """By a person, for 24 h at most."""
    suppressed: Quieted = Quieted()
    """By design: another alarm explains them."""
    out_of_service: Quieted = Quieted()
    """By an engineer."""
