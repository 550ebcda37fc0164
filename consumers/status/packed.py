"""The stream of the page, packed: a state with 300 alarms is half a megabyte, each second, to a phone at the site.

What one viewer gets is packed once for all: a block of the stream begins without a word of those before it.
"""

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEVEL = 1
"""A tenth of the bytes; the levels above need more time than they save."""
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Of a gzip stream without a name and a time."""
LAST_BLOCK = b"\x03\x00"


class Packed:
    """Around the app; packs the events for who can unpack them."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app, self.path = app, path
        self._last = b"", b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self.path and _unpacks(Headers(scope=scope)):
            send = self._packing(send)
        await self.app(scope, receive, send)

    def _packing(self, send: Send) -> Send:
        check = size = 0
        head = HEAD

        async def packing(message: Message) -> None:
            nonlocal check, size, head
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-encoding"] = "gzip"
                headers.add_vary_header("accept-encoding")
            elif message["type"] == "http.response.body":
                body = message.get("body", b"")
                check, size = zlib.crc32(body, check), (size + len(body)) % 2**32
                packed = head + (self._block(body) if body else b"")
                head = b""
                if not message.get("more_body"):
                    packed += LAST_BLOCK + check.to_bytes(4, "little") + size.to_bytes(4, "little")
                message = {**message, "body": packed}
            await send(message)

        return packing

    def _block(self, body: bytes) -> bytes:
        if body != self._last[0]:
            packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._last = body, packer.compress(body) + packer.flush(zlib.Z_FULL_FLUSH)
        return self._last[1]


def _unpacks(headers: Headers) -> bool:
    offers = (one.partition(";") for one in headers.get("accept-encoding", "").split(","))
    return any(name.strip() == "gzip" and rest.replace(" ", "") != "q=0" for name, _, rest in offers)
