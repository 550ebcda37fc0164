"""The demo as a newcomer meets it: one command, everything lives, any part may die, and it stops when told to."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from joulebus.parts import SERVICES
from joulebus.server import free_port
from tests import web

REPOSITORY = Path(__file__).parents[2]
PARTS = ("bridge", "archive", "alarms", "optimize", "dispatch", "status")


EIGHT = 8
"""Ports in a row: the page, and the health endpoints after it."""


def demo_site(folder: Path) -> Path:
    """The demo's own site file, on ports of its own."""
    text = (REPOSITORY / "site.toml").read_text(encoding="utf-8")
    text = re.sub(r"127\.0\.0\.1:\d+", lambda _: f"127.0.0.1:{free_port()}", text)
    text = text.replace('tariff = "tariff.toml"', f'tariff = "{REPOSITORY / "tariff.toml"}"')
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def demo(folder: Path, site: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process; ended with all its children, whatever the test does."""
    command = [sys.executable, "-m", "joulebus.cli", "demo", "--site", str(site), "--folder", str(folder / "run")]
    process = subprocess.Popen(
        [*command, "--port", str(port), *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        family = (
            [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            if process.poll() is None
            else []
        )
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def part(process: subprocess.Popen[str], name: str) -> psutil.Process:
    """The process of a part, or of the broker."""
    for child in psutil.Process(process.pid).children(recursive=True):
        words = child.cmdline()
        if (name == "broker" and "mosquitto" in words[0]) or words[1:4] == ["-m", "joulebus.cli", name]:
            return child
    raise AssertionError(f"no process {name}")


def services(port: int) -> dict[str, str]:
    """What the page says of every service."""
    state = web.get(f"http://127.0.0.1:{port}/api/state", timeout=2).json()
    return {service["service"]: service["state"] for service in state["services"]}


def all_online(port: int) -> bool:
    """Every part is there, as the page sees it."""
    return services(port) == dict.fromkeys(PARTS, "online")


def archive_is_calm(folder: Path, port: int) -> dict[str, int]:
    """The archive has said nothing that anybody should read, and all it does beside storing works; what it counted."""
    health = f"http://127.0.0.1:{port + 1 + list(SERVICES).index('archive')}/health"
    said = web.get(health, timeout=5).json()
    log = (folder / "log" / "archive.log").read_text(encoding="utf-8")
    assert "WARNING" not in log, log
    assert (said["ready"], said["causes"], said["detail"]) == (True, [], "")
    counts: dict[str, int] = said["counts"]
    assert counts.get("upkeep_failed", 0) == 0, "a locked database, in 4 of 4 first starts"
    return counts


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition; gives how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if condition():
                return time.monotonic() - began
        except (httpx.HTTPError, KeyError, AssertionError, psutil.NoSuchProcess):
            pass
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s")


@pytest.mark.slow
def test_any_part_may_die_nothing_is_lost_and_it_starts_again_quickly(tmp_path: Path) -> None:
    site, port = demo_site(tmp_path), free_port(EIGHT)
    with demo(tmp_path, site, port, "--json", "--past", "1") as process:
        until(partial(all_online, port), 120)
        for name in ("archive", "bridge", "broker", "dispatch", "alarms", "optimize", "simulate"):
            part(process, name).send_signal(signal.SIGKILL)
            time.sleep(1.5)
        frozen = part(process, "alarms")
        frozen.send_signal(signal.SIGSTOP)
        until(lambda: services(port)["alarms"] != "online", 15)
        frozen.send_signal(signal.SIGCONT)
        part(process, "status").send_signal(signal.SIGKILL)
        until(partial(all_online, port), 20)
        until(lambda: web.get(f"http://127.0.0.1:{port}/api/state", timeout=2).json()["plan"] is not None, 60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=150)
    said = json.loads(out.splitlines()[-1])
    assert (said["lost"], said["duplicated"], said["waiting"]) == (0, 0, 0), (said, err)
    assert said["published"] == said["archived"] > 100
    assert said["services"] == dict.fromkeys(PARTS, "online")
    assert len(said["failed"]) == 8, "each death is told"
    assert said["commands"]["verified"] > 0
    assert said["plan_age_s"] is not None
    assert set(said["round_trip_ms"]) == {"p50", "p99"}
    assert process.returncode == 0
    it_starts_quickly_and_stops_at_ctrl_c(tmp_path, site)


def it_starts_quickly_and_stops_at_ctrl_c(tmp_path: Path, site: Path) -> None:
    """With the folder of an earlier start: the first one makes the database and lives through a day."""
    starts, ends = [], []
    for _ in range(3):
        port = free_port(EIGHT)
        with demo(tmp_path, site, port, "--past", "1") as process:
            starts.append(until(partial(all_online, port), 120))
            family = psutil.Process(process.pid).children(recursive=True)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            ends.append(time.monotonic() - began)
            assert process.returncode == 0
            _, alive = psutil.wait_procs(family, timeout=5)
            assert alive == []
        if min(starts) < 15:
            break
    assert min(starts) < 15, f"10 s on a quiet machine: {starts}"
    assert min(ends) < 5, ends


def test_a_port_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], stderr=subprocess.DEVNULL
    ) as other:
        until(lambda: web.get(f"http://127.0.0.1:{port}/", timeout=1).is_success, 10)
        with demo(tmp_path, demo_site(tmp_path), port, "--for", "1", "--json") as process:
            _, err = process.communicate(timeout=20)
        other.kill()
    assert process.returncode == 1
    assert f"port {port} for the status page is in use" in err
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "broker").exists()
