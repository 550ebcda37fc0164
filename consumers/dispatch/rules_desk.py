"""The rules of the site at the rhythm of dispatch: what they are judged by is gathered here. Pure: both clocks are
arguments.

While a person steers (manual, local) the rules wait: their states go on, and what they propose is not followed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.battery_seen import BatterySeen
from consumers.dispatch.kept import KeptQuarter, KeptRule, KeptRules
from optimizer.rules.facts import QUARTER, Facts, Now, Quarters, day_of, quarter_of
from optimizer.rules.judge import Memory, Proposal, State, judge, kept, recalled
from optimizer.rules.wishes import NONE, Wishes, combine
from optimizer.storage import soc
from optimizer.tariff import quotes
from schemas.holidays import Holidays
from schemas.messages import Authority, ControlLimits, HeldLimit, Mode, Plan, Telemetry, Value
from schemas.site import Site
from schemas.site_rules import Quantity
from schemas.units import NAME

FRESH = 10.0
"""Seconds a reading of a fast point is believed, or 2.5 polls of a device that is read more rarely."""
SLOW = 150.0
"""The same of a slow point, which is read each minute."""
BY_PERSON = frozenset({Mode.MANUAL, Mode.LOCAL})


@dataclass
class RulesDesk:
    """Of one site."""

    site: Site
    memory: dict[str, Memory] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)
    wishes: Wishes = NONE
    """To be followed now."""
    _seen: dict[tuple[str, str], tuple[Value, float]] = field(default_factory=dict)
    _day: dict[datetime, KeptQuarter] = field(default_factory=dict)
    """Prices and forecasts by quarter of an hour, of this local day and after it."""
    _plan: Plan | None = None
    """The last one whose steps are in `_day`."""
    _own: tuple[datetime, Quarters] | None = None
    """Of a tariff that asks no market, the prices of a local day, by its first quarter."""

    def __post_init__(self) -> None:
        looks = {(one.device, str(one.point)) for rule in self.site.rules for one in rule.when if one.device}
        self._wanted = looks | {(self.site.grid.meter, "p")}

    # what is heard -------------------------------------------------------------------------------

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading in time. A point that is not good, or absent, says nothing."""
        mine = [point for name, point in self._wanted if name == device] if self.site.rules else []
        for point in mine:
            if (value := telemetry.good(point)) is not None:
                self._seen[device, point] = value, mono

    def _hear_plan(self, plan: Plan | None, now: datetime) -> None:
        """Prices and PV of its whole quarters; those that are over stay as they were told last."""
        begin = day_of(now, self.site.zone)[0]
        if any(at < begin for at in self._day):
            self._day = {at: one for at, one in self._day.items() if at >= begin}
        if plan is None or plan is self._plan:
            return
        self._plan = plan
        for step in plan.steps:
            for number in range(max(1, round(step.seconds / QUARTER.total_seconds()))):
                at = quarter_of(step.at) + number * QUARTER
                self._day[at] = KeptQuarter(at=at, buy=step.price_import, sell=step.price_export, pv=step.pv)

    # what is decided -----------------------------------------------------------------------------

    def look(self, mode: Mode, plan: Plan | None, batteries: Iterable[BatterySeen], now: datetime, mono: float) -> None:
        """Judge all rules at this moment. `plan` that holds now."""
        if not self.site.rules:
            return
        self._hear_plan(plan, now)
        facts = self._facts(mode, [*batteries], now, mono)
        judged = judge(self.site.rules, facts, Now(mono, now), self.memory)
        self.memory, self.proposals = dict(judged.memory), [*judged.proposals]
        self.wishes = NONE if mode in BY_PERSON else combine(self.proposals)

    def _facts(self, mode: Mode, batteries: list[BatterySeen], now: datetime, mono: float) -> Facts:
        points = {place: value for place, (value, when) in self._seen.items() if mono - when <= self._fresh(*place)}
        numbers = dict[Quantity, float]()
        grid = points.get((self.site.grid.meter, "p"))
        if isinstance(grid, int | float):
            numbers |= {"import": max(grid, 0.0), "export": max(-grid, 0.0)}
        if (charged := _soc(batteries, mono)) is not None:
            numbers["soc"] = charged
        days_off = Holidays() if self.site.tariff_fault else self.site.prices.days_off
        return Facts(self.site.zone, points, numbers, self._quarters(now), mode, days_off)

    def _fresh(self, device: str, point: str) -> float:
        told = self.site.profiles[device].points.get(point)
        least = SLOW if told is not None and told.rate == "slow" else FRESH
        return self.site.named(device).stale_after(least)

    def _quarters(self, now: datetime) -> Quarters:
        """By the tariff alone where it asks no market; else as the plans have told."""
        pv = {at: one.pv for at, one in self._day.items()}
        if self.site.tariff_fault or self.site.prices.markets:
            buy, sell = ({at: getattr(one, key) for at, one in self._day.items()} for key in ("buy", "sell"))
            return Quarters(buy, sell, pv)
        day, tariff, zone = day_of(now, self.site.zone), self.site.prices, self.site.zone
        if self._own is None or self._own[0] != day[0]:
            drawn, fed = quotes(tariff.import_, day, zone), quotes(tariff.export, day, zone, way="export")
            buy, sell = ({at: one.price for at, one in zip(day, side, strict=True)} for side in (drawn, fed))
            self._own = day[0], Quarters(buy, sell)
        return Quarters(self._own[1].buy, self._own[1].sell, pv)

    # what is told --------------------------------------------------------------------------------

    def narrowed(self, limits: ControlLimits, now: datetime) -> ControlLimits:
        """The limits of the grid connection with a wished limit of the feed-in, which PV keeps, too."""
        wish = self.wishes.limits.get("export_limit")
        if wish is None or wish.value >= limits.export_limit:
            return limits
        held = HeldLimit(
            direction="feed_in", scope="connection_point", power=wish.value, authority=Authority.PLAN,
            source=f"rule:{wish.rule}", since=now, cause="asked", reason=wish.words,
        )  # fmt: skip
        return limits.model_copy(update={"export_limit": wish.value, "held": [held, *limits.held]})

    @property
    def told(self) -> dict[str, str]:
        """Of each rule its state, in words; of one that is refused, why."""
        refused = {int(place.split(".")[1]): words for place, words in reversed(self.site.wrong_rules)}
        each = {_name(self.site.rule[n].name, n): f"refused: {words}" for n, words in refused.items()}
        return each | {one.rule.name: one.words for one in self.proposals}

    @property
    def holding(self) -> dict[str, datetime | None]:
        """The rules that hold, each with its own end where it has one."""
        return {name: one.ends_at for name, one in self.memory.items() if one.proposes}

    def complaints(self) -> list[str]:
        """What a person should know: rules that are refused, unknown, or contradict each other."""
        refused = dict.fromkeys(words.partition(":")[0] for _, words in self.site.wrong_rules)
        each = [f"{whose} is refused, `joulebus check` says why" for whose in refused]
        return [*each, *(one.words for one in self.proposals if one.state is State.UNKNOWN), *self.wishes.ties]

    # from one run to the next --------------------------------------------------------------------

    def keep(self, now: datetime) -> KeptRules:
        """What the next run must know."""
        each = kept(self.memory)
        lasting = {name: KeptRule(began=began, ends=ends, because=why) for name, (began, ends, why) in each.items()}
        over = [one for at, one in sorted(self._day.items()) if at + QUARTER <= now]
        return KeptRules(lasting=lasting, day=over if self.site.rules else [])

    def begin(self, stored: KeptRules, now: datetime, mono: float) -> None:
        """Go on where the last run ended."""
        each = {name: (one.began, one.ends, one.because) for name, one in stored.lasting.items()}
        self.memory = recalled(self.site.rules, each, Now(mono, now))
        self._day = {one.at: one for one in stored.day}


def _name(written: str, number: int) -> str:
    """Of a rule that is refused; where even its name is wrong, its place in the file."""
    return written if re.fullmatch(NAME, written) and len(written) <= 64 else f"rule-{number + 1}"


def _soc(batteries: list[BatterySeen], mono: float) -> float | None:
    """% of all together; None while one of them is not known."""
    socs = [one.soc for one in batteries if one.soc is not None and mono - one.bms_heard <= one.bms_fresh]
    if not socs or len(socs) != len(batteries):
        return None
    return soc([one.battery for one in batteries], socs)
