"""The status page as a running part: listens to the site, serves the page, passes on what the operator asks."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import aiomqtt
import uvicorn
from fastapi import FastAPI

from consumers.status.acknowledge import Links
from consumers.status.alarm_past import AlarmPast
from consumers.status.app import create_app
from consumers.status.archive import Archive
from consumers.status.curves import Curves
from consumers.status.said import NotSaid
from consumers.status.slots import slots
from consumers.status.state import Moment, State, fold
from consumers.status.today import Today
from consumers.status.view import view
from runtime.bus import Bus, Refused
from runtime.database import engine
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.history import History
from runtime.part import Part
from schemas import topics
from schemas.messages import Telemetry
from schemas.topics import M, Topic
from schemas.troubles import Trouble
from schemas.units import utc_now

LISTENS = (
    topics.META,
    topics.DEVICE_STATUS,
    topics.TELEMETRY,
    topics.OUTCOME,
    topics.PLAN,
    topics.ALARM,
    topics.ALARM_OUTCOME,
    topics.ALARM_FIGURES,
    topics.NOTIFY_OUTCOME,
    topics.CONTROL_MODE,
    topics.CONTROL_DISPATCH,
    topics.CONTROL_LIMITS,
    topics.CONTROL_OUTCOME,
    topics.BILLING,
    topics.FORECAST_SKILL,
    topics.SERVICE_STATUS,
)


async def run(part: Part, host: str = "127.0.0.1", port: int = 8080, token: str | None = None) -> None:
    """Serve the page of the part's site until the part ends. Raises Trouble when the port is in use.

    Actions need the token (else JOULEBUS_PAGE_TOKEN); without one they are allowed on this machine only.
    """
    listener = Listener(part)
    database = engine(part.settings.database, again=lambda: part.settings.fresh().database)
    history, archive = History(database), Archive(listener.state)
    curves, past = Curves(listener.state, history, archive), AlarmPast(listener.state, history, archive, moment)
    closing = asyncio.Event()
    token = part.settings.page_token if token is None else token
    part.patience = None  # a page that says that the broker is away is worth more than none
    try:
        key = part.settings.ack_key
        links = None if key is None else Links(listener.state, key, listener.publish)
        app = create_app(
            part.site,
            listener.view,
            curves.over,
            listener.publish,
            token=token,
            engineer_token=part.settings.engineer_token,
            past=past,
            closing=closing,
            counts=part.counts,
            links=links,
            today=Today(listener.state, history, archive).figures,
            slots=listener.slots,
        )
        with bound(host, port) as door:

            async def page() -> None:
                await serve(app, door, closing)

            await part.run(listener.work, page)
    finally:
        await database.dispose()


class Listener:
    """Keeps the state of the site, and the connection to say something over while there is one."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.state = State(part.site)
        self.guarded = Guarded(part.log, part.counts)
        self.bus: Bus | None = None

    async def work(self, bus: Bus) -> None:
        """Fold what is heard, for as long as this connection lasts."""
        self.state.renew()
        self.bus, self.state.broker = bus, True
        try:
            async for batch in bus.listen(*(topic.at(site=self.part.site.site) for topic in LISTENS)):
                now = moment()
                for heard in batch:
                    with self.guarded(heard):
                        self._fold(heard, now)
                bus.ack(batch)
                self.part.succeeded()
        finally:
            self.bus, self.state.broker = None, False

    def _fold(self, heard: Heard[Any], now: Moment) -> None:
        if heard.fault:
            self.part.counts["faults"] += 1
            return
        self.part.counts["heard"] += 1
        fold(self.state, heard.topic, heard.place, heard.message, now)
        if isinstance(heard.message, Telemetry) and not heard.message.historical:
            self.part.lag = max(0.0, (now.at - heard.message.at).total_seconds())

    def view(self) -> dict[str, Any]:
        return view(self.state, moment())

    def slots(self) -> dict[str, Any]:
        plan = self.state.plan
        return slots(None if plan is None else plan.word, utc_now(), self.part.site.zone)

    async def publish(self, topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None:
        """Pass on a request; whoever asked gets to know when it did not reach the broker."""
        if self.bus is None:
            raise NotSaid("there is no connection to the broker")
        try:
            async with asyncio.timeout(3):
                await self.bus.say(topic, message, expiry=expiry, **place)
        except (aiomqtt.MqttError, Refused, TimeoutError) as wrong:
            raise NotSaid(f"the broker did not take it: {wrong}") from wrong


def moment() -> Moment:
    return Moment(utc_now(), time.monotonic())


def bound(host: str, port: int) -> socket.socket:
    """The socket of the page, before anything else begins: a port in use is found at once."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=100)
    except OSError as wrong:
        reason = os.strerror(wrong.errno) if wrong.errno else wrong.strerror or wrong
        raise Trouble(f"the status page cannot listen at {host}:{port}: {reason}; give another --page") from wrong


class _Server(uvicorn.Server):
    """Leaves the signals to the part, which ends all of its jobs."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, door: socket.socket, closing: asyncio.Event) -> None:
    """Serve until cancelled; open event streams end first, so that closing takes no time."""
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([door]), name="status.uvicorn")
    try:
        await asyncio.shield(serving)
    finally:
        closing.set()
        server.should_exit = True
        await serving
