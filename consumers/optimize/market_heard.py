"""Market prices as they were said on the topic: what is followed, and why another was not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import get_args

from optimizer.published import Published, Row, join
from optimizer.tariff import Way
from schemas.messages import MarketPrices, PriceBlock

AHEAD = timedelta(seconds=60)
"""A message from later than this comes from a clock that goes wrong."""
OLDEST = timedelta(hours=48)
"""A message of an older day says nothing of this one: a broker may keep one for years."""

REMEMBERED = timedelta(days=30)
"""So far back a price may be borrowed from, or learned from: four weeks before the last that is known."""


def _nothing() -> dict[Way, Sequence[Row]]:
    return {"import": [], "export": []}


@dataclass
class MarketHeard:
    """Of one site, whose tariff counts in `currency`."""

    currency: str
    said: MarketPrices | None = None
    _kept: dict[Way, Sequence[Row]] = field(default_factory=_nothing)

    def hear(self, said: MarketPrices | None, now: datetime, *, fault: str = "", forged: str = "") -> str:
        """The next word; gives why it is not followed, or nothing. An empty one, without a fault, takes all back."""
        if said is None:
            if not fault:
                self.said, self._kept = None, _nothing()
            return fault
        last = self.said
        if said == last:
            return ""
        checks = (
            (bool(forged), forged),
            (said.at > now + AHEAD, f"they come from {(said.at - now).total_seconds():.0f} s ahead: check the clock"),
            (now - said.at > OLDEST, f"they were said at {said.at:%Y-%m-%d %H:%M}Z, more than 48 h ago"),
            (said.until is not None and said.until <= now, "their `until` lies in the past"),
            (_end(said) <= now, f"their last price ended at {_end(said):%Y-%m-%d %H:%M}Z"),
            (said.currency != self.currency, f"they are in {said.currency} and the tariff in {self.currency}"),
            (last is not None and said.at < last.at, "later ones were followed already"),
            (
                last is not None and (said.at == last.at or said.id == last.id),
                "they contradict those of the same time or id: say anew with a later `at` and another id",
            ),
        )
        if why := next((words for wrong, words in checks if wrong), ""):
            return why
        self._keep(said, now)
        return ""

    def rows(self, way: Way, now: datetime) -> Sequence[Row]:
        """The prices of one side per kWh; none where there are none, or no longer."""
        said = self.said
        if said is None or (said.until is not None and said.until <= now):
            return []
        return self._kept[way]

    def used(self, way: Way) -> Sequence[Row]:
        """Those that plans were made with, also when they are used no more: what was drawn then costs that."""
        until = self.said.until if self.said else None
        return [row for row in self._kept[way] if until is None or row.start < until]

    def recall(self, before: "MarketHeard", now: datetime) -> None:
        """What was followed before a restart, as far as it is over: prices beyond the known are learned from it."""
        for way in get_args(Way):
            over = [row for row in before.used(way) if row.end is not None and now - REMEMBERED < row.end <= now]
            self._kept[way] = join([Published.of(one) for one in (over, self._kept[way])]).rows

    def _keep(self, said: MarketPrices, now: datetime) -> None:
        """What was said before stays where this says nothing: of days before, hours are told."""
        blocks = {"import": said.prices, "export": said.prices if said.export is None else said.export}
        for way in get_args(Way):
            fresh = [row for block in sorted(blocks[way], key=lambda one: one.start) for row in _rows(block)]
            before = [row for row in self._kept[way] if row.end is not None and row.end > now - REMEMBERED]
            self._kept[way] = join([Published.of(one) for one in (before, fresh)]).rows
        self.said = said


def _rows(block: PriceBlock) -> Sequence[Row]:
    step = timedelta(minutes=block.minutes)
    starts = [block.start + index * step for index in range(len(block.per_mwh))]
    return [Row(0, start, price / 1000, start + step) for start, price in zip(starts, block.per_mwh, strict=True)]


def _end(said: MarketPrices) -> datetime:
    return max(block.end for block in [*said.prices, *(said.export or [])])
