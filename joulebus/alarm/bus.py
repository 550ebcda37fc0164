"""What the broker has of a site's alarms, and what it answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiomqtt
from pydantic import ValidationError

from joulebus.site_broker import found_here
from runtime.bus import Bus, Refused
from runtime.refusals import ASK, not_let_in
from runtime.settings import Broker, Settings
from runtime.tls import Unreadable
from schemas.messages import Alarm, AlarmRequest, AlarmState, RequestOutcome
from schemas.topics import ALARM, ALARM_OUTCOME, COMMAND_TTL, Topic
from schemas.troubles import Trouble

ANSWERS = 5.0
"""Seconds the alarms service has to answer."""


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Bus]:
    """Raises Trouble where the broker cannot be reached, or lets us in for nothing."""
    try:
        async with Bus(settings.broker, identifier=settings.broker.user or "alarm") as bus:
            yield bus
    except (Refused, aiomqtt.MqttError) as wrong:
        raise Trouble(said_of(settings.broker, wrong)) from None


def said_of(broker: Broker, wrong: Exception) -> str:
    """Why a broker is of no use, and what would help."""
    if isinstance(wrong, Unreadable):
        return str(wrong)
    if here := "" if isinstance(wrong, Refused) else found_here(broker):
        return f"{broker}: {wrong}{here}"
    if isinstance(wrong, Refused) or not_let_in(wrong):
        return f"{broker}: {wrong}{_right(wrong)}"
    return f"the broker {broker} cannot be reached: {wrong}{ASK}"


def _right(wrong: Exception) -> str:
    """What would help against a broker that says no."""
    if isinstance(wrong, Refused):
        return "; `--as` names another user: `operator` answers alarms, `engineer` also takes them out of service"
    return (
        "; write the user into the address and name the file of its password: "
        "JOULEBUS_BROKER=mqtt://{role}@HOST:PORT, JOULEBUS_BROKER_PASSWORD_FILE=FOLDER/{role} "
        "({role} is the user that --as names)"
    )


async def shown(bus: Bus, site: str) -> dict[str, Alarm]:
    """Every alarm that is not normal. The broker sends what it keeps before it answers the next question."""
    found = dict[str, Alarm]()

    def take(address: str, payload: bytes) -> None:
        place = ALARM.place(address)
        if place is None or not payload:
            return
        try:
            alarm = Alarm.model_validate_json(payload)
        except ValidationError:  # of another version
            return
        if alarm.state is not AlarmState.NORMAL:
            found[place["alarm"]] = alarm

    async with bus.aside(ALARM.at(site=site), take, qos=0):
        await bus.while_connected(bus.subscribe(ALARM_OUTCOME.at(site=site, alarm="end-of-stored"), 0))
    return found


async def answered(
    bus: Bus, site: str, topic: Topic[AlarmRequest], wishes: Iterable[tuple[str, AlarmRequest]]
) -> dict[str, RequestOutcome]:
    """Send them and wait for what becomes of each, for 5 s in all; those without an answer are left out."""
    waiting = {str(wish.id): name for name, wish in wishes}
    found, done = dict[str, RequestOutcome](), asyncio.Event()

    def take(_: str, payload: bytes) -> None:
        try:
            said = RequestOutcome.model_validate_json(payload)
        except ValidationError:
            return
        if said.id in waiting:
            found[waiting[said.id]] = said
            if len(found) == len(waiting):
                done.set()

    async with bus.aside(ALARM_OUTCOME.at(site=site), take):
        for name, wish in wishes:
            await bus.say(topic, wish, expiry=COMMAND_TTL, site=site, alarm=name)
        try:
            async with asyncio.timeout(ANSWERS):
                await done.wait()
        except TimeoutError:
            pass
    return found
