"""Alarms, by IEC 62682 and ISA-18.2."""

from enum import StrEnum

from schemas.messages.command import Action
from schemas.messages.message import Message
from schemas.units import Instant, Name, Number, Seconds


class AlarmPriority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlarmClass(StrEnum):
    """Whom an alarm is about."""

    SAFETY = "safety"  # people
    EQUIPMENT = "equipment"
    PROCESS = "process"  # the site's energy: its limits, its peak, its plan
    SYSTEM = "system"  # joulebus itself, its machines and its lines


class AlarmState(StrEnum):
    """The alarm states of IEC 62682, chapter 4: names in words, abbreviations in the comments."""

    NORMAL = "normal"  # NORM
    UNACKNOWLEDGED = "unacknowledged"  # UNACK
    ACKNOWLEDGED = "acknowledged"  # ACKED
    RETURNED = "returned"  # RTNUN: returned to normal, unacknowledged
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"  # returned to normal, waits for an acknowledgement and a reset
    LATCHED = "latched"  # returned to normal, acknowledged, waits for a reset
    SHELVED = "shelved"  # SHLVD: by an operator, for a while
    SUPPRESSED = "suppressed"  # DSUPR: by design, it is the consequence of another one or means nothing now
    OUT_OF_SERVICE = "out_of_service"  # OOSRV: by an engineer, for maintenance


class Alarm(Message):
    """The state of one alarm (retained while it is not normal)."""

    at: Instant
    """Of the last change: of its state, its condition, its comment, or of what it stands for."""
    state: AlarmState
    """Where it is in its life (docs/alarms.md); `normal` is said once, before the retained message is taken away."""
    active: bool | None = None
    """Whether what it is about is so now; it goes on to be told while the alarm is shelved, suppressed or out of
    service. None in a message of an older joulebus: then it is what the state says."""
    priority: AlarmPriority
    """How soon somebody must act; the most urgent first."""
    alarm_class: AlarmClass = AlarmClass.PROCESS
    """Whom it is about: people, equipment, the process, or joulebus and its lines."""
    device: Name
    """What it is about: a device, or a part of joulebus."""
    point: Name
    """What it looks at; of several points the first."""
    text: str
    """What the operator reads: what is wrong, what comes of it and what to do; of one that is over, that it is."""
    cause: str = ""
    """What is wrong, in a sentence."""
    consequence: str = ""
    """What comes of it when nobody does anything."""
    response: str = ""
    """What to do."""
    time_to_respond: Seconds | None = None
    """So long the operator has."""
    condition: str = ""
    """When it is raised, as an expression."""
    unit: str = ""
    """Of value and limit."""
    battery: Name | None = None
    """Which one it is about, where the site has several; the text says so, too."""
    action: Action | None = None
    """The start, stop, reset or grid mode that was refused or not followed."""
    reason: str = ""
    """What the device's bridge says of it, in words for people; it stands in the text, too."""
    did: str = ""
    """What control does about it now, in words for people: what is blocked, and by which interlock."""
    value: Number | str | None = None
    """What was read when it was told: a number, the name of a state, or flags."""
    limit: Number | str | None = None
    """What the value was compared with."""
    silent: bool = False
    """The device does not speak: value and limit are the age of its telemetry in s, whatever the point."""
    latched: bool = False
    """It stays until it is reset, and cannot be shelved."""
    began: Instant | None = None
    """When its condition came, before the on-delay."""
    since: Instant
    """When it was raised, or shelved or taken out of service while it was normal."""
    group: str = ""
    """Of alarms that explain each other."""
    first_out: bool = False
    """Its condition came first of its group: the others are probably its consequence."""
    consequence_of: str = ""
    """The alarm that explains this one: the first-out of its group, or the one that suppresses it."""
    shelved_until: Instant | None = None
    """When it comes back from the shelf by itself."""
    out_until: Instant | None = None
    """When it comes back into service by itself."""
    requests: list[str] = []
    """What may be asked of it now: `ack`, `shelve`, `unshelve`, `reset`, `out_of_service`, `in_service`, `comment`."""
    by: str = ""
    """Who acknowledged, shelved or reset it, or took it out of service."""
    why: str = ""
    """What they said about it."""
    comment: str = ""
    """The last one, with its author."""
