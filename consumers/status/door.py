"""The door of the page: who may act, how much and how often, decided before a body is parsed.

A lockout never waits: neither for wrong tokens of others nor behind a program that asks too often. It needs the right
to act all the same.
"""

import asyncio
import hmac
import logging
import math
import time
from collections import Counter, deque
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.status.guesses import Guesses
from consumers.status.wishes import is_lockout
from schemas.printable import printable

LARGEST = 64_000
"""Bytes of a body; an action has some hundred."""
SLOWEST = 10.0
"""Seconds a body may take to arrive."""
OFTEN, WITHIN = 30, 10.0
"""Actions at most in so many seconds: a person does not click faster."""

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
LINKED = "/ack/"
"""How the addresses begin that are signed themselves."""
PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
"""Headers of proxies: who sent it is not who talks to us."""

Refusal = tuple[int, str]
"""A status of HTTP, and why."""

log = logging.getLogger("status")


class Door:
    """Reading is free; acting needs the token, or without one a browser on this machine that shows this page."""

    def __init__(
        self,
        app: ASGIApp,
        token: str | None = None,
        counts: Counter[str] | None = None,
        engineer_token: str | None = None,
    ) -> None:
        self.app = app
        self.token = None if token is None else _digest(token)
        self.engineer = None if engineer_token is None else _digest(engineer_token)
        self.guesses = Guesses()
        self.recent: deque[float] = deque(maxlen=OFTEN)
        self.counts = Counter[str]() if counts is None else counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send, request = _with_headers(send), Request(scope)
        linked = request.url.path.startswith(LINKED)
        no = None if linked else self._rebound(request)
        if no is None and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            no, body = await (self._read_linked if linked else self._let_in)(request, receive)
            receive = _again(body, receive)
        if no is None:
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"detail": no[1]}, no[0], headers={"connection": "close"})(scope, receive, send)

    async def _let_in(self, request: Request, receive: Receive) -> tuple[Refusal | None, bytes]:
        """Who wants to act: refused, or the body of the request."""
        right, wait = self._token_is_right(request), self._wait(request)
        no = self._foreign(request) or self._from_elsewhere(request) or _too_large(request)
        if no is None and not right and not wait:
            no = 401, "this needs the page's token: Authorization: Bearer ..."
        if no is not None:
            return no, b""
        body = await _read(receive)  # also of a wrong token that must wait: it looks like a right one that must wait
        if isinstance(body, tuple):
            return body, b""
        if right and is_lockout(request.url.path, body):
            return None, body
        if wait:
            return (429, f"too many wrong tokens: wait for {math.ceil(wait)} s; only a lockout is taken now"), b""
        return self._too_often(), body

    async def _read_linked(self, request: Request, receive: Receive) -> tuple[Refusal | None, bytes]:
        """The address is the right to act, whoever opens it from wherever: what is behind it looks at its signature."""
        if no := _too_large(request):
            return no, b""
        body = await _read(receive)
        return (body, b"") if isinstance(body, tuple) else (None, body)

    # who ---------------------------------------------------------------------------------------

    def _token_is_right(self, request: Request) -> bool:
        """Takes the same time whatever the token is. `request.state.engineer` then says what it is good for: without
        tokens whoever may act may do all."""
        request.state.engineer = self.token is None
        if self.token is None:
            return True
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        found = _digest(given)
        engineer = hmac.compare_digest(found, self.engineer or b"")
        right = kind.lower() == "bearer" and (hmac.compare_digest(found, self.token) | engineer)
        request.state.engineer = engineer
        source, now = _source(request), time.monotonic()
        looked_at = not self.guesses.wait(source, now)  # else it teaches nobody anything
        if right and looked_at:
            self.guesses.right(source, now)
        elif not right and given:
            self.counts["wrong_tokens"] += 1
            if looked_at and self.guesses.wrong(source, now):
                log.warning("a wrong token for the page from %s", printable(source, 60))
        return right

    def _wait(self, request: Request) -> float:
        return 0.0 if self.token is None else self.guesses.wait(_source(request), time.monotonic())

    def _from_elsewhere(self, request: Request) -> Refusal | None:
        """Without a token only this machine acts, and the header shows that it is our page that does."""
        if self.token is not None:
            return None
        passed_on = any(name in request.headers for name in PASSED_ON)
        if passed_on or not (_is_here(_source(request)) and _is_here(_host(request))):
            return 403, "without JOULEBUS_PAGE_TOKEN actions are allowed only on the machine itself"
        if request.headers.get("x-joulebus") != "page":
            return 403, "the header X-Joulebus: page is missing"
        return None

    def _foreign(self, request: Request) -> Refusal | None:
        """Another site's page can reach this port through the browser of an operator; the browser says so.

        A proxy may have changed the host; then it is enough that the browser calls it the same origin, where a token
        is asked for as well.
        """
        said, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = origin is None or origin.partition("://")[2].lower() == request.headers.get("host", "").lower()
        if said is not None:
            ours = said == "same-origin" and (ours or self.token is not None)
        return None if ours else (403, "another site's page may not act here")

    def _rebound(self, request: Request) -> Refusal | None:
        """A page that has pointed its own name to this machine (DNS rebinding) shows by that name."""
        server = request.scope.get("server") or ("",)
        if self.token is None and _is_here(server[0]) and not _is_here(_host(request)):
            return 403, "this page is served for this machine alone: open it as 127.0.0.1 or localhost"
        return None

    # how often ---------------------------------------------------------------------------------

    def _too_often(self) -> Refusal | None:
        now = time.monotonic()
        if len(self.recent) == OFTEN and now - self.recent[0] < WITHIN:
            return 429, f"more than {OFTEN} actions in {WITHIN:.0f} s; only a lockout is taken now"
        self.recent.append(now)
        return None


def _digest(text: str) -> bytes:
    """Of one length, so that a comparison tells nothing of the length either."""
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _too_large(request: Request) -> tuple[int, str] | None:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > LARGEST:
        return 413, f"a body has at most {LARGEST} bytes"
    return None


def _host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _read(receive: Receive) -> bytes | Refusal:
    """The body, or a refusal as soon as it is too large (chunked ones do not say their length) or takes too long."""
    body = b""
    try:
        async with asyncio.timeout(SLOWEST):
            while True:
                message = await receive()
                body += bytes(message.get("body", b""))
                if len(body) > LARGEST:
                    return 413, f"a body has at most {LARGEST} bytes"
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return body
    except TimeoutError:
        return 408, f"the body did not come in {SLOWEST:.0f} s"


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already to whoever reads next."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("cache-control", "no-cache")
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
