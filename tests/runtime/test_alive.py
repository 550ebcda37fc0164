"""systemd hears that a part is ready, and then that it lives, in time."""

import asyncio
import socket
import time
from pathlib import Path

from runtime.alive import tell_alive
from tests.timed import in_time, timed


@timed
async def test_systemd_hears_ready_and_then_a_beat_in_time(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.setblocking(False)
        telling = asyncio.create_task(tell_alive({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "300000"}))
        loop, began = asyncio.get_running_loop(), time.monotonic()
        words = [await loop.sock_recv(systemd, 64) for _ in range(4)]
        telling.cancel()
    assert words == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    took = time.monotonic() - began
    assert took > 0.25
    in_time(took < 0.6, took)


async def test_a_loop_that_hangs_does_not_beat(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        telling = asyncio.create_task(tell_alive({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000"}))
        await asyncio.sleep(0.03)
        time.sleep(0.3)  # noqa: ASYNC251  # the loop hangs
        systemd.setblocking(False)
        heard = []
        while True:
            try:
                heard.append(systemd.recv(64))
            except BlockingIOError:
                break
        telling.cancel()
    assert len(heard) <= 3, "five were due"


async def test_without_a_watchdog_only_ready_is_said_and_without_a_socket_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        await tell_alive({"NOTIFY_SOCKET": path})
        assert systemd.recv(64) == b"READY=1"
    await tell_alive({})
    await tell_alive({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
