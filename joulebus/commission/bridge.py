"""Whether a bridge serves a site: two masters would fight over one setpoint. The broker is asked; what it cannot say is
not taken for `no`.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import aiomqtt

from joulebus.parts import SERVICES
from runtime.bus import Bus, Refused
from runtime.settings import Broker
from runtime.stored import retained
from schemas.messages import ServiceStatus
from schemas.site import Site
from schemas.topics import SERVICE_STATUS, TELEMETRY

ANSWER, LISTEN = 5.0, 3.0
"""Seconds the broker may take to answer, and seconds to listen whether a device is published."""
OTHERS = SERVICES.keys() - {"bridge"}
"""Parts that write to no device; every other name (`bridge`, `bridge-hall-2`) may be a bridge's."""


class Serves(StrEnum):
    RUNS = "runs"
    STOPPED = "stopped"  # it said so itself
    NEVER = "never"  # the broker answers, and keeps no word of any
    UNKNOWN = "unknown"


MAY_WRITE: dict[Serves, bool] = {
    Serves.RUNS: False,
    Serves.STOPPED: True,
    Serves.NEVER: True,
    Serves.UNKNOWN: False,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of the bridge, and in words how."""

    serves: Serves
    says: str


async def ask_broker(site: Site, broker: Broker) -> Answer:
    """What the broker says now; takes some seconds."""
    statuses, published = dict[str, ServiceStatus](), set[str]()
    try:
        async with asyncio.timeout(ANSWER + LISTEN), Bus(broker, identifier="commission") as bus:
            await retained(bus, SERVICE_STATUS, site=site.site, service="bridge")  # it answers, and lets us listen
            await _listen(bus, site, statuses, published)
    except (aiomqtt.MqttError, Refused, TimeoutError) as wrong:
        return Answer(Serves.UNKNOWN, f"the broker {broker} could not say: {wrong or 'no answer'}")
    return conclude(statuses, published)


async def _listen(bus: Bus, site: Site, statuses: dict[str, ServiceStatus], published: set[str]) -> None:
    try:
        async with asyncio.timeout(LISTEN):
            async for batch in bus.listen(SERVICE_STATUS.at(site=site.site), TELEMETRY.at(site=site.site)):
                bus.ack(batch)
                for heard in batch:
                    if heard.topic is TELEMETRY:
                        published.add(heard.place["device"])
                    elif isinstance(heard.message, ServiceStatus):
                        statuses[heard.place["service"]] = heard.message
    except TimeoutError:
        pass


def conclude(statuses: Mapping[str, ServiceStatus], published: Collection[str]) -> Answer:
    """From what each service said last and which devices are published now. Pure."""
    bridges = {name: status for name, status in statuses.items() if name not in OTHERS}
    if published:
        return Answer(Serves.RUNS, f"somebody publishes {', '.join(sorted(published))}")
    if online := [name for name, status in bridges.items() if status.state == "online"]:
        return Answer(Serves.RUNS, f"{', '.join(online)} serves these devices")
    # A last will has no time: its bridge is dead, or goes on without the broker, which its devices cannot tell apart.
    if lost := [name for name, status in bridges.items() if status.at is None]:
        return Answer(Serves.UNKNOWN, f"{', '.join(lost)} died or lost the broker, and may still serve these devices")
    if bridges:
        return Answer(Serves.STOPPED, f"{', '.join(bridges)} was stopped")
    return Answer(Serves.NEVER, "the broker has never heard of a bridge of this site")
