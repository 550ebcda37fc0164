"""The page behind the link in a message: it shows what it is for, and its button acknowledges as who got the message.

The link itself is the right to do so, once, for one raise of each alarm. Opening it never acknowledges: programs that
look through mail open every link.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Protocol
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from consumers.status.state import State
from runtime.ack_link import ASKS, BadLink, Claim, ListClaim, is_list, mark, read_list_token, read_token
from runtime.alarm_words import RANK
from schemas.messages import Alarm, AlarmRequest, RequestOutcome
from schemas.topics import ALARM_REQUEST, M, Topic
from schemas.units import utc_now

PATIENCE = 5.0
"""Seconds to hear what became of it."""
HEADERS = {"cache-control": "no-store"}


class Publish(Protocol):
    """Says something at the broker; raises an error that the page answers with 503."""

    async def __call__(self, topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None: ...


class Links:
    """The addresses /ack/... of a site. `state` is what the page knows of it."""

    def __init__(self, state: State, key: str, publish: Publish) -> None:
        self.state, self._key, self._publish = state, key, publish
        self.site = state.site
        self._used: dict[Claim | ListClaim, float] = {}
        """By whom something was asked; until it expires."""
        self._templates = Jinja2Templates(directory=Path(__file__).parent)

    def mount(self, app: FastAPI) -> None:
        @app.get("/ack/{token}", response_class=HTMLResponse)
        async def show(request: Request, token: str) -> HTMLResponse:
            try:
                claim, alarms = self._judge(token)
            except _Refused as refused:
                return self._page(request, refused.status, words=str(refused))
            return self._page(request, 200, claim=claim, alarms=alarms)

        @app.post("/ack/{token}", response_class=HTMLResponse)
        async def acknowledge(request: Request, token: str) -> HTMLResponse:
            try:
                claim, alarms = self._judge(token)
            except _Refused as refused:
                return self._page(request, refused.status, words=str(refused))
            return self._page(request, *await self._ask(claim, alarms))

    def _judge(self, token: str) -> tuple[Claim | ListClaim, dict[str, Alarm]]:
        """What a link is for, now. Raises _Refused."""
        now, site = utc_now(), self.site.site
        read: Callable[[str, str, str, datetime], Claim | ListClaim] = read_list_token if is_list(token) else read_token
        try:
            claim = read(token, self._key, site, now)
        except BadLink as bad:
            raise _Refused(403, str(bad)) from None
        if not self.state.broker:
            raise _Refused(503, "this page has no connection to the broker now: try again, or call the site")
        self._used = {one: until for one, until in self._used.items() if time.monotonic() < until}
        if claim in self._used:
            raise _Refused(409, "this link was used")
        if isinstance(claim, ListClaim):
            found = listed(claim, self.state.alarms, site)
            words = (
                "none of the alarms of this message waits for it any more: they are over, acknowledged or raised anew"
            )
        else:
            words, alarm = stale(claim, self.state.alarms, self.site.zone)
            found = {} if alarm is None else {claim.alarm: alarm}
        if not found:
            raise _Refused(409, words)
        return claim, found

    async def _ask(self, claim: Claim | ListClaim, alarms: Mapping[str, Alarm]) -> tuple[int, str]:
        """Acknowledge, and say what became of it."""
        left = (claim.until - utc_now()).total_seconds()
        self._used[claim] = time.monotonic() + left
        try:
            asked = [await self._say(name, one.since, claim.person) for name, one in alarms.items()]
            outcomes = await asyncio.gather(*(self._outcome(one) for one in asked))
        except Exception:
            del self._used[claim]  # it did not get there
            raise
        if any(one is None or not one.followed for one in outcomes):
            # who answers nothing may not have heard it, and what is refused waits: the link is good for another try
            del self._used[claim]
        return _became(claim.person, dict(zip(alarms, outcomes, strict=True)))

    async def _say(self, name: str, since: datetime, person: str) -> str:
        """The id of the request, which is for this raise alone: one that comes in this moment is another."""
        one, why = f"link-{token_hex(6)}", "by the link of a message"
        wish = AlarmRequest(id=one, at=utc_now(), action="ack", who=person, why=why, since=since)
        await self._publish(ALARM_REQUEST, wish, site=self.site.site, alarm=name)
        return one

    async def _outcome(self, name: str) -> RequestOutcome | None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if said := self.state.answers.get(name):
                return said.word
            await asyncio.sleep(0.05)
        return None

    def _page(
        self,
        request: Request,
        status: int,
        words: str = "",
        *,
        claim: Claim | ListClaim | None = None,
        alarms: Mapping[str, Alarm] | None = None,
    ) -> HTMLResponse:
        shown = [(one, _clock(one.since, self.site.zone)) for one in (alarms or {}).values()]
        gone = len(claim.marks) - len(shown) if isinstance(claim, ListClaim) else 0
        told = {"site": self.site, "words": words, "claim": claim, "alarms": shown, "gone": gone, "good": status < 300}
        return self._templates.TemplateResponse(request, "acknowledge.html", told, status, HEADERS)


def _became(person: str, outcomes: Mapping[str, RequestOutcome | None]) -> tuple[int, str]:
    """Of all that were asked for: a status, and words."""
    refused = {name: one.reason for name, one in outcomes.items() if one is not None and not one.followed}
    silent = [name for name, one in outcomes.items() if one is None]
    done = len(outcomes) - len(refused) - len(silent)
    if len(outcomes) == 1:
        if silent:
            return 202, f"{person} asked for it; the alarm service has not answered yet: look at the page"
        return (409, next(iter(refused.values()))) if refused else (200, f"acknowledged by {person}")
    words = [f"{done} of {len(outcomes)} acknowledged by {person}"]
    words += [f"{name} was refused: {why}" for name, why in refused.items()]
    if silent:
        words.append(f"of {', '.join(silent)} the alarm service has not answered yet: look at the page")
    return 202 if silent else 200 if done else 409, "; ".join(words)


class _Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def listed(claim: ListClaim, alarms: Mapping[str, Alarm], site: str) -> dict[str, Alarm]:
    """Those of the list that are still of the same raise and not acknowledged, the gravest first."""
    marks = {*claim.marks}
    found = {
        name: one for name, one in alarms.items() if one.state in ASKS and mark(site, name, one.since) in marks
    }  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: (RANK.index(item[1].priority), item[0])))


def stale(claim: Claim, alarms: Mapping[str, Alarm], zone: ZoneInfo) -> tuple[str, Alarm | None]:
    """The alarm that a link is for; without one, why there is nothing to acknowledge."""
    alarm = alarms.get(claim.alarm)
    if alarm is None:
        return "this alarm is over: there is nothing to acknowledge", None
    if alarm.since != claim.since:
        words = f"this alarm was raised anew, {_clock(alarm.since, zone)}, after the message with this link"
        return f"{words}: use the link of the newest one, or the page", None
    if alarm.state not in ASKS:
        by = f" by {alarm.by}" if alarm.by else ""
        return f"this alarm is {str(alarm.state).replace('_', ' ')}{by}: there is nothing to acknowledge", None
    return "", alarm


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %d %b %H:%M:%S %Z}"
