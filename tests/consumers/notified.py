"""The people of the tests: their [notify] of a site file, and a mail server and a webhook's server that keep what they
were sent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP

from schemas.messages import Alarm, AlarmPriority, AlarmState
from schemas.units import utc_now

KEY = "0f" * 16
"""Signs the links of messages."""


def notify_table(channels: Mapping[str, str], people: Mapping[str, str], step: str, more: str = "") -> str:
    """[notify] of a site file: channels with the line of their address, people with their channels, one chain."""
    told = [f'[[notify.channel]]\nname = "{name}"\n{address}' for name, address in channels.items()]
    told += [f'[[notify.person]]\nname = "{name}"\nchannels = [{where}]' for name, where in people.items()]
    chain = f'[[notify.chain]]\nname = "all"\nstep = [{step}]\n'
    return "\n".join(["\n[notify]", *(one.rstrip() for one in told), *([more] if more else []), chain])


def alarm(**more: Any) -> Alarm:
    """One that was just raised."""
    now = utc_now()
    plain: dict[str, Any] = {
        "at": now, "since": now, "state": AlarmState.UNACKNOWLEDGED, "priority": AlarmPriority.HIGH, "device": "bms1",
        "point": "cell_t_max", "text": "Too hot.", "cause": "the battery is too hot", "response": "Stop it.",
        "consequence": "It ages.", "value": 56.0, "limit": 55.0, "unit": "degC",
    }  # fmt: skip
    return Alarm(**plain | more)


@dataclass
class Mailbox:
    """A mail server of this machine."""

    port: int = 0
    mails: list[tuple[list[str], str]] = field(default_factory=list)
    """To whom, and the whole mail."""

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd calls it so
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 kept"


@contextlib.asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="mail.example"), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Hook:
    """A server for webhooks."""

    port: int = 0
    status: int = 200
    hangs: float = 0.0
    """Seconds until it answers."""
    calls: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """Headers, in small letters, and the JSON."""
    refused: int = 0
    taken: int = 0
    """Also of what it has not answered yet."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.taken += 1
            await asyncio.sleep(self.hangs)
            if self.status == 200:
                self.calls.append((headers, json.loads(body)))
            else:
                self.refused += 1
            writer.write(f"HTTP/1.1 {self.status} said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    @property
    def titles(self) -> list[str]:
        return [said["title"] for _, said in self.calls]

    @property
    def ids(self) -> list[str]:
        return [headers["x-joulebus-message"] for headers, _ in self.calls]


@contextlib.asynccontextmanager
async def webhook(port: int = 0) -> AsyncIterator[Hook]:
    hook = Hook()
    server = await asyncio.start_server(hook.answer, "127.0.0.1", port)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()
        await server.wait_closed()
