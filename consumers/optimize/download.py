"""One request over HTTP, to its end or to a clear word: bounded in time and in size, and ended from outside. Blocking.

A redirect is not followed: a token would go where nobody has looked. A document that is cut off is none.
"""

import http.client
import socket
import ssl
import time
from contextlib import suppress
from urllib.parse import urlsplit

from consumers.optimize.publishers import Request

SILENCE = 10.0
"""Seconds without a byte."""
DEADLINE = 60.0
"""Seconds for all of it."""
LARGEST = 16 * 1024 * 1024
CHUNK = 64 * 1024
HOPELESS = {
    401: "it does not accept the token: JOULEBUS_PRICE_TOKEN_FILE",
    403: "it does not accept the token: JOULEBUS_PRICE_TOKEN_FILE",
    400: "it does not understand the request: is the area right?",
    404: "there is nothing at this address",
}
SOON = {429: "it was asked too often", 503: "it is busy"}


class Refused(Exception):
    """No document. `asked`: seconds for which the server wants to be left alone; `hopeless`: a person must act."""

    def __init__(self, words: str, *, asked: float = 0.0, hopeless: bool = False) -> None:
        super().__init__(words)
        self.asked, self.hopeless = asked, hopeless


class Download:
    """`run` in a thread; `stop` from any other ends it at once."""

    def __init__(self, request: Request, silence: float = SILENCE, deadline: float = DEADLINE) -> None:
        self._request, self._deadline = request, deadline
        where = urlsplit(request.url)
        self.host = where.hostname or ""
        self._path = f"{where.path or '/'}{'?' + where.query if where.query else ''}"
        self._ends = 0.0
        self._stopped = False
        if where.scheme == "https":
            secure = ssl.create_default_context()
            self._line: http.client.HTTPConnection = http.client.HTTPSConnection(
                self.host, where.port, timeout=silence, context=secure
            )
        else:
            self._line = http.client.HTTPConnection(self.host, where.port, timeout=silence)

    def run(self) -> bytes:
        """The document as it was received. Raises Refused."""
        self._ends = time.monotonic() + self._deadline
        try:
            self._line.connect()
            self._check()
            method = "GET" if self._request.body is None else "POST"
            headers = {"User-Agent": "joulebus", "Accept-Encoding": "identity", **self._request.headers}
            self._line.request(method, self._path, self._request.body, headers)
            return self._read(self._line.getresponse())
        except (OSError, http.client.HTTPException) as wrong:
            self._check()
            raise Refused(f"{self.host}: {wrong or type(wrong).__name__}") from None
        finally:
            self._line.close()

    def stop(self) -> None:
        self._stopped = True
        line = self._line.sock
        with suppress(OSError, AttributeError):  # not connected yet, or closed meanwhile
            line.shutdown(socket.SHUT_RDWR)

    def _check(self) -> None:
        if self._stopped:
            raise Refused(f"{self.host}: it took longer than {self._deadline:.0f} s, or joulebus stops")

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        if answer.status != http.client.OK:
            hopeless = answer.status in HOPELESS
            words = HOPELESS.get(answer.status) or SOON.get(answer.status) or "no document"
            if 300 <= answer.status < 400:
                words = "it leads to another address, which is not followed"
            asked = _seconds(answer.headers.get("Retry-After", ""))
            raise Refused(f"{self.host} answers {answer.status}: {words}", asked=asked, hopeless=hopeless)
        parts, size = [], 0
        while part := answer.read1(CHUNK):
            self._check()
            size += len(part)
            if size > LARGEST or time.monotonic() > self._ends:
                raise Refused(f"{self.host}: more than {LARGEST} bytes or {self._deadline:.0f} s")
            parts.append(part)
        self._check()
        if answer.length:
            raise Refused(f"{self.host}: the document was cut off, {answer.length} bytes before its end")
        return b"".join(parts)


def _seconds(given: str) -> float:
    return float(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0.0
