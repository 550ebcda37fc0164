"""The curves of the page that plans tell: of what was, the plan that held then; of what comes, the newest. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from consumers.status.series import Column, Span
from optimizer.tariff import prices, quotes
from schemas.messages import Plan, Step
from schemas.site import Site

PLANNED = ("plan_grid", "plan_pv", "plan_battery", "plan_load", "plan_soc", "price_import", "price_export")
SLOT = 900
"""Seconds: of a quarter of an hour the plan is shown that held when it began, as the archive compares it."""


class Foreseen:
    """A column for each name of PLANNED; intervals that no plan tells of are gaps."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._numbers = {at: number for number, at in enumerate(span.instants)}
        self._told: set[datetime] = set()
        self.columns: dict[str, Column] = {name: [None] * len(self._numbers) for name in PLANNED}

    def slots(self, until: datetime) -> dict[datetime, list[datetime]]:
        """The intervals up to a moment, by the slot that holds them."""
        found: dict[datetime, list[datetime]] = {}
        for at in self._numbers:
            if at <= until:
                found.setdefault(datetime.fromtimestamp(at.timestamp() // self.lasts * self.lasts, UTC), []).append(at)
        return found

    @property
    def lasts(self) -> int:
        """Seconds of a slot."""
        return max(SLOT, self.span.seconds)

    def tell(self, plan: Plan, instants: Iterable[datetime]) -> None:
        """What a plan says of these intervals, in the place of what another said."""
        for at in instants:
            self._told.add(at)
            for name, value in zip(PLANNED, _row(plan.steps, at, self.span.seconds), strict=True):
                self.columns[name][self._numbers[at]] = value

    def tell_held(self, plan: Plan, instants: Iterable[datetime]) -> None:
        """Of one that held then: nothing from its end on, where none came in its place."""
        self.tell(plan, [at for at in instants if at < plan.until])

    def tell_newest(self, plan: Plan, now: datetime) -> None:
        """It holds from when it was made, and for the interval it was made in where none was there before. Of what
        comes it tells all that it knows; of what was, as long as it was valid."""
        width = timedelta(seconds=self.span.seconds)
        mine = [at for at in self._numbers if at >= plan.at or (at + width > plan.at and at not in self._told)]
        self.tell(plan, [at for at in mine if at < plan.until or at + width > now])

    def price(self, site: Site) -> None:
        """By the tariff, where no plan tells the price: where that needs no market it knows each instant."""
        if site.tariff_fault or site.prices.markets:
            return
        instants, tariff = list(self._numbers), site.prices
        sides = {
            "price_import": prices(tariff.import_, instants, site.zone),
            "price_export": [one.price for one in quotes(tariff.export, instants, site.zone, way="export")],
        }
        for name, known in sides.items():
            told = self.columns[name]
            told[:] = [by_tariff if one is None else one for one, by_tariff in zip(told, known, strict=True)]

    def planned_since(self) -> datetime | None:
        """The first interval that a plan tells of."""
        return next(
            (at for at, one in zip(self._numbers, self.columns["plan_grid"], strict=True) if one is not None), None
        )


def _row(steps: Sequence[Step], at: datetime, seconds: int) -> Column:
    """The means of what a plan says of an interval, as far as it does. SoC stands at a step's end: only an interval in
    which a step ends has a value, the chart connects them."""
    end = at + timedelta(seconds=seconds)
    told = [step for step in steps if step.at < end and _end(step) > at]
    if not told:
        return [None] * len(PLANNED)
    shares = [(min(end, _end(step)) - max(at, step.at)).total_seconds() for step in told]
    grid, pv, power, load, buy, sell = (_mean(told, shares, name) for name in _NAMES)
    soc = next((step.soc for step in reversed(told) if _end(step) <= end), None)
    return [grid, pv, power, load, soc, buy, sell]


_NAMES = ("grid", "pv", "power", "load", "price_import", "price_export")


def _mean(steps: Sequence[Step], shares: Sequence[float], name: str) -> float:
    if len(steps) == 1:
        return float(getattr(steps[0], name))
    return float(sum(share * getattr(step, name) for step, share in zip(steps, shares, strict=True)) / sum(shares))


def _end(step: Step) -> datetime:
    return step.at + timedelta(seconds=step.seconds)
