"""How any part of joulebus runs: alone in its state folder, it connects, says that it is there, works, and stops when
it is told to."""

import asyncio
import contextlib
import logging
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any

from runtime.alive import tell_alive
from runtime.causes import Causes
from runtime.certificates import watch_certificates
from runtime.clock import Clock
from runtime.disks import watch_disks
from runtime.events import QUIET, Events
from runtime.health import Orders, serve_health
from runtime.instance import instance
from runtime.link import Aside, Link, Work, end, raise_first
from runtime.machine import clocks
from runtime.settings import Settings
from runtime.single import Lock, wait_for_folder
from schemas.messages import Cause, ServiceStatus
from schemas.site import Site
from schemas.units import utc_now

STEP_SHOWN = 300.0
"""Seconds a step of the clock is a trouble."""


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
    ready: bool = False
    orders: Orders = field(default_factory=dict)
    started: datetime = field(default_factory=utc_now)
    last_success: datetime | None = None
    health_port: int | None = None
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    """Of the state folder, once that is ours."""
    clock: Clock = field(default_factory=lambda: Clock(*clocks()))
    """Looked at each second while the part runs, and by `now`."""
    _lock: Lock | None = None

    def __post_init__(self) -> None:
        self.log = logging.getLogger(self.name)
        self.causes = Causes(self.log)
        self.events = Events(self.site.site, self.name, self.counts, self.causes)
        own = {} if self.name in QUIET else {"what it keeps": self.settings.state.absolute()}
        self.disks = own if self.settings.watch_disks is None else self.settings.watch_disks
        """By a name for people, folders whose disk must not become full."""
        self.broker_certificate: bytes | None = None
        """As the broker has shown it with the last connection, in DER; None without TLS."""

    def succeeded(self) -> None:
        """The part did what it is for, now."""
        self.last_success = utc_now()

    def now(self) -> tuple[float, datetime]:
        """Monotonic seconds and the wall clock, of one moment; a step of the wall clock is noted in `clock`."""
        moment = clocks()
        if step := self.clock.look(*moment):
            way, size = ("ahead", step.by) if step.by.total_seconds() > 0 else ("back", -step.by)
            words = f"the clock was set {way} by {size.total_seconds():.0f} s, to {moment[1]:%Y-%m-%d %H:%M:%S}Z"
            self.causes.add(Cause.CLOCK_STEP, words, seconds=STEP_SHOWN)
        return moment

    def awaited(self) -> bool:
        """Whether another process waits for our state folder, or is in it, because somebody deleted the lock."""
        with contextlib.suppress(OSError):  # the folder itself is gone: nobody else can be in it either
            return self._lock is not None and (not self._lock.held() or self._lock.contended)
        return False

    def status(self) -> ServiceStatus:
        return ServiceStatus(
            state="online",
            at=utc_now(),
            started=self.started,
            instance=self.instance,
            version=version("joulebus"),
            lag=round(self.lag, 3),
            last_success=self.last_success,
            causes=[*self.causes.names],
            detail="; ".join(words for words in (self.detail, self.causes.words) if words),
            counts=dict(self.counts),
        )

    async def run(
        self, work: Work | None, *aside: Aside, session: int = 0, begin: Callable[[], None] | None = None
    ) -> None:
        """Work until SIGTERM or SIGINT; `work` begins anew with each connection, `aside` jobs run beside it.

        `begin` is called before, once no other process uses the state folder: what is kept there is opened in it.
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
            jobs = [asyncio.create_task(job) for job in (self._work(work, aside, session, begin), stop.wait())]
            watches = (watch_disks(self.disks, self.causes), watch_certificates(self))
            others = (tell_alive(), self._watch_clock(), self.events.look_after())
            beside = [asyncio.create_task(job) for job in (*others, *watches)]
            stack.push_async_callback(end, [*jobs, *beside])
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            raise_first(done)

    async def _work(
        self, work: Work | None, aside: tuple[Aside, ...], session: int, begin: Callable[[], None] | None
    ) -> None:
        async with self._alone():
            if begin is not None:
                begin()
            if self.site.archive and work is not None:
                self.events.open(self.settings.state)
            try:
                await Link(self, session).keep(work, aside)
            finally:
                self.events.close()

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """While the state folder is ours alone; waits for that. A folder that cannot be written to stops nobody."""
        name = f"{self.site.site}-{self.name}"

        def wait(words: str) -> None:
            self.causes.add(Cause.SECOND_INSTANCE, words)

        try:
            self._lock = await wait_for_folder(self.settings.state, name, wait)
            self.instance = instance(self.settings.state, name)
        except OSError as wrong:
            words = f"nothing can be kept in {self.settings.state}: {wrong.strerror}; JOULEBUS_STATE says where"
            self.causes.add(Cause.OUTBOX, words, about="folder")
        self.causes.clear(Cause.SECOND_INSTANCE, words="the state folder is free")
        try:
            yield
        finally:
            if self._lock is not None:
                self._lock.release()

    async def _watch_clock(self) -> None:
        while True:
            self.now()
            await asyncio.sleep(1)

    def _report(self) -> tuple[bool, dict[str, Any]]:
        ready = self.ready and self.causes.ready
        words = self.status().model_dump(mode="json") | {"service": self.name, "site": self.site.site}
        return ready, words | {"ready": ready}
