"""Optimize at work: plans each minute, and when something asks for it; verifies, and publishes the plan."""

import asyncio
import contextlib
import time
from zlib import crc32

from consumers.optimize.billed import Billed
from consumers.optimize.filling import Filling
from consumers.optimize.hearing import Hearing
from consumers.optimize.past import Past
from consumers.optimize.price_fetcher import keep_fetching
from consumers.optimize.price_sources import PriceSources
from consumers.optimize.prices_recalled import recall_prices
from consumers.optimize.seldom import Seldom
from consumers.optimize.setbacks import Setbacks
from consumers.optimize.situation import Situation
from consumers.optimize.skill_told import tell_skill
from consumers.optimize.thinking import Planner, Thinking
from consumers.optimize.thought import Thought
from optimizer.carbon_table import CarbonFile
from optimizer.plan_words import costs
from optimizer.shortage import shortages
from runtime.bus import Bus
from runtime.database import engine
from runtime.history import History
from runtime.part import Part
from runtime.tariff_watch import readable
from schemas.messages import Cause, HeldLimit, Plan
from schemas.topics import PLAN
from schemas.troubles import Trouble
from schemas.units import utc_now

EVERY = 60.0
"""Seconds between two plans: of each site at a second of the minute of its own, so that many do not plan at once."""
FILLING, DEADLINE = 10.0, 30.0
"""Seconds for the archive and for the plan."""
NO_PLAN = "no plan"
NOT_TOLD = "what is billed by the kW is not known"


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
        self._filling = Filling(part, self.past, self.history)
        self.billed = Billed(part, self.situation, self.history)
        self.plan: Plan | None = None
        self._seldom = Seldom(part, self.situation, self.past, self.history)
        self._prices = PriceSources(part.site, part.settings.state)
        self.hearing = Hearing(part, self.situation, self.past, self._prices)
        self.occasions = self.hearing.occasions
        self._thinking, self._setbacks = Thinking(planner), Setbacks(part)
        self._carbon = CarbonFile(part.site.carbon_path)
        self._second = crc32(part.site.site.encode()) % EVERY

    async def work(self, bus: Bus) -> None:
        if self.plan is not None and (left := _left(self.plan)) >= 1:  # a broker that lost its store has lost it, too
            await bus.say(PLAN, self.plan, expiry=left, site=self.site.site)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hearing.listen(bus), name="optimize.listen")
            group.create_task(self._keep_planning(), name="optimize.plan")
            group.create_task(self.billed.tell(bus), name="optimize.billing")
            group.create_task(tell_skill(self.part, self.past.learning, bus), name="optimize.skill")

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
            group.create_task(recall_prices(self.part, self._prices, self.history.engine), name="optimize.recall")
            group.create_task(self._seldom.run(self._prices.series), name="optimize.seldom")

    async def _take_tariff(self) -> None:
        if not self.site.battery:
            self.part.detail = "no battery: nothing to plan"
        await readable(self.part, NO_PLAN if self.site.battery else NOT_TOLD)
        if self.situation.billing.fault:
            self.situation.bill()

    async def _plan_on(self) -> None:
        try:
            while True:
                if lacks := self.situation.lacks(time.monotonic()):
                    self._setbacks.lack(lacks, valid=self._valid)
                    await asyncio.sleep(1)
                    continue
                await self._once()
                await self._until_next()
        finally:
            self._filling.stop()

    async def _until_next(self) -> None:
        began, wall = time.monotonic(), time.time()
        due = EVERY - (wall - self._second) % EVERY
        while (since := time.monotonic() - began) < due:
            await asyncio.sleep(min(1.0, due - since))
            self.hearing.note_withheld()
            if why := self.occasions.due(since, utc_now(), time.monotonic()):
                self.part.counts[why] += 1
                return

    async def _once(self) -> None:
        """One plan. What goes wrong leaves the last one standing until it expires."""
        began = time.monotonic()
        try:
            if not await self._thinking.rests(DEADLINE):
                self._fail(f"no plan in {DEADLINE:.0f} s: one that was begun before is still being made")
                return
            note = await self._fill()
            await asyncio.sleep(self._prices.young(time.time()))
            thought, held, short = await self._make()
        except TimeoutError:
            self._fail(f"no plan in {DEADLINE:.0f} s")
        except Trouble as trouble:
            self._fail(str(trouble))
            self.part.causes.add(Cause.TARIFF, f"no plan: {trouble}")
        except Exception as bug:  # whatever the planner does, the last plan stands (FAULTS F35)
            self.part.log.exception("the planner failed")
            self._fail(f"the planner failed: {bug}")
        else:
            if thought.wrong:
                aside = self._setbacks.keep_aside(thought.refused)
                self._fail(f"the plan was not published: {'; '.join(thought.wrong[:3])}{aside}")
                return
            await self._take(thought.plan, held)
            self.part.lag = time.monotonic() - began
            self._tell(thought.plan, [note, *self._prices.faults.values(), *self._prices.notes, *short])

    async def _make(self) -> tuple[Thought, list[HeldLimit], list[str]]:
        """A plan of what is known now, the limits it was made for, and what is said of its prices."""
        now = utc_now()
        self.occasions.begin(time.monotonic())
        series = await asyncio.to_thread(self._prices.series, now, time.time())
        short = shortages(self.site.prices, series, now, self.site.zone)
        self._tell_short([*self._prices.faults.values(), *(one.words for one in short if one.urgent)])
        held = self.hearing.limits.held(now, time.monotonic())
        still = self.situation.still(held, self._carbon.now())  # telemetry goes on meanwhile
        thought = await self._thinking.think(DEADLINE, still, self.past.still(), series, now)
        return thought, held, [one.words for one in short]

    async def _take(self, plan: Plan, held: list[HeldLimit]) -> None:
        self._setbacks.over()
        self.plan = plan
        self.occasions.made(plan, held)
        if (left := _left(plan)) >= 1:
            await self.part.events.say(PLAN, plan, expiry=left, site=self.site.site)

    def _tell(self, plan: Plan, notes: list[str]) -> None:
        note = "; ".join([*notes, *plan.limits, *plan.shortage, *self.past.learning.notes])
        made = plan.at.astimezone(self.site.zone)
        self.part.detail = f"plan of {made:%H:%M}, {costs(plan, plan.at)}{note}"
        self.part.counts["plans"] += 1
        self.part.succeeded()

    def _tell_short(self, urgent: list[str]) -> None:
        """Prices that are not the tariff's own, and sources of them that are wrong: the plan is made all the same."""
        if urgent:
            self.part.causes.add(Cause.PRICES, "; ".join(urgent))
        else:
            self.part.causes.clear(Cause.PRICES, words="the prices are the tariff's own again")

    def _fail(self, why: str) -> None:
        self.occasions.failed()
        self._setbacks.add(why, valid=self._valid)

    @property
    def _valid(self) -> bool:
        """The last plan goes on."""
        return self.plan is not None and _left(self.plan) > 0

    async def _fill(self) -> str:
        with contextlib.suppress(TimeoutError):  # the peak that is billed already, before the first plan
            await asyncio.wait_for(self.billed.tried.wait(), FILLING)
        return await self._filling.fill(FILLING)


def _left(plan: Plan) -> float:
    """Seconds it is valid."""
    return (plan.until - utc_now()).total_seconds()
