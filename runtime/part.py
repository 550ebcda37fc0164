"""How any part of joulebus runs: it connects, says that it is there, works, and stops when it is told to."""

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any

import aiomqtt

from runtime.alive import tell_alive
from runtime.bus import Bus, Refused, last_will, not_let_in, taken_over
from runtime.cancelled import stoppable
from runtime.health import Orders, serve_health
from runtime.settings import Settings
from schemas.messages import ServiceStatus
from schemas.site import Site
from schemas.topics import SERVICE_STATUS
from schemas.troubles import Trouble
from schemas.units import utc_now

HEARTBEAT = 5.0
"""Seconds between two words of a service about itself. A reader that hears nothing for 12 s calls it dead."""

SILENCE = 4.0
"""Seconds the broker may owe an answer and say nothing at all until the line counts as dead: neither a cable that was
pulled nor a frozen broker says so."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 3.0

Work = Callable[[Bus], Coroutine[Any, Any, None]]
Aside = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Part:
    """One running service. What it says of itself stands at /health and in its retained status topic."""

    name: str
    site: Site
    settings: Settings
    patience: float | None = 10.0
    """Seconds to wait for the first connection before giving up with a clear word; None waits for ever."""
    counts: Counter[str] = field(default_factory=Counter)
    lag: float = 0.0
    detail: str = ""
    causes: list[str] = field(default_factory=list)
    """What troubles it, in the words of `Cause`: alarms are raised by them."""
    ready: bool = False
    orders: Orders = field(default_factory=dict)
    started: datetime = field(default_factory=utc_now)
    last_success: datetime | None = None
    health_port: int | None = None
    _lost: set[str] = field(default_factory=set)
    """Why there is no connection since the last one: each reason that was said."""
    _met: bool = False
    """We were connected before: what the broker keeps of a service of our name is our own word, or a rival's."""

    def __post_init__(self) -> None:
        self.log = logging.getLogger(self.name)

    def succeeded(self) -> None:
        """The part did what it is for, now."""
        self.last_success = utc_now()

    def status(self) -> ServiceStatus:
        return ServiceStatus(
            state="online",
            at=utc_now(),
            started=self.started,
            version=version("joulebus"),
            lag=round(self.lag, 3),
            last_success=self.last_success,
            causes=list(self.causes),
            detail=self.detail,
            counts=dict(self.counts),
        )

    async def run(self, work: Work | None, *aside: Aside, session: int = 0) -> None:
        """Work until SIGTERM or SIGINT; `work` begins anew with each connection, `aside` jobs run beside it.

        Raises Trouble for what a person must put right: a wrong password, a broker that is not there.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with contextlib.AsyncExitStack() as stack:
            if self.settings.health is not None:
                serving = serve_health(self.settings.health, self._report, self.orders)
                self.health_port = await stack.enter_async_context(serving)
            running: list[asyncio.Task[Any]] = [asyncio.create_task(job()) for job in aside]
            if work is not None:
                running.append(asyncio.create_task(self._keep_connected(work, session)))
            running.append(asyncio.create_task(stop.wait()))
            stack.push_async_callback(_end, [*running, asyncio.create_task(tell_alive())])
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                _raise_first(job)

    async def _keep_connected(self, work: Work, session: int) -> None:
        """A new connection after each loss; one line when it is lost, one for each new reason, one when it is back."""
        wait, born = FIRST_WAIT, time.monotonic()
        while True:
            began = time.monotonic()
            with stoppable():  # also when the stop comes together with the loss
                try:
                    # a task of its own: what its groups leave in the count of cancellations ends with it
                    await asyncio.create_task(self._once(work, session), name=f"{self.name}.connected")
                except* aiomqtt.MqttError as wrong:
                    reason = _first(wrong)
                    self._give_up_if_hopeless(reason, born)
                    self._say_lost(str(reason))
                    self.ready = False
                except* Refused as wrong:
                    raise Trouble(str(_first(wrong))) from None
                else:
                    return
            wait = FIRST_WAIT if time.monotonic() - began > LONGEST_WAIT else min(wait * 2, LONGEST_WAIT)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))

    async def _once(self, work: Work, session: int) -> None:
        broker = self.settings.broker
        will = last_will(self.site.site, self.name, self.started)
        bus = Bus(broker, identifier=broker.user or f"{self.site.site}-{self.name}", will=will, session=session)
        async with asyncio.TaskGroup() as group, bus:
            if self._met:
                await self._give_way(bus)
            if self._lost:
                self.log.info("the broker is back")
            self._lost, self._met, self.ready = set(), True, True
            self.patience = None
            beside = [
                group.create_task(self._heartbeat(bus), name=f"{self.name}.heartbeat"),
                group.create_task(self._notice_silence(bus), name=f"{self.name}.silence"),
            ]
            try:
                await work(bus)
            finally:
                for job in beside:
                    job.cancel()
                with contextlib.suppress(aiomqtt.MqttError, Refused, TimeoutError):
                    async with asyncio.timeout(1):
                        offline = ServiceStatus(state="offline", at=utc_now(), detail="stopped")
                        await bus.say(SERVICE_STATUS, offline, site=self.site.site, service=self.name)

    async def _give_way(self, bus: Bus) -> None:
        """Raises Trouble when a younger one came with our name while we were away; two would cut each other off for
        ever. Newer brokers say so (see taken_over), mosquitto 2.0.11 only closes the connection."""
        last = await bus.retained(SERVICE_STATUS, site=self.site.site, service=self.name)
        if last is not None and last.started is not None and last.started > self.started:
            raise Trouble(self._rival)

    @property
    def _rival(self) -> str:
        return f"another {self.name} of this site came to the broker with our name; each runs only once"

    async def _heartbeat(self, bus: Bus) -> None:
        while True:
            await bus.say(SERVICE_STATUS, self.status(), site=self.site.site, service=self.name)
            await asyncio.sleep(HEARTBEAT)

    async def _notice_silence(self, bus: Bus) -> None:
        await bus.silence(SILENCE)
        self.ready = False  # at once: to leave a dead line takes a moment
        raise aiomqtt.MqttError(f"it owes an answer and has said nothing for {SILENCE:.0f} s")

    def _give_up_if_hopeless(self, reason: BaseException, born: float) -> None:
        broker = self.settings.broker
        if taken_over(reason):
            raise Trouble(self._rival)
        if self.patience is not None and not_let_in(reason):
            raise Trouble(f"the broker {broker} does not let us in: {reason}; check the user and the password")
        if self.patience is not None and time.monotonic() - born > self.patience:
            raise Trouble(f"the broker {broker} cannot be reached: {reason}; is it running? JOULEBUS_BROKER says where")

    def _say_lost(self, reason: str) -> None:
        if reason not in self._lost:
            words = "the broker %s is still away: %s" if self._lost else "lost the broker %s: %s"
            self.log.warning(words, self.settings.broker, reason)
        self._lost.add(reason)

    def _report(self) -> tuple[bool, dict[str, Any]]:
        words = self.status().model_dump(mode="json") | {"service": self.name, "site": self.site.site}
        return self.ready, words | {"ready": self.ready}


def _first(wrong: BaseException) -> BaseException:
    """The first real exception inside groups of groups."""
    while isinstance(wrong, BaseExceptionGroup):
        wrong = wrong.exceptions[0]
    return wrong


def _raise_first(job: asyncio.Task[Any]) -> None:
    wrong = job.exception()
    if wrong is not None:
        first = _first(wrong)
        raise first if isinstance(first, Trouble) else wrong


async def _end(jobs: list[asyncio.Task[Any]]) -> None:
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
