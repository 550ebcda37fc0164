"""Keeps a part connected to the broker, and lets only one of its name work."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import aiomqtt

from runtime.bus import Bus, Refused, not_let_in, refusal
from runtime.cancelled import stoppable
from runtime.refusals import ASK
from runtime.rivals import FIRST_PAUSE, LONGEST_PAUSE, SHOWN, SILENT, Other, Us, other
from runtime.settings import Broker
from runtime.stored import retained
from runtime.tls import Unreadable
from schemas.messages import Cause, ServiceStatus
from schemas.topics import SERVICE_STATUS
from schemas.troubles import Trouble
from schemas.units import utc_now

if TYPE_CHECKING:
    from runtime.part import Part

HEARTBEAT = 5.0
"""Seconds between two words of a service about itself. A reader that hears nothing for 12 s calls it dead."""

SILENCE = 4.0
"""Seconds the broker may owe an answer and say nothing at all until the line counts as dead: neither a cable that was
pulled nor a frozen broker says so."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 3.0
REFUSED_WAIT = 30.0
"""Seconds between two connections when the access list forbids what the work needs."""

UNKNOWN = 2.0
"""Seconds a job waits to hear from the broker that nobody else does it. Without a broker it goes on: a site must be
read and guarded all the same."""

LOST = 20.0
"""Seconds to end in: longer than any device takes to be left in its fallback."""

Work = Callable[[Bus], Coroutine[Any, Any, None]]
Aside = Callable[[], Coroutine[Any, Any, None]]


class Rival(Exception):
    """Another one of our name works."""


class Link:
    """Of one part, as long as it runs."""

    def __init__(self, part: "Part", session: int) -> None:
        self.part, self.session = part, session
        self._site, self._address = part.site.site, SERVICE_STATUS.at(site=part.site.site, service=part.name)
        self._lost: set[str] = set()
        """Why there is no connection since the last one: each reason that was said."""
        self._met = False
        self._alone = asyncio.Event()
        """Nobody else works under our name, as far as can be known."""
        self._pause = 0.0
        """Seconds until the next look while another one works; 0 as long as there was none."""

    async def keep(self, work: Work | None, aside: tuple[Aside, ...]) -> None:
        """Work with each connection anew and do the aside jobs beside it, while no other one of our name works.

        Returns when one of them does. Raises Trouble for what a person must put right.
        """
        while True:
            self._alone = asyncio.Event()
            jobs = [asyncio.create_task(self._beside(job, wait=work is not None)) for job in aside]
            if work is not None:
                jobs.append(asyncio.create_task(self._connected(work)))
            try:
                done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end(jobs)
            wrong = next((first(one) for job in done if (one := job.exception())), None)
            if not isinstance(wrong, Rival):
                raise_first(done)
                return
            await self._stand_aside(str(wrong))

    async def _beside(self, job: Aside, *, wait: bool) -> None:
        if wait:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self._pause else UNKNOWN):
                    await self._alone.wait()
        await job()

    async def _stand_aside(self, why: str) -> None:
        self._pause = min(self._pause * 2, LONGEST_PAUSE) or FIRST_PAUSE
        self.part.ready = False
        self.part.causes.add(Cause.SECOND_INSTANCE, why)
        await asyncio.sleep(self._pause * random.uniform(0.9, 1.1))
        self.part.started = utc_now()  # whoever works now began before us, also when it was started again meanwhile

    async def _connected(self, work: Work) -> None:
        """A new connection after each loss; one line when it is lost, one for each new reason, one when it is back."""
        wait, born = FIRST_WAIT, time.monotonic()
        while True:
            began, rival, refused = time.monotonic(), "", False
            with stoppable():  # also when the stop comes together with the loss
                try:
                    # a task of its own: what its groups leave in the count of cancellations ends with it
                    await asyncio.create_task(self._once(work), name=f"{self.part.name}.connected")
                except* aiomqtt.MqttError as wrong:
                    self._say_lost(first(wrong), born)
                except* Refused as wrong:
                    self.part.causes.add(Cause.BROKER_REFUSES, str(first(wrong)))
                    refused = True
                except* Rival as wrong:
                    rival = str(first(wrong))
                else:
                    return
            if rival:
                raise Rival(rival)
            self.part.ready = False
            if not self._pause:
                self._alone.set()  # nobody knows of another one
            wait = FIRST_WAIT if time.monotonic() - began > LONGEST_WAIT else min(wait * 2, LONGEST_WAIT)
            await asyncio.sleep((REFUSED_WAIT if refused else wait) * random.uniform(0.5, 1.0))

    async def _once(self, work: Work) -> None:
        part, broker = self.part, self._broker()
        identifier = broker.user or f"{self._site}-{part.name}"
        bus = Bus(broker, identifier=identifier, will=self._will(), session=self.session)
        async with asyncio.TaskGroup() as group, bus:
            await self._give_way(bus)
            if self._lost:
                part.log.info("the broker is back")
            self._lost, self._met, self._pause, part.patience = set(), True, 0.0, None
            part.ready = True
            part.broker_certificate = bus.certificate
            part.events.bus = bus
            self._alone.set()
            jobs = {"heartbeat": self._heartbeat(bus), "silence": self._notice_silence(bus)}
            jobs |= {"loss": _notice_loss(bus), "events": part.events.send(bus)}
            beside = [group.create_task(job, name=f"{part.name}.{name}") for name, job in jobs.items()]
            try:
                await work(bus)
            finally:
                part.events.bus = None
                for job in beside:
                    job.cancel()
                with contextlib.suppress(aiomqtt.MqttError, Refused, TimeoutError):
                    async with asyncio.timeout(1):
                        await self._say(bus, ServiceStatus(state="offline", at=utc_now(), detail="stopped"))

    def _broker(self) -> Broker:
        """As it stands in the files now."""
        try:
            self.part.settings = self.part.settings.fresh()
        except Trouble as wrong:
            self.part.log.warning("what was known before is used: %s", wrong)
        return self.part.settings.broker

    def _will(self) -> tuple[str, bytes]:
        """What the broker says for us when we die."""
        return self._address, self._away("died or lost its connection").model_dump_json().encode()

    def _away(self, words: str) -> ServiceStatus:
        part = self.part
        return ServiceStatus(state="offline", started=part.started, instance=part.instance, detail=words)

    async def _give_way(self, bus: Bus) -> None:
        """Raises Rival when another one, which began before us, takes its connection back."""
        try:
            last = await retained(bus, SERVICE_STATUS, site=self._site, service=self.part.name)
        except Refused as wrong:  # nobody can be seen; that is no reason not to work
            self.part.causes.add(Cause.BROKER_REFUSES, str(wrong), about="own status", ready=True)
            return
        who = other(last, Us(self.part.instance, self.part.started), met=self._met)
        began = f"{last.started:%Y-%m-%d %H:%M:%S}Z" if last and last.started else ""
        if who is Other.FIRST:
            await self._say(bus, self._away("another one began before"))  # it reads that when it comes back
            if await bus.lost(SILENT):
                raise Rival(f"another {self.part.name} of this site works since {began}; we wait for its end")
            self.part.causes.clear(Cause.SECOND_INSTANCE, words="the other one works no more")
        elif who is Other.SECOND:
            words = f"another {self.part.name} of this site, begun at {began}, came with our name; end one of them"
            self.part.causes.add(Cause.SECOND_INSTANCE, words, seconds=SHOWN)

    async def _heartbeat(self, bus: Bus) -> None:
        while True:
            self._say_who_waits()
            with contextlib.suppress(Refused):  # said in the next round
                await self._say(bus, self.part.status())
            await asyncio.sleep(HEARTBEAT)
            if bus.refused:
                self.part.causes.add(Cause.BROKER_REFUSES, refusal(min(bus.refused)))
            else:
                self.part.causes.clear(Cause.BROKER_REFUSES, words="the broker refuses nothing any more")

    async def _say(self, bus: Bus, status: ServiceStatus) -> None:
        await bus.say(SERVICE_STATUS, status, site=self._site, service=self.part.name)

    def _say_who_waits(self) -> None:
        if self.part.awaited():
            words = f"another {self.part.name} of this site waits for this state folder or is in it; end one of them"
            self.part.causes.add(Cause.SECOND_INSTANCE, words, about="waits", seconds=3 * HEARTBEAT)

    async def _notice_silence(self, bus: Bus) -> None:
        await bus.silence(SILENCE)
        self.part.ready = False  # at once: to leave a dead line takes a moment
        raise aiomqtt.MqttError(f"it owes an answer and has said nothing for {SILENCE:.0f} s")

    def _say_lost(self, reason: BaseException, born: float) -> None:
        """One line for each reason. Raises Trouble when a first connection cannot be had."""
        part = self.part
        if part.patience is not None and isinstance(reason, Unreadable):
            raise Trouble(str(reason))
        if part.patience is not None and not_let_in(reason):
            raise Trouble(
                f"the broker {part.settings.broker} does not let us in: {reason}; check the user and the password"
            )
        if part.patience is not None and time.monotonic() - born > part.patience:
            raise Trouble(f"the broker {part.settings.broker} cannot be reached: {reason}{ASK}")
        if str(reason) not in self._lost:
            begins = "the broker %s is not there yet: %s" if part.patience is not None else "lost the broker %s: %s"
            part.log.warning("the broker %s is still away: %s" if self._lost else begins, part.settings.broker, reason)
        self._lost.add(str(reason))


async def _notice_loss(bus: Bus) -> None:
    """Also while the work neither listens nor speaks."""
    await bus.lost()
    bus.raise_loss()


def first(wrong: BaseException) -> BaseException:
    """The first real exception inside groups of groups."""
    while isinstance(wrong, BaseExceptionGroup):
        wrong = wrong.exceptions[0]
    return wrong


def raise_first(done: "set[asyncio.Task[Any]]") -> None:
    """A Trouble as it is, any other mistake with all that was wrong."""
    for job in done:
        wrong = job.exception()
        if wrong is not None:
            one = first(wrong)
            raise one if isinstance(one, Trouble) else wrong


async def end(jobs: "list[asyncio.Task[Any]]") -> None:
    """Until they have ended. A cancellation can get lost in a driver (`runtime.cancelled`): who has not ended after
    `LOST` is told again."""
    waiting = set(jobs)
    while waiting:
        for job in waiting:
            job.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=LOST)
    await asyncio.gather(*jobs, return_exceptions=True)
