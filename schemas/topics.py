"""The public contract: each topic, its payload, its delivery, and who may write it.

A changed payload or topic is a major version. No topic is both a value and a folder.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from schemas import messages as m
from schemas.alarm_figures import AlarmFigures, AlarmWatch
from schemas.alarm_name import LONGEST_ALARM
from schemas.billing import Billing
from schemas.forecast_powers import ForecastPowers
from schemas.forecast_skill import ForecastSkill

M = TypeVar("M", bound=BaseModel)

ROOT = "ems/v1"
COMMAND_TTL = 10.0
"""Seconds a command lives at most; it is resent every 2 s."""

LONGEST = {"site": 64, "device": 64, "service": 64, "forecast": 64, "alarm": LONGEST_ALARM}
"""Characters of the names in an address."""


def _name(place: str) -> str:
    return f"[a-z0-9_-]{{1,{LONGEST[place]}}}"


@dataclass(frozen=True)
class Topic(Generic[M]):
    """An address with the shape of what is said there. All topics use QoS 1."""

    template: str
    payload: type[M]
    says: str
    """One sentence for the generated page."""
    writers: tuple[str, ...]
    """Roles of the access list."""
    retain: bool = False
    expires: bool = False
    """Sent with a message expiry, so that it is never delivered late."""

    @property
    def name(self) -> str:
        """A short name for documents, such as `device.telemetry`."""
        words = [word for word in self.template.split("/")[3:] if not word.startswith("{")]
        return ".".join(words)

    @property
    def filter(self) -> str:
        """The subscription that hears every address of this topic."""
        return re.sub(r"\{\w+\}", "+", self.template)

    @property
    def places(self) -> list[str]:
        """The names of the parts of the address that vary."""
        return re.findall(r"\{(\w+)\}", self.template)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", lambda found: f"(?P<{found[1]}>{_name(found[1])})", self.template))

    def at(self, **place: str) -> str:
        """The address for a site, device...; parts left out become `+`.

        Raises ValueError for a part this topic does not have or a name that does not fit a topic.
        """
        for key, name in place.items():
            if key not in self.places:
                raise ValueError(f"{self.template} has no {{{key}}}")
            if not re.fullmatch(rf"{_name(key)}|\+", name):
                raise ValueError(f"{key} {name!r} does not fit a topic: up to {LONGEST[key]} of a-z, 0-9, _ and -")
        return re.sub(r"\{(\w+)\}", lambda found: place.get(found[1], "+"), self.template)

    def place(self, address: str) -> dict[str, str] | None:
        """The parts of an address, or None when it belongs to another topic."""
        found = self._pattern.fullmatch(address)
        return found.groupdict() if found else None


META = Topic(
    f"{ROOT}/{{site}}/device/{{device}}/meta",
    m.Meta,
    "A device introduces itself: kind, make, model, ratings, points with unit and range.",
    ("bridge",),
    retain=True,
)
DEVICE_STATUS = Topic(
    f"{ROOT}/{{site}}/device/{{device}}/status",
    m.DeviceStatus,
    "Whether a device can be reached, and if not, why.",
    ("bridge",),
    retain=True,
)
TELEMETRY = Topic(
    f"{ROOT}/{{site}}/device/{{device}}/telemetry",
    m.Telemetry,
    "The points of a device at one instant.",
    ("bridge",),
)
ARCHIVED = Topic(
    f"{ROOT}/{{site}}/device/{{device}}/archived",
    m.Archived,
    "The samples that are committed: the bridge forgets exactly these.",
    ("archive",),
)
COMMAND = Topic(
    f"{ROOT}/{{site}}/device/{{device}}/command",
    m.Command,
    "What a device should do, and until when. Never retained.",
    ("dispatch",),
    expires=True,
)
OUTCOME = Topic(
    f"{ROOT}/{{site}}/device/{{device}}/outcome",
    m.Outcome,
    "What became of a command.",
    ("bridge",),
)
PLAN = Topic(
    f"{ROOT}/{{site}}/plan/current",
    m.Plan,
    "What the batteries are to do in the next hours, each minute anew.",
    ("optimize",),
    retain=True,
    expires=True,
)
ALARM = Topic(
    f"{ROOT}/{{site}}/alarm/{{alarm}}/state",
    m.Alarm,
    "An alarm; retained while it is not normal.",
    ("alarms",),
    retain=True,
)
ALARM_REQUEST = Topic(
    f"{ROOT}/{{site}}/alarm/{{alarm}}/request",
    m.AlarmRequest,
    "An operator acknowledges, shelves, resets or comments on an alarm. Never retained.",
    ("status", "operator", "engineer"),
)
ALARM_MAINTENANCE = Topic(
    f"{ROOT}/{{site}}/alarm/{{alarm}}/maintenance",
    m.AlarmRequest,
    "An engineer takes an alarm out of service, or brings it back. Never retained.",
    ("status", "engineer"),
)
ALARM_OUTCOME = Topic(
    f"{ROOT}/{{site}}/alarm/{{alarm}}/outcome",
    m.RequestOutcome,
    "What became of a request, and why not.",
    ("alarms",),
)
ALARM_FIGURES = Topic(
    f"{ROOT}/{{site}}/site/alarms",
    AlarmFigures,
    "How well the alarms of the last 24 h served the operator: the figures of ISA-18.2, each against its target.",
    ("alarms",),
    retain=True,
)
ALARM_WATCHED = Topic(
    f"{ROOT}/{{site}}/site/alarms/watched",
    AlarmWatch,
    "From when until when the alarm service heard the site, each 15 min: by it a report knows what was not seen.",
    ("alarms",),
)
NOTIFY_REQUEST = Topic(
    f"{ROOT}/{{site}}/notify/request",
    m.NotifyRequest,
    "An operator wants to see that people can be reached: a test by their channels. Never retained.",
    ("status", "operator", "engineer"),
    expires=True,
)
NOTIFY_OUTCOME = Topic(
    f"{ROOT}/{{site}}/notify/outcome",
    m.NotifyOutcome,
    "What became of such a test: at once that it is on its way or why not, and then what each server said.",
    ("notify",),
)
NOTIFY_TOLD = Topic(
    f"{ROOT}/{{site}}/notify/told",
    m.Notified,
    "To whom a message about alarms went and what became of it, or why nobody was told; for the archive.",
    ("notify",),
)
CONTROL_MODE = Topic(
    f"{ROOT}/{{site}}/control/mode",
    m.ControlMode,
    "Who steers the battery, and until when.",
    ("dispatch",),
    retain=True,
)
CONTROL_DISPATCH = Topic(
    f"{ROOT}/{{site}}/control/dispatch",
    m.ControlDispatch,
    "What dispatch does now with the site and with each battery, and why.",
    ("dispatch",),
    retain=True,
    expires=True,
)
CONTROL_REQUEST = Topic(
    f"{ROOT}/{{site}}/control/request",
    m.ControlRequest,
    "A wanted mode, manual power, or grid mode of the PCS. Never retained.",
    ("status", "operator", "engineer"),
    expires=True,
)
CONTROL_OUTCOME = Topic(
    f"{ROOT}/{{site}}/control/outcome",
    m.RequestOutcome,
    "What became of a request for a mode or a grid limit, and why not.",
    ("dispatch",),
)
GRID_LIMIT = Topic(
    f"{ROOT}/{{site}}/control/grid_limit",
    m.GridLimitRequest,
    "How much may be fed in or drawn, by the network operator, a protection or an operator. Never retained.",
    ("dso", "scada", "operator", "engineer"),
    expires=True,
)
CONTROL_LIMITS = Topic(
    f"{ROOT}/{{site}}/control/limits",
    m.ControlLimits,
    "How much the site may draw and feed in now, and who limits it.",
    ("dispatch",),
    retain=True,
)
MARKET_PRICES = Topic(
    f"{ROOT}/{{site}}/market/prices",
    m.MarketPrices,
    "Market prices of the next hours, by whoever gets them for the site.",
    ("market",),
    retain=True,
)
FORECAST_POWERS = Topic(
    f"{ROOT}/{{site}}/forecast/{{forecast}}/powers",
    ForecastPowers,
    "A forecast of PV or load from outside, by whoever gets it for the site.",
    ("forecast",),
    retain=True,
)
FORECAST_SKILL = Topic(
    f"{ROOT}/{{site}}/site/forecast",
    ForecastSkill,
    "How good our own forecasts of the last 14 days were, and what those from outside count for.",
    ("optimize",),
    retain=True,
    expires=True,
)
BILLING = Topic(
    f"{ROOT}/{{site}}/site/billing",
    Billing,
    "What each demand component of the tariff bills so far, and the billing window that runs.",
    ("optimize",),
    retain=True,
    expires=True,
)
SERVICE_EVENT = Topic(
    f"{ROOT}/{{site}}/service/{{service}}/event",
    m.Event,
    "What a service said, for the archive: sent again until it is committed, and obeyed by nobody.",
    ("bridge", "alarms", "optimize", "dispatch", "notify"),
)
SERVICE_ARCHIVED = Topic(
    f"{ROOT}/{{site}}/service/{{service}}/archived",
    m.Archived,
    "The events that are committed: the part that said them forgets exactly these.",
    ("archive",),
)
SERVICE_STATUS = Topic(
    f"{ROOT}/{{site}}/service/{{service}}/status",
    m.ServiceStatus,
    "How a part of joulebus is; offline is its last will.",
    ("bridge", "archive", "alarms", "optimize", "dispatch", "status", "notify"),
    retain=True,
)

TOPICS: tuple[Topic[Any], ...] = (
    META,
    DEVICE_STATUS,
    TELEMETRY,
    ARCHIVED,
    COMMAND,
    OUTCOME,
    PLAN,
    ALARM,
    ALARM_REQUEST,
    ALARM_MAINTENANCE,
    ALARM_OUTCOME,
    ALARM_FIGURES,
    ALARM_WATCHED,
    NOTIFY_REQUEST,
    NOTIFY_OUTCOME,
    NOTIFY_TOLD,
    CONTROL_MODE,
    CONTROL_DISPATCH,
    CONTROL_REQUEST,
    CONTROL_OUTCOME,
    GRID_LIMIT,
    CONTROL_LIMITS,
    MARKET_PRICES,
    FORECAST_POWERS,
    FORECAST_SKILL,
    BILLING,
    SERVICE_EVENT,
    SERVICE_ARCHIVED,
    SERVICE_STATUS,
)
