"""The door of the page: who may act, how much and how often, decided before a body is read or parsed."""

import hmac
import time
from collections import deque
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 64_000
"""Bytes of a body; an action has some hundred."""
OFTEN, WITHIN = 30, 10.0
"""Actions at most in so many seconds: a person does not click faster."""

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Door:
    """Reading is free; acting needs the token, or without one a browser on this machine that shows this page."""

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app = app
        self.token = token
        self.recent: deque[float] = deque(maxlen=OFTEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = _with_headers(send)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._refusal(request) or _too_large(request) or self._too_often()
        body = await _read(receive) if refusal is None else None
        if body is None:
            status, why = refusal or (413, f"a body has at most {LARGEST} bytes")
            await JSONResponse({"detail": why}, status, headers={"connection": "close"})(scope, receive, send)
            return
        await self.app(scope, _again(body, receive), send)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        if self.token is not None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return 401, "this needs the page's token: Authorization: Bearer ..."
            return None
        # Another site's page can reach this port through the browser: it cannot send this header, nor, when it
        # has pointed its own name to this machine (DNS rebinding), this host.
        if not (_is_here(request.client.host if request.client else "") and _is_here(_host(request))):
            return 403, "without JOULEBUS_PAGE_TOKEN actions are allowed only on the machine itself"
        if request.headers.get("x-joulebus") != "page":
            return 403, "the header X-Joulebus: page is missing"
        return None

    def _too_often(self) -> tuple[int, str] | None:
        now = time.monotonic()
        if len(self.recent) == OFTEN and now - self.recent[0] < WITHIN:
            return 429, f"more than {OFTEN} actions in {WITHIN:.0f} s"
        self.recent.append(now)
        return None


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


async def _read(receive: Receive) -> bytes | None:
    """The body, or None as soon as it is too large: chunked ones do not say their length."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return body


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
