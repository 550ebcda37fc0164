"""The health endpoint of a part: GET /health (200 or 503, JSON) and GET /metrics (Prometheus text).

Thirty lines of asyncio instead of a web framework: it would double the memory of a bridge.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from schemas.troubles import Trouble

Report = Callable[[], tuple[bool, dict[str, Any]]]
"""Whether the part is ready, and what it says of itself."""

Orders = Mapping[str, Callable[[], str]]
"""What a POST to a path does; only the simulator has some."""


@asynccontextmanager
async def serve_health(address: tuple[str, int], report: Report, orders: Orders | None = None) -> AsyncIterator[int]:
    """Answer while the block runs; yields the port. Raises Trouble when the port is in use."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                status, kind, body = _reply(head.split("\r\n", 1)[0], report, orders or {})
                payload = body.encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(payload)}\r\n"
                    "Connection: close\r\n\r\n".encode()
                    + payload
                )
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked is gone, slow, or does not speak HTTP
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, *address)
    except OSError as wrong:
        raise Trouble(
            f"health endpoint {address[0]}:{address[1]}: {wrong.strerror or wrong}; give another: --health HOST:PORT"
        ) from wrong
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _reply(request: str, report: Report, orders: Orders) -> tuple[str, str, str]:
    method, path, *_ = [*request.split(" "), "", ""]
    path = unquote(path)  # a colon may come as %3A
    ready, words = report()
    if method == "POST" and path in orders:
        return "200 OK", "text/plain; charset=utf-8", orders[path]()
    if method not in ("GET", "HEAD"):
        return "405 Method Not Allowed", "text/plain", "GET only\n"
    if path == "/health":
        return ("200 OK" if ready else "503 Service Unavailable"), "application/json", json.dumps(words) + "\n"
    if path == "/metrics":
        return "200 OK", "text/plain; version=0.0.4", _metrics(ready, words)
    return "404 Not Found", "text/plain", "/health or /metrics\n"


def _metrics(ready: bool, words: dict[str, Any]) -> str:
    """Numbers only, one per line; counts end in _total as Prometheus wants it."""
    label = f'{{site="{words["site"]}",service="{words["service"]}"}}'
    lines = [f"joulebus_ready{label} {int(ready)}", f"joulebus_lag_seconds{label} {words['lag']}"]
    lines += [f"joulebus_{name}_total{label} {count}" for name, count in sorted(words["counts"].items())]
    return "\n".join(lines) + "\n"
