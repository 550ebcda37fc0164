"""What the page knows of a site: the last word of each device, service and alarm, and when it was heard."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from schemas.alarm_figures import AlarmFigures
from schemas.billing import Billing
from schemas.forecast_skill import ForecastSkill
from schemas.messages import (
    Alarm,
    AlarmState,
    Cause,
    ControlDispatch,
    ControlLimits,
    ControlMode,
    DeviceStatus,
    Meta,
    Outcome,
    OutcomeState,
    Plan,
    RequestOutcome,
    ServiceStatus,
    Telemetry,
    Value,
)
from schemas.site import Site
from schemas.topics import (
    ALARM,
    ALARM_FIGURES,
    BILLING,
    CONTROL_DISPATCH,
    CONTROL_LIMITS,
    CONTROL_MODE,
    CONTROL_OUTCOME,
    DEVICE_STATUS,
    FORECAST_SKILL,
    META,
    NOTIFY_OUTCOME,
    PLAN,
    SERVICE_STATUS,
    Topic,
)
from schemas.units import Quality

T = TypeVar("T")

ANSWERS = 500
"""So many answers to requests are remembered: far more than people ask for in the minutes they are shown."""

PASSING = {OutcomeState.ACCEPTED, OutcomeState.SUPERSEDED}
"""Steps on the way to an outcome: the operator wants to know what came of it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both clocks: the wall's for what messages say, the monotonic one (s) for how long ago we heard them."""

    at: datetime
    ticks: float


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """Something we heard. `late` is how old (s) it was by its own word when it came."""

    word: T
    heard: float
    late: float = 0.0

    def age(self, now: Moment) -> float:
        """Seconds since it was true. A step of the wall clock after we heard it changes nothing."""
        return max(0.0, now.ticks - self.heard) + self.late


@dataclass(frozen=True, slots=True)
class Reading:
    value: Value
    quality: Quality


@dataclass
class State:
    """Everything the page shows of one site. Filled by `fold`, read by `view`."""

    site: Site
    broker: bool = False
    archive: bool | None = None
    """Whether the last question to the archive was answered; None before the first."""
    points: dict[tuple[str, str], Said[Reading]] = field(default_factory=dict)
    telemetry: dict[str, Said[Telemetry]] = field(default_factory=dict)
    meta: dict[str, Meta] = field(default_factory=dict)
    devices: dict[str, Said[DeviceStatus]] = field(default_factory=dict)
    services: dict[str, Said[ServiceStatus]] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    over: dict[str, datetime] = field(default_factory=dict)
    """Of an alarm that is over, since when: the first of its messages that said so."""
    outcomes: dict[str, Said[Outcome]] = field(default_factory=dict)
    plan: Said[Plan] | None = None
    mode: Said[ControlMode] | None = None
    does: Said[ControlDispatch] | None = None
    """What dispatch does, and why."""
    limits: ControlLimits | None = None
    """Of the grid connection: bridges hold the last word, too, so it grows not old."""
    answers: dict[str, Said[RequestOutcome]] = field(default_factory=dict)
    """What became of the last requests, by their ids: the newest word of each; oldest first."""
    billing: Billing | None = None
    """What is billed by the kW so far, as optimize says it."""
    skill: ForecastSkill | None = None
    """How good forecasts were, as optimize says it."""
    figures: AlarmFigures | None = None
    """How well the alarms serve the operator, as their service says it."""

    def renew(self) -> None:
        """A new connection: the broker now says again all that is retained, and what it does not say is no more."""
        for table in (self.meta, self.devices, self.services, self.alarms, self.over):
            table.clear()
        self.plan = self.mode = self.does = self.limits = self.billing = self.skill = self.figures = None


def fold(state: State, topic: Topic[Any], place: dict[str, str], message: BaseModel | None, now: Moment) -> None:
    """Take in one message; None says that a retained topic was cleared."""
    match message:
        case None:
            _forget(state, topic, place)
        case Telemetry():
            _fold_telemetry(state, place["device"], message, now)
        case Meta():
            state.meta[place["device"]] = message
        case DeviceStatus():
            state.devices[place["device"]] = _said(message, message.at, now)
        case Outcome() if message.state not in PASSING:
            state.outcomes[place["device"]] = _said(message, message.at, now)
        case Alarm():
            _fold_alarm(state, place["alarm"], message)
        case ServiceStatus():
            state.services[place["service"]] = _said(message, message.at, now)
        case Plan():
            state.plan = _said(message, message.at, now)
        case Billing() | ForecastSkill() | AlarmFigures():
            _fold_reckoned(state, message)
        case ControlMode() | ControlDispatch() | ControlLimits():
            _fold_control(state, message, now)
        case RequestOutcome():
            _fold_answer(state, topic, message, now)


def _fold_control(state: State, message: ControlMode | ControlDispatch | ControlLimits, now: Moment) -> None:
    match message:
        case ControlMode():
            state.mode = _said(message, message.at, now)
        case ControlDispatch():
            state.does = _said(message, message.at, now)
        case ControlLimits():
            state.limits = message


def _fold_reckoned(state: State, message: Billing | ForecastSkill | AlarmFigures) -> None:
    match message:
        case Billing():
            state.billing = message
        case ForecastSkill():
            state.skill = message
        case AlarmFigures():
            state.figures = message


def _forget(state: State, topic: Topic[Any], place: dict[str, str]) -> None:
    if topic is PLAN:
        state.plan = None
    elif topic is CONTROL_MODE:
        state.mode = None
    elif topic is CONTROL_DISPATCH:
        state.does = None
    elif topic is CONTROL_LIMITS:
        state.limits = None
    elif topic is BILLING:
        state.billing = None
    elif topic is FORECAST_SKILL:
        state.skill = None
    elif topic is ALARM_FIGURES:
        state.figures = None
    elif topic is ALARM:
        _end(state, place["alarm"])
    elif topic is META:
        state.meta.pop(place["device"], None)
    elif topic is DEVICE_STATUS:
        state.devices.pop(place["device"], None)
    elif topic is SERVICE_STATUS:
        state.services.pop(place["service"], None)


def _fold_alarm(state: State, name: str, message: Alarm) -> None:
    if message.state is AlarmState.NORMAL:
        _end(state, name)
        return
    state.alarms[name] = message
    if is_active(message):
        state.over.pop(name, None)
    else:
        state.over.setdefault(name, message.at)


def is_active(alarm: Alarm) -> bool:
    """Whether what it is about is so now; a message of an older joulebus says it by its state."""
    if alarm.active is not None:
        return alarm.active
    return alarm.state in {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED}


def _end(state: State, name: str) -> None:
    state.alarms.pop(name, None)
    state.over.pop(name, None)


def _fold_answer(state: State, topic: Topic[Any], message: RequestOutcome, now: Moment) -> None:
    """Dispatch answers at once, and again when the device has; notify again when the servers have. Alarms answer once:
    what is said of a request that came twice is no answer to the first."""
    last = state.answers.get(message.id)
    if last is not None:
        if topic not in (CONTROL_OUTCOME, NOTIFY_OUTCOME) or message.cause == Cause.DUPLICATE:
            return
        del state.answers[message.id]
    state.answers[message.id] = _said(message, message.at, now)
    while len(state.answers) > ANSWERS:
        del state.answers[next(iter(state.answers))]


def _fold_telemetry(state: State, device: str, message: Telemetry, now: Moment) -> None:
    last = state.telemetry.get(device)
    again = last is not None and last.word.epoch == message.epoch and last.word.seq >= message.seq
    if message.historical or again:
        return
    state.telemetry[device] = _said(message, message.at, now)
    for point, value in message.values.items():
        reading = Reading(value, message.quality.get(point, Quality.GOOD))
        state.points[device, point] = _said(reading, message.at, now)


def _said(word: T, at: datetime | None, now: Moment) -> Said[T]:
    late = (now.at - at).total_seconds() if at else 0.0
    return Said(word, now.ticks, max(0.0, late))
