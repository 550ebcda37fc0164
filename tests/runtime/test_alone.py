"""Two processes of one name: only one of them works, wherever they run and whenever they come."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from joulebus.server import free_port
from runtime.rivals import Other, Us, other
from schemas.messages import ServiceStatus
from tests.conftest import Broker

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from runtime import link, log, rivals
from runtime.part import Part
from runtime.settings import read_settings
from schemas.site_file import load_site
label, root, site, book = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
link.SILENT, link.FIRST_PAUSE = 3.0, 4.0  # as long as 15 s and a minute
async def write():  # what a bridge does at its devices
    while True:
        with book.open("a") as lines:
            lines.write(f"{label} {time.monotonic()}\\n")
        await asyncio.sleep(0.02)
async def work(bus):
    await asyncio.Event().wait()
log.set_up(label)
site = load_site(root / "tests" / "one_battery.toml").model_copy(update={"site": site, "archive": False})
part = Part("bridge", site, read_settings("bridge"))
part.patience = None
def begin():  # what a bridge keeps is opened here
    with book.open("a") as lines:
        lines.write(f"{label}-opened {time.monotonic()}\\n")
asyncio.run(part.run(work, write, begin=begin))
"""


@dataclass
class Twin:
    """One of two."""

    label: str
    folder: Path
    env: dict[str, str]
    command: list[str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Twin":
        self.folder.mkdir(exist_ok=True)
        more = {"JOULEBUS_HEALTH": f"127.0.0.1:{self.port}", "JOULEBUS_STATE": str(self.folder)}
        with (self.folder / f"{self.label}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.env | more, stderr=log)
        return self

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as answer:
            with answer:
                return dict(json.load(answer))
        except OSError:
            return {}

    @property
    def works(self) -> bool:
        return bool(self.health().get("ready"))

    @property
    def waits(self) -> bool:
        said = self.health()
        return bool(said) and not said["ready"] and "second_instance" in said["causes"]


@dataclass
class Pair:
    first: Twin
    second: Twin
    book: Path
    broker: Broker

    def wrote(self, since: float) -> set[str]:
        """Who wrote at the devices."""
        return {label for label, at in self._lines() if at >= since and not label.endswith("-opened")}

    def opened(self) -> list[str]:
        """Who opened what it keeps, in their order."""
        return [label.removesuffix("-opened") for label, _ in self._lines() if label.endswith("-opened")]

    def _lines(self) -> list[tuple[str, float]]:
        lines = [line.split() for line in self.book.read_text(encoding="utf-8").splitlines()]
        return [(label, float(at)) for label, at in lines]

    def connects(self) -> int:
        return self.broker.log.read_text(encoding="utf-8").count(" as bridge (")


@pytest.fixture(params=["one machine", "two machines"])
def pair(request: pytest.FixtureRequest, broker: Broker, site_name: str, tmp_path: Path) -> Iterator[Pair]:
    book = tmp_path / "book"
    book.touch()
    env = os.environ | {"JOULEBUS_BROKER": broker.url("bridge")}
    folders = ("a", "a") if request.param == "one machine" else ("a", "b")
    twins = [
        Twin(label, tmp_path / folder, env, [sys.executable, "-c", PROGRAM, label, str(ROOT), site_name, str(book)])
        for label, folder in zip(("first", "second"), folders, strict=True)
    ]
    yield Pair(twins[0], twins[1], book, broker)
    for twin in twins:
        twin.end()


def until(true: Callable[[], bool], seconds: float = 30) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds, "it did not come true in time"
        time.sleep(0.05)
    return time.monotonic() - began


def test_the_second_waits_and_takes_over_when_the_first_dies(pair: Pair) -> None:
    pair.first.start()
    until(lambda: pair.first.works)
    before, began = pair.connects(), time.monotonic()
    pair.second.start()
    until(lambda: pair.second.waits)
    until(lambda: pair.first.works)
    until(lambda: "second_instance" in pair.first.health()["causes"])  # for the alarms: who waits has no voice
    time.sleep(max(0.0, began + 3.5 - time.monotonic()))
    assert pair.connects() - before <= 2
    assert pair.wrote(began) == {"first"}
    if pair.first.folder == pair.second.folder:
        assert pair.opened() == ["first"], "in one folder only one opens what is kept there"
    pair.first.end()
    gone = time.monotonic()
    until(lambda: pair.second.works)
    time.sleep(0.2)
    assert pair.wrote(gone + 0.1) == {"second"}
    assert pair.opened() == ["first", "second"]


def test_both_supervised_they_do_not_push_each_other_out(pair: Pair) -> None:
    """Started together, and each again as soon as it dies. Who waits looks each 4 s here, which is two connects; two
    that push each other out connect several times a second."""
    before, began = pair.connects(), time.monotonic()

    def few() -> float:
        return 4 + (time.monotonic() - began) / 2

    twins = [pair.first.start(), pair.second.start()]
    until(lambda: any(twin.works for twin in twins) and any(twin.waits for twin in twins))
    time.sleep(2)
    assert pair.connects() - before <= few()
    (worker,) = [twin for twin in twins if twin.works]
    worker.end()
    worker.start()
    until(lambda: any(twin.works for twin in twins) and any(twin.waits for twin in twins))
    settled = time.monotonic()
    time.sleep(2)
    assert len(pair.wrote(settled)) == 1
    assert pair.connects() - before <= 3 + few()


def test_one_that_is_killed_and_started_again_works_at_once(pair: Pair) -> None:
    pair.first.start()
    until(lambda: pair.first.works)
    took: list[float] = []
    while min(took, default=9.0) >= 3.0 and len(took) < 6:  # a busy machine may be late
        pair.first.end()
        pair.first.start()
        took.append(until(lambda: pair.first.works))
    assert min(took) < 3.0, f"it knows its own past life: {took}"
    assert "second_instance" not in pair.first.health()["causes"]


def test_who_waits_for_another_can_be_stopped(pair: Pair) -> None:
    pair.first.start()
    until(lambda: pair.first.works)
    pair.second.start()
    until(lambda: pair.second.waits)
    pair.second.send(signal.SIGTERM)
    assert pair.second.process is not None
    assert pair.second.process.wait(15) == 0


def test_a_lock_that_somebody_deletes_is_made_again(pair: Pair) -> None:
    pair.first.start()
    until(lambda: pair.first.works)
    (lock,) = pair.first.folder.glob("*.lock")
    lock.unlink()
    until(lock.exists)
    pair.second.start()
    until(lambda: pair.second.waits)


NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
US = Us("a" * 16, NOON)


@pytest.mark.parametrize(
    ("instance", "minutes", "met", "who"),
    [
        ("a" * 16, 0, True, Other.NONE),  # our own word
        ("a" * 16, -5, False, Other.NONE),  # our past life
        ("a" * 16, 5, False, Other.NONE),  # and its clock was ahead
        ("", -5, False, Other.NONE),  # of an older version
        ("b" * 16, -5, False, Other.FIRST),
        ("b" * 16, 5, False, Other.SECOND),
        ("b" * 16, -5, True, Other.FIRST),
        ("b" * 16, 5, True, Other.SECOND),
        ("a" * 16, -5, True, Other.FIRST),  # a copy of this machine
        ("a" * 16, 5, True, Other.SECOND),
    ],
)
def test_who_works(instance: str, minutes: int, met: bool, who: Other) -> None:
    last = ServiceStatus(state="offline", started=NOON + timedelta(minutes=minutes), instance=instance)
    assert other(last, US, met=met) is who


def test_nobody_who_says_nothing_of_himself_is_another() -> None:
    assert other(None, US, met=True) is Other.NONE
    assert other(ServiceStatus(state="offline"), US, met=True) is Other.NONE


def test_of_two_exactly_one_gives_way() -> None:
    them = Us("b" * 16, NOON + timedelta(seconds=1))
    judged = [
        other(ServiceStatus(state="online", started=last.started, instance=last.instance), us, met=True)
        for us, last in ((US, them), (them, US))
    ]
    assert judged == [Other.SECOND, Other.FIRST]
