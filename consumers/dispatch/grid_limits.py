"""What limits the grid connection, authority by authority. Pure: both clocks are arguments; a file keeps it.

Nobody overwrites another: of each authority, direction and scope the last word holds, and of all the narrowest. A
signal that is not known keeps its last limit, then the safe one; a protection's the narrower of both. What was limited
once is never free by silence, where the site file says what is safe.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from consumers.dispatch.requests import REMEMBERED, TOLERANCE, Refusal
from optimizer.grid_bounds import Bounds, awaited, bounds, in_words, safe, said_anew, whole
from schemas.messages import Authority, Cause, ControlLimits, Direction, GridLimitRequest, HeldLimit, Scope
from schemas.site import Site
from schemas.units import Instant, Percent, Watts

SIGNAL = 10.0
"""Seconds a device's point says what holds, after it was read."""
Via = Literal["asked", "signal"]


class Word(BaseModel):
    """The last word of one authority for one direction and scope."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    authority: Authority
    direction: Direction
    scope: Scope
    via: Via
    source: str
    power: Watts | None = None
    percent: Percent | None = None
    at: Instant
    """When it was said."""
    since: Instant
    """When this size was said first."""
    until: Instant | None = None
    reason: str = ""

    @property
    def key(self) -> str:
        return f"{self.authority}:{self.direction}:{self.scope}:{self.via}"


class KeptLimits(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    words: list[Word] = []
    seen: list[str] = []
    unknown: list[Direction] = []
    """Of these an earlier file could not be read, and who limits them has not spoken since."""


@dataclass
class GridLimits:
    """Of one site."""

    site: Site
    words: dict[str, Word] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)
    """The ids of the last requests."""
    unknown: set[Direction] = field(default_factory=set)
    """Of these an earlier file could not be read, and who limits them has not spoken since."""

    # what is asked -------------------------------------------------------------------------------

    def hear(
        self, request: GridLimitRequest, now: datetime, *, retained: bool = False, forged: str = ""
    ) -> Refusal | None:
        """Somebody limits; gives why not, or None when it is followed."""
        if (no := self._refusal(request, now, retained=retained, forged=forged)) is not None:
            return no
        self.seen[request.id] = None
        while len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]
        self._take(
            Word(
                authority=request.authority, direction=request.direction, scope=request.scope, via="asked",
                source=request.source, power=request.power, percent=request.percent, at=request.at, since=now,
                until=request.until, reason=request.reason,
            )
        )  # fmt: skip
        return None

    def signal(self, words: Iterable[Word]) -> None:
        """What points of devices say now: of each authority, direction and scope the narrowest, in W or %."""

        def leaves(word: Word) -> float:
            return inf if word.percent == 100.0 else self.watts(word)

        for word in {one.key: one for one in sorted(words, key=leaves, reverse=True)}.values():
            self._take(word)

    def _take(self, word: Word) -> None:
        last = self.words.get(word.key)
        same = last is not None and (last.power, last.percent) == (word.power, word.percent)
        self.words[word.key] = word.model_copy(update={"since": last.since}) if last is not None and same else word
        if word.authority is awaited(self.site, word.direction):
            self.unknown.discard(word.direction)

    def _refusal(self, request: GridLimitRequest, now: datetime, *, retained: bool, forged: str) -> Refusal | None:
        late, most = (now - request.at).total_seconds(), self.site.command_sources.get(request.source)
        last = self.words.get(f"{request.authority}:{request.direction}:{request.scope}:asked")
        known = ", ".join(self.site.command_sources)
        checks = (
            (
                retained,
                Cause.RETAINED,
                "a retained limit is never followed, it may be years old: send it without retain",
            ),
            (bool(forged), Cause.SIGNATURE, forged),
            (
                most is None,
                Cause.FOREIGN_SOURCE,
                f"{request.source!r} limits nothing here; command_sources names {known}",
            ),
            (
                most is not None and request.authority.rank < most.rank,
                Cause.AUTHORITY,
                f"{request.source} may claim {most} at most, not {request.authority}",
            ),
            (
                request.id in self.seen,
                Cause.DUPLICATE,
                "this limit was followed already: give a new one an id of its own",
            ),
            (late > TOLERANCE, Cause.EXPIRED, f"the limit was sent {late:.0f} s ago"),
            (-late > TOLERANCE, Cause.CLOCK_SKEW, f"the limit comes from {-late:.0f} s ahead: check the clock"),
            (request.until is not None and request.until <= now, Cause.EXPIRED, "its end lies in the past"),
            (last is not None and request.at < last.at, Cause.OUT_OF_ORDER, "a later limit was followed already"),
        )
        return next((Refusal(cause, words) for wrong, cause, words in checks if wrong), None)

    # what holds ----------------------------------------------------------------------------------

    def held(self, now: datetime) -> list[HeldLimit]:
        """Beside the site file's own limits, the narrowest of each direction and scope first."""
        found = [one for word in self.words.values() if (one := self._of(word, now)) is not None]
        for direction in get_args(Direction):
            mine = direction, awaited(self.site, direction)
            heard = any((word.direction, word.authority) == mine for word in self.words.values())
            declared = safe(self.site, direction)
            if direction in self.unknown:
                found.append(self._declared(direction, declared or 0.0, "unreadable", now))
            elif declared is not None and not heard:
                found.append(self._declared(direction, declared, "safe", now))
        return sorted(found, key=lambda one: (one.direction, one.scope, one.power, one.authority.rank))

    def _of(self, word: Word, now: datetime) -> HeldLimit | None:
        power, declared = self.watts(word), safe(self.site, word.direction)
        said: Literal["asked", "signal", "lost", "safe"] = word.via
        if word.until is not None and now >= word.until:
            if declared is None or not said_anew(self.site, word.direction, word.authority):
                return None  # it had an end, and nobody is expected to say it anew
            said = "lost"
            if now >= word.until + timedelta(seconds=self.site.grid.dso_hold):
                # the safe one is the network operator's; a relay that is silent may be one that has tripped
                power, said = (min(power, declared) if word.authority is Authority.PROTECTION else declared), "safe"
        elif word.percent == 100.0:
            return None
        return HeldLimit(
            direction=word.direction, scope=word.scope, power=power, authority=word.authority, source=word.source,
            since=word.since, until=word.until if word.via == "asked" else None, cause=said, reason=word.reason,
        )  # fmt: skip

    @staticmethod
    def _declared(direction: Direction, power: float, cause: Literal["safe", "unreadable"], now: datetime) -> HeldLimit:
        words = {"safe": "the signal is not known", "unreadable": "what was kept of the limits cannot be read"}
        return HeldLimit(
            direction=direction, scope="connection_point", power=power, authority=Authority.DSO, source="site",
            since=now, cause=cause, reason=words[cause],
        )  # fmt: skip

    def watts(self, word: Word) -> float:
        """How much a word leaves, in W."""
        return word.power if word.power is not None else whole(self.site, word.direction) * (word.percent or 0.0) / 100

    def bounds(self, now: datetime) -> Bounds:
        """All of them together with the site file's. A limit only ever narrows."""
        return bounds(self.site.grid, self.held(now))

    def said(self, now: datetime) -> ControlLimits:
        """As everybody may read it."""
        found = self.bounds(now)
        return ControlLimits(
            at=now,
            import_limit=found.import_limit,
            export_limit=found.export_limit,
            pv_limit=None if found.pv == inf else found.pv,
            draw_limit=None if found.draw == inf else found.draw,
            held=self.held(now),
        )

    # from one run to the next --------------------------------------------------------------------

    def keep(self) -> KeptLimits:
        """What must outlive the process. A signal is kept as it was said last: after a restart it is lost just then."""
        return KeptLimits(words=[*self.words.values()], seen=[*self.seen], unknown=sorted(self.unknown))

    def essence(self) -> object:
        """What is worth a write: not that a signal still says what it said."""
        words = [(key, one.power, one.percent, one.via == "asked" and one.until) for key, one in self.words.items()]
        return words, [*self.seen], sorted(self.unknown)

    def recall(self, kept: Mapping[str, Any], now: datetime, *, damaged: bool) -> None:
        """What the last run has kept. What cannot be read is not `nothing`: what is safe holds until somebody says."""
        try:
            found = KeptLimits.model_validate_json(json.dumps(kept))
        except ValidationError:
            found, damaged = KeptLimits(), True
        lost = [one.model_copy(update={"until": now}) if one.via == "signal" else one for one in found.words]
        self.words = {word.key: word for word in lost}
        self.seen = dict.fromkeys(found.seen)
        may = {self.site.grid.safe_feed_in, self.site.grid.safe_consumption} != {None}
        may = may or any(one.rank <= Authority.DSO.rank for one in self.site.command_sources.values())
        self.unknown = {*get_args(Direction)} if damaged and may else {*found.unknown}


def essence(said: ControlLimits) -> object:
    """What is worth saying anew: not that it is said at another time, nor that a signal still is."""
    held = [(one.direction, one.scope, one.power, one.authority, one.source, one.cause, one.until) for one in said.held]
    return said.import_limit, said.export_limit, said.pv_limit, said.draw_limit, held


def changes(before: ControlLimits | None, after: ControlLimits) -> list[str]:
    """What began and what ended, in words for the log."""
    had = {} if before is None else {_name(one): one for one in before.held}
    has = {_name(one): one for one in after.held}
    begun = [f"begins: {in_words(one)}" for name, one in has.items() if name not in had]
    ended = [f"ends: {in_words(one)}" for name, one in had.items() if name not in has]
    return [*ended, *begun]


def _name(one: HeldLimit) -> tuple[object, ...]:
    return one.direction, one.scope, one.power, one.authority, one.source, one.cause
