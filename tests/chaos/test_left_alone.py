"""A demo that nobody touches says nothing: what is logged or counted as a fault is one."""

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from joulebus.server import free_port
from tests import web
from tests.joulebus.test_demo import EIGHT, all_online, archive_is_calm, demo, demo_site, until
from tests.timed import FULL

ALONE = 300.0
"""Seconds. In them the rollups of a week's past are made, the ledger is written, and what is too old is looked for."""


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="5 min each: JOULEBUS_CHAOS=full; a minute of it is tests/joulebus/test_readme.py")
@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "beside a busy loop"])
def test_a_demo_left_alone_for_5_minutes_logs_no_warning_and_fails_at_nothing(tmp_path: Path, busy: bool) -> None:
    port = free_port(EIGHT)
    with demo(tmp_path, demo_site(tmp_path), port) as process:
        until(partial(all_online, port), 120)
        loop = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
        try:
            time.sleep(ALONE)
            counts = archive_is_calm(tmp_path / "run", port)
            alarms = web.get(f"http://127.0.0.1:{port}/api/state", timeout=5).json()["alarms"]["list"]
        finally:
            if loop is not None:
                loop.kill()
                loop.wait()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert counts["rollups"] > 10_000, "of the week before, and of these minutes"
    logs = {log.name: log.read_text(encoding="utf-8") for log in (tmp_path / "run" / "log").glob("*.log")}
    assert [name for name, words in logs.items() if "WARNING" in words or "ERROR" in words] == []
    assert [one["alarm"] for one in alarms if "archive" in one["alarm"]] == []
