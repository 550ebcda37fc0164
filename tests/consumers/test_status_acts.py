"""An operator with a token acts on the alarms, in a browser: real broker, real alarm service, real page."""

import asyncio
import re
import shutil
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from playwright.async_api import Locator, Page, async_playwright, expect

from consumers.status.service import run
from joulebus import neighbours
from joulebus.server import free_port
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.site_file import load_site
from tests.conftest import Broker
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_alarms_service import everyone, running
from tests.consumers.test_status_alarms import ENGINEER
from tests.consumers.test_status_api import TOKEN
from tests.consumers.test_status_page import CHROMIUM, SOON, answering, ended

RULES = """
[[alarm]]
name = "warm"
device = "bms1"
point = "cell_t_max"
above = 30
cause = "The battery is warm."
response = "Open a window."
[[alarm]]
name = "hot"
device = "bms1"
point = "cell_t_max"
above = 31
priority = "critical"
cause = "The battery is hot."
response = "Stop it."
[[alarm]]
name = "late"
device = "bms1"
point = "cell_t_max"
above = 32
cause = "It gets hotter."
[[alarm]]
name = "tripped"
device = "pcs1"
point = "state"
equals = "fault"
latched = true
"""


class Desk:
    """What an operator does on the page, and reads there."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def row(self, alarm: str) -> Locator:
        return self.page.locator(f"#list tbody[data-key={alarm}]")

    async def ask(self, *, token: str | None = None, who: str = "Ann", why: str = "") -> None:
        """Fill the dialog and send it; a token that this tab knows is there already."""
        given = self.page.locator("#ask [name=token]")
        await self.page.locator("#ask [name=who]").fill(who)
        await self.page.locator("#ask [name=why]").fill(why)
        if token is not None:
            await expect(given).to_have_value("")
            await given.fill(token)
        await given.press("Enter")

    async def press(self, alarm: str, button: str) -> None:
        await self.row(alarm).get_by_role("button", name=button, exact=True).click(timeout=SOON)

    async def reads(self, alarm: str, words: str | re.Pattern[str]) -> None:
        await expect(self.row(alarm)).to_contain_text(words, timeout=SOON)


async def test_who_shows_the_token_acts_on_alarms_and_reads_what_became_of_it(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    path, port = small_site(tmp_path, site_name, RULES), free_port()
    settings = Settings(parse_broker(broker.url("status"), "status", None, {}), f"sqlite+aiosqlite:///{tmp_path}/a.db")
    part = Part("status", load_site(path), replace(settings, page_token=TOKEN, engineer_token=ENGINEER))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(ended, asyncio.create_task(run(part, port=port)))
        await stack.enter_async_context(running(broker, path))
        plant, _, ear = await stack.enter_async_context(everyone(broker, site_name))
        playing = await stack.enter_async_context(async_playwright())
        chromium = shutil.which("chromium-headless-shell") or str(neighbours.chromium().path)
        browser = await playing.chromium.launch(
            executable_path=chromium, args=CHROMIUM, env={**neighbours.chromium().env}
        )
        stack.push_async_callback(browser.close)
        await answering(f"http://127.0.0.1:{port}")
        await plant.until_heard("pcs1", "tripped-pcs1", ear, state="fault")
        await plant.until_heard("bms1", "late-bms1", ear, cell_t_max=33.0)
        desk = Desk(await browser.new_page())
        await desk.page.goto(f"http://127.0.0.1:{port}/alarms#device=bms1")

        await desk.press("warm-bms1", "Acknowledge")
        await desk.ask(token="not the token of this page")
        await desk.reads("warm-bms1", "Acknowledge was not asked: this needs the page's token")
        await desk.press("warm-bms1", "Acknowledge")
        await desk.ask(token=TOKEN)
        await desk.reads("warm-bms1", "active, acknowledged by Ann")
        await desk.reads("warm-bms1", "Acknowledge: done")

        await desk.reads("hot-bms1", "Stop it.")
        await desk.page.locator("#filter [name=q]").fill("hot-bms1")
        await expect(desk.page.locator("#list tbody")).to_have_count(1)
        await desk.page.get_by_role("button", name="Acknowledge all in view").click()
        await desk.ask()
        await desk.reads("hot-bms1", "active, acknowledged by Ann")
        await expect(desk.page.locator("#ack-told")).to_have_text("1 of 1 acknowledged.", timeout=SOON)
        await desk.page.get_by_role("button", name="Clear").click()
        await desk.press("tripped-pcs1", "+ 3 consequences, worst critical")
        for untouched in ("late-bms1", "tripped-pcs1"):
            await desk.reads(untouched, "active, not acknowledged")
            assert {*ear.states(untouched)} == {"unacknowledged"}  # the first-out is told again when others follow

        await desk.press("late-bms1", "It gets hotter.")
        await desk.press("late-bms1", "Comment")
        await desk.ask(why="the fan is ordered")
        await desk.reads("late-bms1", re.compile(r"Comment\s*Ann: the fan is ordered"))
        await desk.press("late-bms1", "Shelve")
        await desk.ask(why="until it is there")
        await desk.reads("late-bms1", re.compile(r"shelved by Ann until (tomorrow )?\d\d:\d\d \(59 min left\), active"))

        await desk.row("tripped-pcs1").locator("[data-open]").click()
        await desk.press("tripped-pcs1", "Out of service")
        await expect(desk.page.get_by_label("Engineer's token")).to_be_visible()
        await desk.ask(token=TOKEN, why="it is repaired")
        await desk.reads(
            "tripped-pcs1", re.compile("Out of service was not asked: .* the token shown is an operator's")
        )
        await desk.press("tripped-pcs1", "Out of service")
        await desk.ask(token=ENGINEER, who="Eve", why="it is repaired")
        await desk.reads("tripped-pcs1", re.compile(r"out of service by Eve until .*\(7 h 59 min left\), active"))
        assert ear.last("tripped-pcs1").why == "it is repaired"

        for state in ("normal", "unacknowledged", "dialog", "returned", "unacknowledged"):
            if state == "dialog":
                await desk.press("hot-bms1", "Acknowledge")
                continue
            async with asyncio.timeout(10):
                while ear.last("hot-bms1").state != state:
                    await plant.say("bms1", cell_t_max=33.0 if state == "unacknowledged" else 20.0)
                    await asyncio.sleep(0.1)
        await desk.ask()  # for the raise before the dialog
        await desk.reads("hot-bms1", "Acknowledge is refused: it is for the raise of")
