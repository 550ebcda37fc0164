"""Optimize at work: folds what is measured, plans each minute in a thread, verifies, and publishes the plan."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zlib import crc32

from sqlalchemy.exc import SQLAlchemyError

from consumers.optimize.billed import Billed
from consumers.optimize.limits_heard import LimitsHeard
from consumers.optimize.occasions import Occasions
from consumers.optimize.past import Past
from consumers.optimize.price_fetcher import keep_fetching
from consumers.optimize.price_sources import PriceSources
from consumers.optimize.seldom import Seldom
from consumers.optimize.situation import Situation
from consumers.optimize.skill_told import tell_skill
from consumers.optimize.thought import Thought
from optimizer.carbon_table import CarbonFile
from optimizer.shortage import shortages
from optimizer.tariff import Series
from runtime.bus import Bus
from runtime.database import engine
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.history import History
from runtime.part import Part
from runtime.signature import forgery
from runtime.tariff_watch import readable
from schemas.messages import Cause, ControlDispatch, ControlMode, Plan, Telemetry
from schemas.printable import printable
from schemas.topics import (
    ALARM,
    CONTROL_DISPATCH,
    CONTROL_LIMITS,
    CONTROL_MODE,
    FORECAST_POWERS,
    MARKET_PRICES,
    PLAN,
    TELEMETRY,
)
from schemas.troubles import Trouble
from schemas.units import utc_now

EVERY = 60.0
"""Seconds between two plans: of each site at a second of the minute of its own, so that many do not plan at once."""
FILLING, DEADLINE = 10.0, 30.0
"""Seconds for the archive and for the plan."""
NO_PLAN = "no plan"
NOT_TOLD = "what is billed by the kW is not known"
LIMITS = "limits"
"""What the cause is about that the broker keeps them back."""
TOLD = "told"
"""What the cause is about that prices on the topic are not followed."""

HEARD = (TELEMETRY, CONTROL_LIMITS, CONTROL_MODE, CONTROL_DISPATCH, MARKET_PRICES, FORECAST_POWERS, ALARM)

Planner = Callable[[Situation, Past, dict[str, Series], datetime, float], Thought]


async def run(part: Part) -> None:
    """Runs until it is told to stop."""
    optimize = Optimize(part)
    if fault := part.site.tariff_fault:  # said before there is a broker
        part.causes.add(Cause.TARIFF, f"{NO_PLAN}: {fault}")
    try:
        await part.run(optimize.work, lambda: keep_fetching(part, optimize.prices_came))
    finally:
        await optimize.history.engine.dispose()


class Optimize:
    """The situation, the past and the last plan; they survive a connection."""

    def __init__(self, part: Part, planner: Planner | None = None) -> None:
        self.part = part
        self.site = part.site
        self.situation = Situation.of(part.site)
        self.past = Past(part.site)
        self.past.learning.state = part.settings.state
        self.history = History(engine(part.settings.database, again=lambda: part.settings.fresh().database))
        self.billed = Billed(part, self.situation, self.history)
        self.limits = LimitsHeard(part.site)
        self.plan: Plan | None = None
        self._seldom = Seldom(part, self.situation, self.past, self.history)
        self._planner = planner or _think
        self._guarded = Guarded(part.log, part.counts)
        self._prices = PriceSources(part.site, part.settings.state)
        self.occasions = Occasions(self.situation, self.limits)
        self._carbon = CarbonFile(part.site.carbon_path)
        self._second = crc32(part.site.site.encode()) % EVERY
        self._thinking: asyncio.Future[Thought] | None = None
        """A plan that is made, in its thread, which nothing can end: there is one at most."""

    async def work(self, bus: Bus) -> None:
        if self.plan is not None and (left := _left(self.plan)) >= 1:  # a broker that lost its store has lost it, too
            await bus.say(PLAN, self.plan, expiry=left, site=self.site.site)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(bus), name="optimize.listen")
            group.create_task(self._keep_planning(), name="optimize.plan")
            group.create_task(self.billed.tell(bus), name="optimize.billing")
            group.create_task(tell_skill(self.part, self.past.learning, bus), name="optimize.skill")

    async def _listen(self, bus: Bus) -> None:
        addresses = [topic.at(site=self.site.site) for topic in HEARD]
        async for batch in bus.listen(*addresses):
            for heard in batch:
                with self._guarded(heard):
                    self._hear(heard)
            bus.ack(batch)

    def _hear(self, heard: Heard[Any]) -> None:
        if heard.topic is CONTROL_LIMITS:
            self.limits.hear(heard.message, utc_now(), time.monotonic(), retained=heard.retained)
            self.part.causes.clear(Cause.BROKER_REFUSES, about=LIMITS, words="the limits are heard")
        elif heard.topic is MARKET_PRICES:
            self._hear_prices(heard)
        elif heard.topic is FORECAST_POWERS:
            self._hear_forecast(heard)
        elif heard.topic is ALARM:
            self.occasions.hear_alarm(heard.place["alarm"], heard.message, time.monotonic())
        elif isinstance(heard.message, ControlMode):
            self.limits.moded = self.limits.moded or time.monotonic()
        elif isinstance(heard.message, ControlDispatch):
            self.situation.hear_loads(heard.message, time.monotonic())
        elif isinstance(heard.message, Telemetry) and not heard.retained:
            self.situation.fold(heard.place["device"], heard.message, utc_now(), time.monotonic())

    def _hear_prices(self, heard: Heard[Any]) -> None:
        """Prices on the topic; the next plan is made with them."""
        if why := self._prices.hear(heard, self.part.settings, utc_now()):
            self.part.counts["prices_refused"] += 1
            words = printable(f"the prices on market/prices are not followed: {why}")
            self.part.causes.add(Cause.PRICES, words, about=TOLD)
        else:
            self.part.causes.clear(Cause.PRICES, about=TOLD, words="the prices on market/prices are followed")
            self.prices_came()

    def _hear_forecast(self, heard: Heard[Any]) -> None:
        """A forecast from outside; the next plan weighs it."""
        name, key = heard.place["forecast"], self.part.settings.forecast_key
        address = FORECAST_POWERS.at(**heard.place)
        fault = (forgery(heard.payload, address, key) if key and heard.payload else "") or heard.fault
        if self.past.learning.heard.hear(
            name, heard.message, utc_now(), retained=heard.retained, fault=printable(fault)
        ):
            self.part.counts["forecasts_refused"] += 1

    def prices_came(self) -> None:
        """Others than those the last plan was made with: soon there is a new one."""
        self.occasions.news = True

    async def _keep_planning(self) -> None:
        await self._take_tariff()
        if not self.site.battery:
            await self.billed.keep()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.billed.keep(), name="optimize.billed")
            group.create_task(self._plan_on(), name="optimize.plans")
            group.create_task(self._seldom.run(self._prices.series), name="optimize.seldom")

    async def _take_tariff(self) -> None:
        if not self.site.battery:
            self.part.detail = "no battery: nothing to plan"
        await readable(self.part, NO_PLAN if self.site.battery else NOT_TOLD)
        if self.situation.billing.fault:
            self.situation.bill()

    async def _plan_on(self) -> None:
        while True:
            if lacks := self.situation.lacks(time.monotonic()):
                self.part.detail = f"no new plan: {lacks}"
                await asyncio.sleep(1)
                continue
            await self._once()
            await self._until_next()

    async def _until_next(self) -> None:
        began, wall = time.monotonic(), time.time()
        due = EVERY - (wall - self._second) % EVERY
        while (since := time.monotonic() - began) < due:
            await asyncio.sleep(min(1.0, due - since))
            if words := self.limits.withheld(time.monotonic()):
                self.part.causes.add(Cause.BROKER_REFUSES, words, about=LIMITS, ready=True)
            if why := self.occasions.due(since, utc_now(), time.monotonic()):
                self.part.counts[why] += 1
                return

    async def _once(self) -> None:
        """One plan. What goes wrong leaves the last one standing until it expires."""
        began = time.monotonic()
        if not await self._thought():
            self._fail(f"no plan in {DEADLINE:.0f} s: one that was begun before is still being made")
            return
        note = await self._fill()
        try:
            await asyncio.sleep(self._prices.young(time.time()))
            now = utc_now()
            self.occasions.begin(time.monotonic())
            series = await asyncio.to_thread(self._prices.series, now, time.time())
            short = shortages(self.site.prices, series, now, self.site.zone)
            self._tell_short([*self._prices.faults.values(), *(one.words for one in short if one.urgent)])
            held = self.limits.held(now, time.monotonic())
            still = self.situation.still(held, self._carbon.now())  # telemetry goes on meanwhile
            plan, wrong, refused = await self._think_for(DEADLINE, still, series, now)
        except TimeoutError:
            self._fail(f"no plan in {DEADLINE:.0f} s")
            return
        except Trouble as trouble:
            self._fail(str(trouble))
            self.part.causes.add(Cause.TARIFF, f"no plan: {trouble}")
            return
        except Exception as bug:  # whatever the planner does, the last plan stands (FAULTS F35)
            self.part.log.exception("the planner failed")
            self._fail(f"the planner failed: {bug}")
            return
        if wrong:
            self._fail(f"the plan was not published: {'; '.join(wrong[:3])}{self._keep_aside(refused)}")
            return
        self.part.causes.clear(Cause.TARIFF)
        self.part.causes.clear(Cause.NO_PLAN, words="there is a plan again")
        self.plan = plan
        self.occasions.made(plan, held)
        if (left := _left(plan)) >= 1:
            await self.part.events.say(PLAN, plan, expiry=left, site=self.site.site)
        self.part.lag = time.monotonic() - began
        note = "; ".join(
            [
                note,
                *self._prices.faults.values(),
                *self._prices.notes,
                *(one.words for one in short),
                *plan.limits,
                *plan.shortage,
                *self.past.learning.notes,
            ]
        )
        self.part.detail = f"plan {plan.id}: {plan.cost:.2f} {plan.currency}, resting {plan.cost_idle:.2f}{note}"
        self.part.counts["plans"] += 1
        self.part.succeeded()

    async def _thought(self) -> bool:
        """Whether no plan is being made any more; one that was begun before a connection was lost is soon."""
        if self._thinking is not None:
            await asyncio.wait([self._thinking], timeout=DEADLINE)
        return self._thinking is None or self._thinking.done()

    async def _think_for(self, seconds: float, still: Situation, series: dict[str, Series], now: datetime) -> Thought:
        """Raises TimeoutError; the thread goes on, and what it comes to then is too old."""
        thread = asyncio.to_thread(self._planner, still, self.past, series, now, time.monotonic())
        thinking = self._thinking = asyncio.ensure_future(thread)
        thinking.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, also when it is late
        async with asyncio.timeout(seconds):
            return await asyncio.shield(thinking)

    def _keep_aside(self, refused: dict[str, Any] | None) -> str:
        """The last one that was refused, for who wants to know why; gives where it is."""
        path = self.part.settings.state / f"refused-plan-{self.site.site}.json"
        try:
            path.write_text(json.dumps(refused, allow_nan=False), encoding="utf-8")
        except (OSError, ValueError) as wrong:
            return f"; it could not be kept aside: {wrong}"
        return f"; it is kept in {path.name}"

    def _tell_short(self, urgent: list[str]) -> None:
        """Prices that are not the tariff's own, and sources of them that are wrong: the plan is made all the same."""
        if urgent:
            self.part.causes.add(Cause.PRICES, "; ".join(urgent))
        else:
            self.part.causes.clear(Cause.PRICES, words="the prices are the tariff's own again")

    def _fail(self, why: str) -> None:
        self.part.counts["failed"] += 1
        self.part.detail = why
        self.part.log.warning("%s", why)
        if self.plan is None or _left(self.plan) <= 0:
            self.part.causes.add(Cause.NO_PLAN, f"no plan is valid: {why}")

    async def _fill(self) -> str:
        with contextlib.suppress(TimeoutError):  # the peak that is billed already, before the first plan
            await asyncio.wait_for(self.billed.tried.wait(), FILLING)
        try:
            whole = await self.past.fill(self.history, utc_now(), FILLING)
        except (SQLAlchemyError, OSError) as wrong:
            self.part.log.warning("the archive cannot be read: %s", wrong)
            return "; without the archive"
        return "" if whole else "; still reading the past"


def _left(plan: Plan) -> float:
    """Seconds it is valid."""
    return (plan.until - utc_now()).total_seconds()


def _think(situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float) -> Thought:
    from consumers.optimize.think import think  # noqa: PLC0415  # loads the solver: 1 to 3 s, in the planning thread

    return think(situation, past, series, now, mono)
