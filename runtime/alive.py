"""Tells systemd that we live: READY once, then WATCHDOG in time, over the socket it gives. Nothing without one.

The beat comes from the loop that does the work: a loop that hangs is not alive, and systemd starts it anew.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping


async def tell_alive(env: Mapping[str, str] = os.environ) -> None:
    """For ever, at a third of the time systemd waits; ends at once where there is nobody to tell."""
    address = env.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        where, word = "\0" + address[1:] if address.startswith("@") else address, b"READY=1"
        pause = int(env.get("WATCHDOG_USEC") or 0) / 3e6
        while word:
            with contextlib.suppress(OSError):  # nobody listens any more, or not now
                line.sendto(word, where)
            await asyncio.sleep(pause)
            word = b"WATCHDOG=1" if pause else b""
