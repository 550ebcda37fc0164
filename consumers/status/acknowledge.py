"""The page behind the link in a message: it shows one alarm, and its button acknowledges it as who got the message.

The link itself is the right to do so, once, for one raise of one alarm. Opening it never acknowledges: programs that
look through mail open every link.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Protocol
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from consumers.status.state import State
from runtime.ack_link import BadLink, Claim, read_token
from schemas.messages import Alarm, AlarmRequest, AlarmState, RequestOutcome
from schemas.topics import ALARM_REQUEST, M, Topic
from schemas.units import utc_now

ASKS = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.LATCHED_UNACKNOWLEDGED)
"""Those that can be acknowledged."""
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
        self._used: dict[Claim, float] = {}
        """By whom something was asked; until it expires."""
        self._templates = Jinja2Templates(directory=Path(__file__).parent)

    def mount(self, app: FastAPI) -> None:
        @app.get("/ack/{token}", response_class=HTMLResponse)
        async def show(request: Request, token: str) -> HTMLResponse:
            try:
                claim, alarm = self._judge(token)
            except _Refused as refused:
                return self._page(request, refused.status, words=str(refused))
            return self._page(request, 200, claim=claim, alarm=alarm)

        @app.post("/ack/{token}", response_class=HTMLResponse)
        async def acknowledge(request: Request, token: str) -> HTMLResponse:
            try:
                claim, _ = self._judge(token)
            except _Refused as refused:
                return self._page(request, refused.status, words=str(refused))
            return self._page(request, *await self._ask(claim))

    def _judge(self, token: str) -> tuple[Claim, Alarm]:
        """What a link is for, now. Raises _Refused."""
        now = utc_now()
        try:
            claim = read_token(token, self._key, self.site.site, now)
        except BadLink as bad:
            raise _Refused(403, str(bad)) from None
        if not self.state.broker:
            raise _Refused(503, "this page has no connection to the broker now: try again, or call the site")
        self._used = {one: until for one, until in self._used.items() if time.monotonic() < until}
        if claim in self._used:
            raise _Refused(409, "this link was used")
        words, alarm = stale(claim, self.state.alarms, self.site.zone)
        if alarm is None:
            raise _Refused(409, words)
        return claim, alarm

    async def _ask(self, claim: Claim) -> tuple[int, str]:
        """Acknowledge, and say what became of it."""
        left = (claim.until - utc_now()).total_seconds()
        self._used[claim] = time.monotonic() + left
        wish = AlarmRequest(
            id=f"link-{token_hex(6)}", at=utc_now(), action="ack", who=claim.person, why="by the link of a message"
        )
        try:
            await self._publish(ALARM_REQUEST, wish, site=self.site.site, alarm=claim.alarm)
            outcome = await self._outcome(wish.id or "")
        except Exception:
            del self._used[claim]  # it did not get there
            raise
        if outcome is None:
            del self._used[claim]  # who answers nothing may not have heard it: the link is good for another try
            return (
                202,
                f"{claim.person} asked for it; the alarm service has not answered yet: look at the page",
            )
        if not outcome.followed:
            return 409, outcome.reason
        return 200, f"acknowledged by {claim.person}"

    async def _outcome(self, name: str) -> RequestOutcome | None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if said := self.state.answers.get(name):
                return said.word
            await asyncio.sleep(0.05)
        return None

    def _page(
        self, request: Request, status: int, words: str = "", *, claim: Claim | None = None, alarm: Alarm | None = None
    ) -> HTMLResponse:
        since = "" if alarm is None else _clock(alarm.since, self.site.zone)
        told = {"site": self.site, "words": words, "claim": claim, "alarm": alarm, "since": since, "good": status < 300}
        return self._templates.TemplateResponse(request, "acknowledge.html", told, status, HEADERS)


class _Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


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
