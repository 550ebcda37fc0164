"""The end of all processes, with real ones: the parts first, then what they need for it, and time for the slowest."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from bridges.control.steering import LEAVING
from joulebus.supervisor import GRACE, Supervisor

ENDS = """
import pathlib, signal, sys, time

def end(*_):
    time.sleep({takes})
    with pathlib.Path({book!r}).open("a") as book:
        book.write({name!r} + " ")
    sys.exit()

signal.signal(signal.SIGTERM, end)
pathlib.Path({ready!r}).touch()
while True:
    time.sleep(60)
"""


async def _ended(folder: Path, parts: dict[str, float]) -> list[str]:
    """The order in which they end, each after its seconds."""
    supervisor, book = Supervisor(folder / "log"), folder / "book"
    marks = {name: folder / f"{name}.ready" for name in parts}
    for name, takes in parts.items():
        words = ENDS.format(name=name, takes=takes, book=str(book), ready=str(marks[name]))
        supervisor.start(name, [sys.executable, "-c", words])
    try:
        async with asyncio.timeout(30):
            while not all(mark.exists() for mark in marks.values()):  # noqa: ASYNC110  # other processes make them
                await asyncio.sleep(0.05)
    finally:
        await supervisor.close()
    return book.read_text().split()


async def test_the_bridge_has_its_devices_and_the_broker_until_it_has_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    took = {"broker": 0.0, "simulate": 0.0, "bridge": LEAVING + 1.0, "archive": 0.3, "dispatch": 0.0}
    with caplog.at_level(logging.WARNING, "up"):
        ended = await _ended(tmp_path, took)
    assert ended == ["dispatch", "bridge", "simulate", "archive", "broker"]
    assert not caplog.records


async def test_one_that_does_not_end_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "up"):
        ended = await _ended(tmp_path, {"bridge": GRACE + 60.0, "broker": 0.0})
    assert ended == ["broker"]
    assert "bridge does not end, it is killed" in caplog.text
