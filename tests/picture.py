"""`make picture`: the demo is started, and its page taken as it stands in the README."""

import sys
import tempfile
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from joulebus import neighbours
from joulebus.server import free_port
from schemas.site_file import load_site
from tests import web
from tests.joulebus.test_demo import EIGHT, REPOSITORY, all_online, demo, demo_site, until

WIDTH = 1440
"""Pixels."""
WEATHER = "2026-06-10"
"""A working day in summer, at the time of day that it is now: by night the picture has no sun."""
SETTLES = 40.0
"""Seconds: nothing is new any more."""


def picture(file: Path) -> None:
    """Of a demo that knows a day of its own past and has a plan. Raises AssertionError when it comes to no plan."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port(EIGHT)
        site = demo_site(folder)
        weather = f"{WEATHER}T{datetime.now(load_site(site).zone):%H:%M}"
        with demo(folder, site, port, "--json", "--past", "1", "--weather", weather):
            until(partial(all_online, port), 120)
            until(lambda: state(port)["plan"] is not None, 90)
            time.sleep(SETTLES)
            taken(f"http://127.0.0.1:{port}/", file)


def state(port: int) -> dict[str, Any]:
    found: dict[str, Any] = web.get(f"http://127.0.0.1:{port}/api/state", timeout=5).json()
    return found


def taken(address: str, file: Path) -> None:
    """The whole page, once its curves are drawn."""
    chromium = neighbours.chromium()
    with sync_playwright() as playing:
        browser = playing.chromium.launch(
            executable_path=chromium.path, args=["--no-sandbox", "--disable-gpu"], env={**chromium.env}
        )
        shown = browser.new_page(
            viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce", color_scheme="light"
        )
        shown.goto(address)
        shown.wait_for_timeout(5_000)  # the stream has told everything at least once
        shown.screenshot(path=file, full_page=True)
        browser.close()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "page.png"
    picture(target)
    print(target)
