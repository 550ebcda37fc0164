"""Every payload that travels over the broker, a file for each thing that is spoken of.

What devices and services report tolerates unknown keys, so that a newer bridge can talk to an older
consumer. What asks for something to be done forbids them: an order half understood is an order refused.
"""

from schemas.messages.alarm import Alarm, AlarmClass, AlarmPriority, AlarmState
from schemas.messages.cause import Cause
from schemas.messages.command import Action, Authority, Command, Limited, Outcome, OutcomeState
from schemas.messages.control import (
    BatteryDispatch,
    ControlDispatch,
    ControlMode,
    LoadDispatch,
    LoadState,
    Mode,
    PlanHeld,
    PlanUse,
)
from schemas.messages.device import Archived, DeviceState, DeviceStatus, Meta, PointMeta, Telemetry
from schemas.messages.event import Event
from schemas.messages.grid_limit import ControlLimits, Direction, GridLimitRequest, HeldLimit, Scope
from schemas.messages.market_prices import Blocks, MarketPrices, PriceBlock
from schemas.messages.message import Epoch, Id, Message, Order, Seq, Value
from schemas.messages.notified import Notified
from schemas.messages.notify_request import ChannelAnswer, NotifyOutcome, NotifyRequest
from schemas.messages.plan import LoadStep, Plan, Step
from schemas.messages.request import AlarmAction, AlarmRequest, ControlRequest, RequestOutcome
from schemas.messages.service_status import ServiceStatus
from schemas.messages.why import Why

__all__ = [
    "Action",
    "Alarm",
    "AlarmAction",
    "AlarmClass",
    "AlarmPriority",
    "AlarmRequest",
    "AlarmState",
    "Archived",
    "Authority",
    "BatteryDispatch",
    "Blocks",
    "Cause",
    "ChannelAnswer",
    "Command",
    "ControlDispatch",
    "ControlLimits",
    "ControlMode",
    "ControlRequest",
    "DeviceState",
    "DeviceStatus",
    "Direction",
    "Epoch",
    "Event",
    "GridLimitRequest",
    "HeldLimit",
    "Id",
    "Limited",
    "LoadDispatch",
    "LoadState",
    "LoadStep",
    "MarketPrices",
    "Message",
    "Meta",
    "Mode",
    "Notified",
    "NotifyOutcome",
    "NotifyRequest",
    "Order",
    "Outcome",
    "OutcomeState",
    "Plan",
    "PlanHeld",
    "PlanUse",
    "PointMeta",
    "PriceBlock",
    "RequestOutcome",
    "Scope",
    "Seq",
    "ServiceStatus",
    "Step",
    "Telemetry",
    "Value",
    "Why",
]
