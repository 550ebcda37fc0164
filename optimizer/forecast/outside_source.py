"""One outside forecast over the last days: what was heard of it, what it counts for, and what it tells now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np

from optimizer.forecast.ahead import Ahead, Bands
from optimizer.forecast.local_days import Numbers, quarter
from optimizer.forecast.outside import (
    JUDGED,
    NO_WEIGHTS,
    STALE,
    Gains,
    Issue,
    Proof,
    as_pv,
    blend,
    gains,
    latest,
    prove,
)
from optimizer.forecast.outside_formats import Told
from optimizer.forecast.skill import HOURS
from optimizer.record import Record, Vector
from schemas.forecast_skill import LeadSkill

UNPROVEN = Proof(NO_WEIGHTS, "not proven yet")
KEPT = 196
"""Quarters that are kept of what was heard: no plan looks further."""


@dataclass(frozen=True)
class Source:
    """Of one name of the site file."""

    name: str
    of: Literal["load", "pv"]
    issues: tuple[Issue, ...] = ()
    """Oldest first, one a quarter, in W or W/m2 as they were told."""
    proof: Proof = UNPROVEN
    gains: Gains | None = None
    """Of radiation."""

    def hearing(self, issue: Issue) -> "Source":
        """With another one; the last of a quarter holds, and one in another unit begins anew."""
        told, skipped = issue.told, max(0, issue.heard - issue.told.first)
        short = Told(told.first + skipped, told.values[skipped : skipped + KEPT], told.unit)
        kept = {
            one.heard: one
            for one in self.issues
            if one.told.unit == told.unit and one.heard > issue.heard - JUDGED - KEPT
        }
        kept[issue.heard] = Issue(issue.heard, short)
        return replace(self, issues=tuple(kept[heard] for heard in sorted(kept)))

    def proven(self, now: int, record: Record, skills: Sequence[LeadSkill]) -> "Source":
        """What it counts for by what came; `skills` are those of our own forecasts."""
        first = quarter(record.start)
        came = record.load if self.of == "load" else record.pv
        skipped = max(0, len(came) - 2 * JUDGED)
        came, first = came[skipped:], first + skipped
        known = gains(self.issues, first, came) if self._radiates else None
        if self._radiates and known is None:
            return replace(self, gains=None, proof=Proof(NO_WEIGHTS, "not proven yet: too little sun was compared"))
        issues = self.issues if known is None else [as_pv(one, known) for one in self.issues]
        own = {one.from_hours: one.rmse for one in skills if one.of == self.of and one.source == "own"}
        proof = prove(issues, now, first, came, [own.get(begin) for begin, _ in HOURS])
        return replace(self, gains=known, proof=proof)

    def told(self, targets: Numbers, now: int) -> Vector:
        """W by quarter, by the last word of each; nan where it tells nothing that is not stale."""
        issues: Sequence[Issue] = [one for one in self.issues if now - one.heard <= STALE]
        if self._radiates:
            issues = [] if self.gains is None else [as_pv(one, self.gains) for one in issues]
        return latest(issues, targets, 0)

    @property
    def _radiates(self) -> bool:
        return bool(self.issues) and self.issues[-1].told.unit == "W/m2"


def blended(ahead: Ahead, starts: Sequence[datetime], sources: Sequence[Source]) -> Ahead:
    """Our own forecast with those from outside. The spread stays our own: how wrong the blend is, is proven by nobody,
    and it is seldom more wrong than ours."""
    targets = np.array([quarter(at) for at in starts])
    now = int(targets[0])
    load, pv = (
        np.maximum(
            blend(own, targets - now, [(one.told(targets, now), one.proof) for one in sources if one.of == of]), 0
        )
        for of, own in (("load", ahead.load), ("pv", ahead.pv))
    )
    bands = ahead.quantiles
    more, sun = load - ahead.load, pv - ahead.pv
    moved = Bands(np.maximum(bands.load + more, 0), np.maximum(bands.pv + sun, 0), bands.net + more - sun)
    return replace(ahead, load=load, pv=pv, quantiles=moved)
