"""Alarms, by IEC 62682 and ISA-18.2."""

from enum import StrEnum

from schemas.messages.command import Action
from schemas.messages.message import Message
from schemas.units import Instant, Name, Number


class AlarmPriority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlarmState(StrEnum):
    """The alarm states of IEC 62682, chapter 4: names in words, abbreviations in the comments."""

    NORMAL = "normal"  # NORM
    UNACKNOWLEDGED = "unacknowledged"  # UNACK
    ACKNOWLEDGED = "acknowledged"  # ACKED
    RETURNED = "returned"  # RTNUN: returned to normal, unacknowledged
    LATCHED = "latched"  # returned to normal, acknowledged, waits for a reset
    SHELVED = "shelved"  # SHLVD
    SUPPRESSED = "suppressed"  # DSUPR: suppressed by design


class Alarm(Message):
    """The state of one alarm (retained while it is not normal)."""

    at: Instant
    state: AlarmState
    priority: AlarmPriority
    device: Name
    point: Name
    text: str
    """What the operator reads: what is wrong and what it means."""
    battery: Name | None = None
    """Which one it is about, where the site has several; the text says so, too."""
    action: Action | None = None
    """The start, stop, reset or grid mode that was refused or not followed."""
    reason: str = ""
    """What the device's bridge says of it, in words for people; it stands in the text, too."""
    value: Number | str | None = None
    limit: Number | str | None = None
    silent: bool = False
    """The device does not speak: value and limit are the age of its telemetry in s, whatever the point."""
    latched: bool = False
    """It stays until it is reset, and cannot be shelved."""
    since: Instant
    first_out: bool = False
    """This alarm was the first of its flood."""
    shelved_until: Instant | None = None
    by: str = ""
    """Who acknowledged, shelved or reset it."""
    why: str = ""
    """What they said about it."""
