"""The page in a real browser over a real broker: an operator looks, and acts."""

import asyncio
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from consumers.status.series import today
from consumers.status.service import run
from joulebus import neighbours
from joulebus.server import free_port
from optimizer.demand import period
from runtime.bus import Bus, Refused
from runtime.database import engine
from runtime.money_rows import MoneyDay
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas import topics
from schemas.alarm_figures import AlarmFigure, AlarmFigures, Verdict
from schemas.billing import BilledComponent, Billing
from schemas.forecast_skill import ForecastSkill, LeadSkill
from schemas.messages import (
    Action,
    Alarm,
    AlarmPriority,
    AlarmRequest,
    AlarmState,
    BatteryDispatch,
    Cause,
    ControlDispatch,
    ControlMode,
    ControlRequest,
    DeviceState,
    DeviceStatus,
    Limited,
    Mode,
    Notified,
    NotifyOutcome,
    Outcome,
    OutcomeState,
    Plan,
    RequestOutcome,
    ServiceStatus,
    Step,
    Telemetry,
)
from schemas.tables import CAUSES, control, metadata, money_day, telemetry
from schemas.topics import M, Topic
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.notified import notify_table
from tests.consumers.page_looks import CONTRAST, FITS, UNNAMED
from tests.consumers.test_dispatch_balance import load_plant
from tests.consumers.test_dispatch_batteries import two
from tests.consumers.test_status_state import DEVICES, EPOCH, page_site
from tests.mutations import Mutations
from tests.timed import FULL

CHROMIUM = [
    "--host-resolver-rules=MAP attacker.example 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]
NOTIFY = notify_table({"anna-mail": "", "hook": ""}, {"anna": '"anna-mail", "hook"'}, '{ to = ["anna"] }')
ROLES = ("bridge", "alarms", "optimize", "dispatch", "archive", "notify")
SKILL = ForecastSkill(
    at=utc_now(), skills=[LeadSkill(of="load", from_hours=6, to_hours=24, quarters=900, bias=0.0, rmse=8e3)]
)
FIGURES = AlarmFigures(
    at=utc_now(), begin=utc_now() - timedelta(days=1), end=utc_now(), seen=1.0, raised=400,
    figures=[AlarmFigure(name="per_hour", value=16.7, unit="1/h", target="at most 12", verdict=Verdict.BEYOND)],
)  # fmt: skip
SOON = 15_000
"""Milliseconds until the page shows what was said."""


class Scene:
    """A site that is told by the test, the page as a running part, and an operator's browser."""

    def __init__(self, name: str, buses: dict[str, Bus], address: str, context: BrowserContext) -> None:
        self.site = name
        self.buses = buses
        self.address = address
        self.context = context
        self.complaints: list[str] = []
        self.seq = 0

    async def say(self, role: str, topic: Topic[M], message: M | None, **place: str) -> None:
        address = topic.at(site=self.site, **place)
        await self.buses[role].send(
            address, message.model_dump_json().encode() if message else b"", retain=topic.retain
        )

    async def measure(self, device: str, late: float = 0.0, **values: Any) -> None:
        self.seq += 1
        at = utc_now() - timedelta(seconds=late)
        told = Telemetry(at=at, epoch=EPOCH, seq=self.seq, values=values)
        await self.say("bridge", topics.TELEMETRY, told, device=device)

    async def everything(self) -> None:
        """A site on an ordinary day."""
        for device in DEVICES:
            status = DeviceStatus(at=utc_now(), state=DeviceState.ONLINE)
            await self.say("bridge", topics.DEVICE_STATUS, status, device=device)
        for role in ROLES:
            await self.say(role, topics.SERVICE_STATUS, online(), service=role)
        await self.measure("grid", p=12_300.0)
        await self.measure("pcs1", p=-20_000.0, state="running")
        await self.measure("pv1", p=45_600.0)
        await self.measure("bms1", soc=63.4)
        await self.say("optimize", topics.PLAN, plan())
        await self.say("optimize", topics.BILLING, billing())
        await self.say("optimize", topics.FORECAST_SKILL, SKILL)
        auto = ControlMode(at=utc_now(), mode=Mode.AUTO, who="dispatch")
        await self.say("dispatch", topics.CONTROL_MODE, auto)

    async def open(self, path: str = "", **options: Any) -> Page:
        page = await self.context.new_page()
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda wrong: self.complaints.append(str(wrong)))
        await page.emulate_media(**options)
        await page.goto(self.address + path)
        await expect(page.locator("#lamp")).to_have_text("live", timeout=SOON)
        return page


def online() -> ServiceStatus:
    return ServiceStatus(state="online", at=utc_now(), version="0.1.0", lag=0.1)


def plan() -> Plan:
    start = utc_now() - timedelta(minutes=5)
    steps = [
        Step(
            at=start + timedelta(minutes=15 * n), seconds=900.0, power=-20e3, soc=60.0 + n, grid=10e3, load=40e3,
            pv=50e3, price_import=0.3, price_export=0.1, marginal_value=0.2, reason="store what would be sold cheaply",
        )
        for n in range(8)
    ]  # fmt: skip
    until = utc_now() + timedelta(hours=1)
    return Plan(id="p1", at=start, until=until, currency="EUR", steps=steps, peak=50e3, cost=10.0, cost_idle=12.5)


def billing() -> Billing:
    """Two fifths of the month were seen."""
    now = utc_now()
    begin, end = period(now, ZoneInfo("Europe/Berlin"))
    one = BilledComponent(
        name="demand", minutes=15, window_start=now, window_end=now + timedelta(minutes=15), imported=500.0,
        covered=60.0, mean=30e3, peak=80e3, per="month", period_start=begin, period_end=end, seen=0.4, price=15.0,
        currency="EUR",
    )  # fmt: skip
    return Billing(at=now, until=now + timedelta(seconds=60), components=[one])


def alarm(state: AlarmState = AlarmState.UNACKNOWLEDGED, text: str = "The battery is warm.") -> Alarm:
    now = utc_now()
    return Alarm(
        at=now, state=state, priority=AlarmPriority.HIGH, device="bms1", point="cell_t_max", text=text, value=46.0,
        limit=45.0, since=now - timedelta(minutes=3),
    )  # fmt: skip


async def archive(folder: Path, site: str) -> str:
    """A database with an hour of the site."""
    url = f"sqlite+aiosqlite:///{folder}/archive.db"
    database = engine(url)
    now = utc_now()
    rows = [
        {
            "site": site, "device": device, "at": now - timedelta(seconds=20 * ago), "epoch": EPOCH, "seq": 1000 - ago,
            "historical": False, "points": f'{{"{point}": {value}}}', "quality": None,
        }
        for device, point, value in (("grid", "p", 10e3), ("pcs1", "p", 0.0), ("pv1", "p", 20e3), ("bms1", "soc", 20.0))
        for ago in range(180)
    ]  # fmt: skip
    begin = today(now, ZoneInfo("Europe/Berlin")).start
    day = MoneyDay(
        begin, f"{now:%Y-%m-%d}", "EUR", 40, 30, 0, 1e5, 0.0, 2e4, 1e5, energy=12.0, demand=3.0, energy_without=14.0,
        demand_without=6.5, wear=0.5, saved=5.0, stored=-0.25,
        **dict.fromkeys(("carbon", "carbon_without", "planned", *CAUSES)),
    )  # fmt: skip
    message = Notified(at=now, result="failed", alarms=["hot-bms1", "x"], people=["anna"], channel="hook", why=EVIL)
    told = {"site": site, "at": now, "topic": topics.NOTIFY_TOLD.name, "subject": "", "who": "anna"}
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(control.insert(), [told | {"body": message.model_dump_json()}])
        await connection.execute(telemetry.insert(), rows)
        await connection.execute(money_day.insert(), [{"site": site, **day._asdict()}])
    await database.dispose()
    return url


async def answering(address: str) -> None:
    async with httpx.AsyncClient() as asking:
        for _ in range(100):
            with suppress(httpx.TransportError):
                await asking.get(f"{address}/health")
                return
            await asyncio.sleep(0.05)
    raise AssertionError(f"{address} does not answer")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder, name = tmp_path_factory.mktemp("page"), f"page-{secrets.token_hex(4)}"
    site, port = page_site(folder, name, NOTIFY), free_port()
    settings = Settings(parse_broker(broker.url("status"), "status", None, {}), await archive(folder, name))
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr("consumers.status.app.BEAT", 0.1)
        serving = asyncio.create_task(run(Part("status", site, settings), port=port))
        stack.push_async_callback(ended, serving)
        buses = {
            role: await stack.enter_async_context(Bus(parse_broker(broker.url(role), role, None, {}), identifier=role))
            for role in ROLES
        }
        playing = await stack.enter_async_context(async_playwright())
        path = shutil.which("chromium-headless-shell") or str(neighbours.chromium().path)
        browser = await playing.chromium.launch(executable_path=path, args=CHROMIUM, env={**neighbours.chromium().env})
        stack.push_async_callback(browser.close)
        await answering(f"http://127.0.0.1:{port}")
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        yield Scene(name, buses, f"http://127.0.0.1:{port}", context)


async def ended(serving: "asyncio.Task[None]") -> None:
    began = time.monotonic()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    assert time.monotonic() - began < 8, "open pages must not hold up the end"


async def heard(bus: Bus, *addresses: str) -> Any:
    async for batch in bus.listen(*addresses):
        bus.ack(batch)
        return batch[0]
    raise AssertionError("the connection ended")


async def hearing(bus: Bus, *addresses: str) -> "asyncio.Task[Any]":
    """The first word at some addresses; none is missed from here on."""
    await bus.subscribe([(address, 1) for address in addresses])
    return asyncio.create_task(heard(bus, *addresses))


def told(request: AlarmRequest | ControlRequest, cause: Cause | None = None, reason: str = "") -> RequestOutcome:
    """What dispatch or alarms would say to a request."""
    wish = request.action or (request.mode if isinstance(request, ControlRequest) else "")
    return RequestOutcome(
        id=request.id or "unknown", at=utc_now(), followed=not cause, who=request.who, wish=wish or "", cause=cause,
        reason=reason,
    )  # fmt: skip


in_one_loop = pytest.mark.asyncio(loop_scope="module")


@in_one_loop
async def test_an_operator_sees_the_site_live(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    for name, power, doing in (
        ("grid", "12.3", "importing"),
        ("pv", "45.6", "producing"),
        ("battery", "20.0", "charging"),
        ("load", "37.9", "consuming"),
    ):
        await expect(page.locator(f"[data-node={name}] .value")).to_have_text(power, timeout=SOON)
        await expect(page.locator(f"[data-label={name}]")).to_have_text(doing)
    await expect(page.locator("#soc")).to_have_text("63.4 %")
    await expect(page.locator("#mode")).to_have_text("AUTO")
    await expect(page.locator("#no-alarms")).to_contain_text("No alarms")
    await expect(page.locator("#devices tr")).to_have_count(4)
    await expect(page.locator("#services .bad")).to_have_count(0)
    await expect(page.locator("#facts")).to_contain_text("next 2 h10.00 EUR, 2.50 EUR less than without the battery")
    await expect(page.locator("#peak")).to_contain_text("Peak of the month")
    await expect(page.locator("#peak [data-f=value]")).to_have_text("80.0")
    await expect(page.locator("#peak-words")).to_contain_text("30.0 kW so far in the 15 min to")
    await expect(page.locator("#peak-words")).to_contain_text("; the plan keeps 50.0 kW; 40 % of the month so far")
    await expect(page.locator("#skill")).to_have_text("Forecast: load ±8 kW (6 to 24 h ahead).")
    await scene.measure("grid", p=-3_000.0)
    await expect(page.locator("[data-label=grid]")).to_have_text("exporting", timeout=SOON)
    await scene.say("optimize", topics.PLAN, plan().model_copy(update={"id": "p2", "cost": 13.9}))
    await expect(page.locator("#facts")).to_contain_text("1.40 EUR more than without the battery", timeout=SOON)
    late = plan().model_copy(update={"id": "late", "until": utc_now() - timedelta(minutes=1)})
    one = billing().components[0].model_copy(update={"counts": False, "floor": 120e3})
    two_peaks = billing().model_copy(
        update={"components": [one, one.model_copy(update={"name": "noon", "per": "year"})]}
    )
    await scene.say("optimize", topics.PLAN, late)
    await scene.say("optimize", topics.BILLING, two_peaks)
    await expect(page.locator("#peak-words")).to_contain_text(
        ", which is not billed; 120.0 kW is billed at least; 40 %"
    )
    await expect(page.locator("#peak-words")).to_contain_text("; noon: 80.0 kW of the year")
    await expect(page.locator("#peak")).to_contain_text("Peak of the month (demand)")
    await scene.say("optimize", topics.PLAN, plan())
    await scene.say("optimize", topics.BILLING, billing())
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_the_day_so_far_stands_first_and_an_unknown_is_no_nothing(scene: Scene) -> None:
    """Money of the archive, no energies in it; then figures with holes, and an archive that is away."""
    page = await scene.open()
    await scene.everything()
    cost, saved, bought = (page.locator(f"[data-sum={name}]") for name in ("cost", "saved", "imported"))
    await expect(cost).to_contain_text("12.50 EUR", timeout=SOON)
    await expect(cost).to_contain_text(
        "energy 12.00, wear 0.50 EUR; beside it 3.00 EUR for the month's peak, which rose today"
    )
    await expect(saved).to_contain_text("5.00 EUR")
    await expect(saved).to_contain_text(
        "peak included, wear deducted, 7.5 of 10 h compared; stored meanwhile: worth −0.25 EUR"
    )
    await expect(bought.locator("[data-f=value]")).to_have_text("–")
    await expect(page.locator("#today-span")).to_contain_text("no quarter of an hour is measured yet")
    answer = await page.evaluate("fetch('/api/today').then(r => r.json())")
    begin = datetime.fromisoformat(answer["begin"])
    known = {"from": begin.isoformat(), "until": (begin + timedelta(minutes=45)).isoformat()}
    flows: dict[str, Any] = {name: {"wh": 12_340.0, "quarters": 2, "of": 3} | known for name in answer["energies"]}
    flows["exported"] = {"wh": 0.0, "quarters": 3, "of": 3} | known
    flows["pv"] |= {"from": (begin + timedelta(minutes=15)).isoformat()}
    flows["load"] = {"wh": None, "quarters": 0, "of": 3, "from": None, "until": None}
    changed = answer | {"energies": flows}
    await page.route("**/api/today", lambda route: route.fulfill(json=changed))
    await page.reload()
    await expect(bought).to_contain_text("12.3 kWh", timeout=SOON)
    await expect(bought.locator("[data-f=note]")).to_have_text("0.5 of 0.75 h measured")
    await expect(page.locator("[data-sum=exported] [data-f=value]")).to_have_text("0.0")
    await expect(page.locator("[data-sum=pv] [data-f=note]")).to_have_text("00:15 to 00:45, 0.5 of 0.75 h measured")
    await expect(page.locator("[data-sum=load]")).to_contain_text("not measured")
    await expect(page.locator("#today-span")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d until 00:45$"))
    changed["fault"], changed["money"] = "the archive cannot be read", None
    await page.reload()
    await expect(page.locator("#today-fault")).to_have_text("Not known: the archive cannot be read.", timeout=SOON)
    await expect(cost.locator("[data-f=value]")).to_have_text("–")
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_the_curves_show_the_archive_beside_the_plan(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    chart = page.locator("#chart-power")
    await expect(chart).to_have_attribute("aria-label", re.compile("the plan charges 20 kW now"), timeout=SOON)
    await expect(page.locator("#curves-notes")).to_contain_text("No plan is archived before")
    await expect(page.locator("#price-now")).to_have_text("now import 0.300, export 0.100")
    await page.get_by_role("button", name="±1 h").click()
    await expect(page.locator(".uplot")).to_have_count(3, timeout=SOON)
    await expect(chart).to_have_attribute("aria-label", re.compile("PV gives 20.0 kW"), timeout=SOON)
    await page.locator("#chart-power .u-over").hover(position={"x": 180, "y": 40})
    words = page.locator("[data-curve=pv] b")
    await expect(words).to_have_text("20.0 / –", timeout=SOON)
    await chart.focus()
    await chart.press("End")
    await expect(words).to_have_text("– / 50.0")
    await chart.press("ArrowLeft")
    await expect(page.locator("#at-price")).to_contain_text("import 0.300, export 0.100")
    await chart.press("Escape")
    await expect(words).to_have_text("")
    await chart.dispatch_event("pointerdown", {"pointerType": "touch", "clientX": 300, "bubbles": True})
    await page.locator("#chart-power .u-over").dispatch_event("mouseleave")
    await expect(page.locator("#at-price")).to_contain_text("import")
    await chart.press("Escape")
    await page.get_by_text("As a table").click()
    await expect(page.locator("#number-rows tr").last).to_contain_text("50.0")
    found = (await page.evaluate("fetch('/api/series?hours=1').then(r => r.json())"))["columns"]
    assert max(value for value in found["load"] if value is not None) == 30e3
    assert found["plan_pv"][-1] == 50e3
    await expect(page.locator("#slots tr")).to_have_count(1)
    await expect(page.locator("#slots tr")).to_contain_text(
        re.compile(r"now.*charge 20 kW.*67 %.*10 kW.*0\.30.*store what", re.DOTALL)
    )
    await expect(page.locator("#price-forecast")).to_be_hidden()
    *steps, last = plan().steps
    rests = [*steps, last.model_copy(update={"power": 0.0})]
    soon = {"id": "forecast", "prices_until": utc_now() + timedelta(minutes=20), "steps": rests}
    await scene.say("optimize", topics.PLAN, plan().model_copy(update=soon))
    await expect(page.locator("#next")).to_contain_text(re.compile("Next .* to .*: rest, then at 67 %"), timeout=SOON)
    await expect(page.locator("#curves-notes")).to_contain_text("on are forecast", timeout=SOON)
    await expect(page.locator("#price-forecast")).to_be_visible()
    await chart.press("End")
    await expect(page.locator("#at-price")).to_contain_text("(forecast)")
    await expect(page.locator("#slots tr")).to_have_count(3)
    await expect(page.locator("#curves-fault")).to_be_hidden()
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_old_values_and_dead_services_are_never_shown_as_live(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    await expect(page.locator("[data-node=grid].doubtful")).to_have_count(0, timeout=SOON)
    await scene.measure("grid", late=30, p=9_000.0)
    await expect(page.locator("[data-label=grid]")).to_contain_text("stale", timeout=SOON)
    await expect(page.locator("[data-node=load].doubtful")).to_have_count(1)
    await expect(page.locator("#devices tr[data-key=grid] .lamp")).to_have_text("silent")
    died = ServiceStatus(state="offline", detail="died or lost its connection")
    await scene.say("alarms", topics.SERVICE_STATUS, died, service="alarms")
    await expect(page.locator("#services li[data-key=alarms] .lamp")).to_have_text("down", timeout=SOON)
    await expect(page.locator("#no-alarms")).to_contain_text("Alarms are not known: the alarm service is down")
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_an_alarm_is_seen_and_acknowledged_with_the_keyboard(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    text = "The battery is <b onclick=alert(1)>warm</b> & wants <img src=x onerror=alert(2)> air."
    await scene.say("alarms", topics.ALARM, alarm(text=text), alarm="warm-bms1")
    row = page.locator("#alarms li[data-key=warm-bms1]")
    await expect(row.locator("[data-f=text]")).to_have_text(text, timeout=SOON)
    await expect(row.locator("img")).to_have_count(0)
    assert (await page.title()).startswith("(1) ")
    listening = await hearing(scene.buses["alarms"], topics.ALARM_REQUEST.at(site=scene.site))
    await row.get_by_role("button", name="Acknowledge").focus()
    await page.keyboard.press("Enter")
    await page.locator("#ask [name=who]").fill("Ann")
    await page.keyboard.press("Enter")
    got = await asyncio.wait_for(listening, SOON / 1000)
    assert isinstance(got.message, AlarmRequest)
    assert (got.message.action, got.message.who, got.place["alarm"], got.retained) == ("ack", "Ann", "warm-bms1", False)
    asked = row.locator("[data-asked]")
    await expect(asked).to_contain_text("Acknowledge: asked, waiting for alarms", timeout=SOON)
    await scene.say("alarms", topics.ALARM, alarm(AlarmState.ACKNOWLEDGED), alarm="warm-bms1")
    await scene.say("alarms", topics.ALARM_OUTCOME, told(got.message), alarm="warm-bms1")
    await expect(row.get_by_role("button", name="Acknowledge")).to_be_hidden(timeout=SOON)
    await expect(asked).to_contain_text("Acknowledge: done", timeout=SOON)
    await scene.say("alarms", topics.ALARM, None, alarm="warm-bms1")
    await expect(row).to_have_count(0, timeout=SOON)
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_an_operator_asks_for_a_power_for_a_time(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    listening = await hearing(scene.buses["dispatch"], topics.CONTROL_REQUEST.at(site=scene.site))
    await page.locator("#mode").click()
    await page.get_by_label("Manual").check()
    await page.get_by_label("Charge", exact=True).check()
    await page.locator("#steer [name=kw]").fill("12.5")
    await page.locator("#steer [name=who]").fill("Ann")
    await page.get_by_role("button", name="Ask for it").click()
    got = await asyncio.wait_for(listening, SOON / 1000)
    assert isinstance(got.message, ControlRequest)
    assert (got.message.mode, got.message.power, got.message.who) == (Mode.MANUAL, -12_500.0, "Ann")
    assert got.message.until is not None
    assert timedelta(minutes=59) < got.message.until - utc_now() <= timedelta(hours=1)
    manual = ControlMode(at=utc_now(), mode=Mode.MANUAL, who="Ann", power=-12_500.0, until=got.message.until)
    await scene.say("dispatch", topics.CONTROL_MODE, manual)
    await expect(page.locator("#mode")).to_contain_text("MANUAL −12.5 kW until", timeout=SOON)
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_an_operator_takes_the_battery_to_steer_it_at_the_device(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    listening = await hearing(scene.buses["dispatch"], topics.CONTROL_REQUEST.at(site=scene.site))
    await page.locator("#mode").click()
    await expect(page.locator("#steer [name=minutes]")).to_be_disabled()
    await page.get_by_label("Local").check()
    await expect(page.locator("#steer [name=kw]")).to_be_disabled()
    await page.locator("#steer [name=minutes]").select_option("15")
    await page.locator("#steer [name=who]").fill("Ann")
    await page.get_by_role("button", name="Ask for it").click()
    got = await asyncio.wait_for(listening, SOON / 1000)
    assert isinstance(got.message, ControlRequest)
    assert (got.message.mode, got.message.power, got.message.who) == (Mode.LOCAL, None, "Ann")
    assert got.message.until is not None
    assert timedelta(minutes=14) < got.message.until - utc_now() <= timedelta(minutes=15)
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_a_grid_mode_is_asked_for_with_a_reason(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    listening = await hearing(scene.buses["dispatch"], topics.CONTROL_REQUEST.at(site=scene.site))
    await page.locator("#mode").click()
    await expect(page.locator("#steer [name=kw]")).to_be_disabled()
    await expect(page.get_by_label("Form a grid")).to_be_disabled(timeout=SOON)
    bars = page.locator("#bars")
    await expect(bars).to_contain_text("the PCS (pcs1) is running: ask for a lockout first")
    await scene.measure("pcs1", p=0.0, state="standby")
    await page.get_by_label("Form a grid").check(timeout=SOON)
    await expect(bars).to_have_text("")
    await page.locator("#steer [name=who]").fill("Ann")
    ask = page.get_by_role("button", name="Ask for it")
    await ask.click()
    why = page.locator("#steer [name=why]")
    await expect(why.and_(page.locator(":invalid"))).to_have_attribute("placeholder", "a grid mode needs a reason")
    await why.fill("island test")
    await ask.click()
    got = await asyncio.wait_for(listening, SOON / 1000)
    assert isinstance(got.message, ControlRequest)
    assert (got.message.mode, got.message.action, got.message.why) == (None, Action.GRID_FORMING, "island test")
    await page.locator("#mode").click()
    await page.get_by_label("Auto").check()
    await expect(why).to_have_attribute("placeholder", "optional")
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_of_two_that_can_form_a_grid_one_is_chosen(scene: Scene, tmp_path: Path) -> None:
    """A page of its own, at a broker of its own: of one site there is one page."""
    own, port = Broker(tmp_path / "broker"), free_port()
    site = two(tmp_path)
    site.profiles["pcs2"] = site.profiles["pcs1"]
    try:
        await asyncio.to_thread(own.start)
        settings = Settings(parse_broker(own.url("status"), "status", None, {}), await archive(tmp_path, site.site))
        async with AsyncExitStack() as stack:
            serving = asyncio.create_task(run(Part("status", site, settings), port=port))
            stack.push_async_callback(ended, serving)
            place = parse_broker(own.url("dispatch"), "dispatch", None, {})
            dispatch = await stack.enter_async_context(Bus(place, identifier="dispatch"))
            await answering(f"http://127.0.0.1:{port}")
            page = await scene.context.new_page()
            await page.goto(f"http://127.0.0.1:{port}")
            await expect(page.locator("#lamp")).to_have_text("live", timeout=SOON)
            listening = asyncio.create_task(heard(dispatch, topics.CONTROL_REQUEST.at(site=site.site)))
            await page.locator("#mode").click()
            await expect(page.get_by_label("Form a grid")).to_be_disabled()
            bridge = await stack.enter_async_context(
                Bus(parse_broker(own.url("bridge"), "bridge", None, {}), identifier="bridge")
            )
            at_rest = Telemetry(at=utc_now(), epoch=EPOCH, seq=1, values={"state": "standby"})
            address = topics.TELEMETRY.at(site=site.site, device="pcs2")
            auto = ControlMode(at=utc_now(), mode=Mode.AUTO, who="dispatch")
            await dispatch.send(topics.CONTROL_MODE.at(site=site.site), auto.model_dump_json().encode(), retain=True)
            await bridge.send(address, at_rest.model_dump_json().encode(), retain=False)
            which = page.locator("#steer [name=battery]")
            await expect(which).to_be_disabled()
            await page.get_by_label("Form a grid").check(timeout=SOON)
            await page.locator("#steer [name=who]").fill("Ann")
            await page.locator("#steer [name=why]").fill("island test")
            ask = page.get_by_role("button", name="Ask for it")
            await ask.click()
            await expect(which.and_(page.locator(":invalid"))).to_be_visible()
            await which.select_option("yard")
            await ask.click()
            got = await asyncio.wait_for(listening, 5)
            assert (got.message.action, got.message.battery) == (Action.GRID_FORMING, "yard")
            await page.close()
    finally:
        await asyncio.to_thread(own.stop)


@in_one_loop
async def test_the_load_is_told_by_name_on_a_phone_and_doubted_in_words(scene: Scene, tmp_path: Path) -> None:
    """A site with loads that are measured, at a broker of its own: of one site there is one page."""
    own, port = Broker(tmp_path / "broker"), free_port()
    site = load_plant(tmp_path, ', behind = "hall"')
    try:
        await asyncio.to_thread(own.start)
        settings = Settings(parse_broker(own.url("status"), "status", None, {}), await archive(tmp_path, site.site))
        async with AsyncExitStack() as stack:
            serving = asyncio.create_task(run(Part("status", site, settings), port=port))
            stack.push_async_callback(ended, serving)
            place = parse_broker(own.url("bridge"), "bridge", None, {})
            bridge = await stack.enter_async_context(Bus(place, identifier="bridge"))
            await answering(f"http://127.0.0.1:{port}")
            plant = Scene(site.site, {"bridge": bridge}, f"http://127.0.0.1:{port}", scene.context)
            page = await plant.open(reduced_motion="reduce")
            await page.set_viewport_size({"width": 400, "height": 900})
            loads = page.locator("#loads")
            for device, power in (("grid", 30e3), ("pcs1", 10e3), ("pv1", 20e3), ("press", 15e3)):
                await plant.measure(device, p=power)
            await expect(loads).to_contain_text("press (in hall) 15.0 kW", timeout=SOON)
            await expect(loads).to_contain_text("other load –")
            await plant.measure("hall", p=40e3)
            await expect(loads).to_contain_text("other load 20.0 kW", timeout=SOON)
            await expect(page.locator("#loads-doubt")).to_be_empty()
            await plant.measure("hall", p=90e3)
            await expect(page.locator("#loads-doubt")).to_contain_text("draw more than grid, batteries", timeout=SOON)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert plant.complaints == []
            await page.close()
    finally:
        await asyncio.to_thread(own.stop)


async def ask_for(page: Page, mode: str) -> None:
    await page.locator("#mode").click()
    await page.locator(f"#steer [name=mode][value={mode.lower()}]").check()
    await page.locator("#steer [name=who]").fill("Ann")
    await page.get_by_role("button", name="Ask for it").click()


@in_one_loop
async def test_what_became_of_a_request_is_shown_where_it_was_asked(scene: Scene) -> None:
    """Followed, refused, or nobody there: never "asked" for ever."""
    page = await scene.open()
    await scene.everything()
    asked = page.locator("#asked")
    dispatch, address = scene.buses["dispatch"], topics.CONTROL_REQUEST.at(site=scene.site)

    listening = await hearing(dispatch, address)
    await ask_for(page, "Auto")
    first = (await asyncio.wait_for(listening, SOON / 1000)).message
    await expect(asked).to_have_text("Auto: asked, waiting for dispatch×", timeout=SOON)
    other = told(first).model_copy(update={"id": "of-another-page", "followed": True})
    await scene.say("dispatch", topics.CONTROL_OUTCOME, other)
    words = "manual is held by Ben until 12:00Z: only Ben may end it, or a lockout"
    await scene.say("dispatch", topics.CONTROL_OUTCOME, told(first, Cause.AUTHORITY, words))
    await expect(asked).to_have_text(f"Auto is refused: {words}×", timeout=SOON)
    await expect(asked).to_have_class("asked bad")

    listening = await hearing(dispatch, address)
    await ask_for(page, "Lockout")
    second = (await asyncio.wait_for(listening, SOON / 1000)).message
    assert second.id not in (first.id, None)
    await scene.say("dispatch", topics.CONTROL_OUTCOME, told(second))
    await expect(asked).to_have_text("Lockout: dispatch follows×", timeout=SOON)
    await asked.get_by_role("button", name="Close").click()
    await expect(asked).to_be_hidden()
    words = "yard: not_obeyed: it still runs"
    await scene.say("dispatch", topics.CONTROL_OUTCOME, told(second, Cause.NOT_OBEYED, words))
    await expect(asked).to_have_text(f"Lockout is not followed: {words}×", timeout=SOON)
    proven = told(second).model_copy(update={"reason": "verified: off"})
    await scene.say("dispatch", topics.CONTROL_OUTCOME, proven)
    await expect(asked).to_have_text("Lockout: dispatch follows; verified: off×", timeout=SOON)

    listening = await hearing(dispatch, address)
    await ask_for(page, "Lockout")
    await asyncio.wait_for(listening, SOON / 1000)
    await expect(asked).to_contain_text("waiting for dispatch", timeout=SOON)
    await expect(asked).to_have_text("Lockout: no answer in 5 s. Is dispatch running?×", timeout=SOON)
    await asked.get_by_role("button", name="Close").click()
    await expect(asked).to_be_hidden()
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_a_refused_reset_is_told_at_its_alarm_and_a_done_one_when_the_alarm_is_gone(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    await scene.say("alarms", topics.ALARM, alarm(AlarmState.LATCHED), alarm="hot-bms1")
    await scene.say("alarms", topics.ALARM, alarm(AlarmState.UNACKNOWLEDGED), alarm="cold-bms1")
    row, other = (page.locator(f"#alarms li[data-key={name}-bms1]") for name in ("hot", "cold"))

    async def reset() -> Any:
        listening = await hearing(scene.buses["alarms"], topics.ALARM_REQUEST.at(site=scene.site))
        await row.get_by_role("button", name="Reset").click(timeout=SOON)
        await page.locator("#ask [name=who]").fill("Ann")
        await page.keyboard.press("Enter")
        return (await asyncio.wait_for(listening, SOON / 1000)).message

    words = "the alarm is unacknowledged now: there is nothing to reset <b>"
    await scene.say("alarms", topics.ALARM_OUTCOME, told(await reset(), Cause.WRONG_STATE, words), alarm="hot-bms1")
    await expect(row.locator("[data-f=asked]")).to_have_text(f"Reset is refused: {words}", timeout=SOON)
    await expect(row.get_by_role("button", name="Close")).to_be_visible()
    await expect(other.locator("[data-asked]")).to_be_hidden()
    await expect(page.locator("#asked")).to_be_hidden()

    again = await reset()
    await scene.say("alarms", topics.ALARM, None, alarm="hot-bms1")
    await expect(row).to_have_count(0, timeout=SOON)
    await scene.say("alarms", topics.ALARM_OUTCOME, told(again), alarm="hot-bms1")
    await expect(page.locator("#toast")).to_have_text("Reset: done", timeout=SOON)
    await scene.say("alarms", topics.ALARM, None, alarm="cold-bms1")
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_a_latching_alarm_offers_no_shelf_and_silence_is_told_in_seconds(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    mute = {"point": "p", "value": 5.1, "limit": 5.0, "silent": True}
    await scene.measure("bms1", late=5.1, soc=63.4)
    await scene.say("alarms", topics.ALARM, alarm(AlarmState.UNACKNOWLEDGED).model_copy(update=mute), alarm="mute-bms1")
    latching = alarm(AlarmState.UNACKNOWLEDGED).model_copy(update={"latched": True})
    await scene.say("alarms", topics.ALARM, latching, alarm="hot-bms1")
    silent, hot = (page.locator(f"#alarms li[data-key={name}-bms1]") for name in ("mute", "hot"))
    for seconds in ("5|6", "8|9"):  # it counts as long as nothing comes
        words = re.compile(
            rf"bms1\s+no telemetry for ({seconds}) s \(limit 5 s\) · since \d\d:\d\d:\d\d \(3 min \d\d s\)"
        )
        await expect(silent).to_contain_text(words, timeout=SOON)
    await scene.measure("bms1", soc=63.4)
    await expect(silent).to_contain_text("telemetry has come back", timeout=SOON)
    await expect(silent.get_by_role("button", name="Shelve")).to_be_visible()
    await expect(hot.locator("[data-ask=ack]")).to_be_visible()
    await expect(hot.locator("[data-ask=shelve]")).to_be_hidden()
    for name in ("mute", "hot"):
        await scene.say("alarms", topics.ALARM, None, alarm=f"{name}-bms1")
    await page.close()
    assert scene.complaints == []


LEAVE = "Leave the room and call the fire service."
EVIL = "<img src=x onerror=alert(3)>"
OVER = {"active": False, "cause": "It was hot.", "response": LEAVE, "requests": ["ack", "comment"]}
LISTED: dict[str, dict[str, Any]] = {
    "hot-bms1": {"priority": AlarmPriority.CRITICAL, "active": True, "cause": "It is hot.", "response": LEAVE,
                 "time_to_respond": 600.0, "latched": True, "first_out": True, "did": "Charge is blocked.",
                 "requests": ["ack", "comment", "out_of_service"], "condition": "cell_t_max > 45 degC", "unit": "degC"},
    "cold-bms1": {"active": True, "consequence_of": "hot-bms1", "requests": ["ack", "shelve"]},
    "over-bms1": OVER | {"state": AlarmState.RETURNED, "priority": AlarmPriority.CRITICAL},
    "older-bms1": {"state": AlarmState.RETURNED, "text": LEAVE},
    "mute-pcs1": {"device": "pcs1", "point": "p", "value": 12.0, "limit": 0.0, "silent": True, "comment": EVIL,
                  "why": EVIL, "by": EVIL, "active": True, "requests": ["ack", "shelve", "comment"]},
    "down-archive": {"device": "archive", "point": "state", "value": "offline", "limit": None, "active": True,
                     "priority": AlarmPriority.LOW, "cause": "A part of joulebus does not run.", "requests": ["ack"]},
    "off-pv1": {"device": "pv1", "state": AlarmState.OUT_OF_SERVICE, "active": True, "by": "Eve",
                "requests": ["in_service"]},
}  # fmt: skip
READS: dict[str, list[str | re.Pattern[str]]] = {
    "hot-bms1": [
        "critical",
        "active, not acknowledged",
        re.compile(r"6 min \d\d s left to respond"),
        "46.0 °C (limit 45.0 °C)",
        "first-out",
    ],
    "over-bms1": ["over since", "waits for acknowledgement", "It was hot."],
    "older-bms1": ["over since", "Older"],
    "mute-pcs1": ["pcs1", re.compile(r"no telemetry for \d\d s")],
    "down-archive": ["service archive", "archive: A part of joulebus does not run."],
    "off-pv1": ["out of service by Eve, active"],
}


async def listed(scene: Scene, *names: str) -> None:
    for name in names:
        await scene.say("alarms", topics.ALARM, alarm().model_copy(update=LISTED[name]), alarm=name)


async def unlisted(scene: Scene) -> None:
    for name in LISTED:
        await scene.say("alarms", topics.ALARM, None, alarm=name)


@in_one_loop
async def test_the_list_says_of_each_alarm_how_it_is_and_never_to_run_from_what_is_over(scene: Scene) -> None:
    await scene.everything()
    await scene.measure("pcs1", late=12, p=0.0)
    await listed(scene, *LISTED)
    page = await scene.open("/alarms#q=bms1")
    row = {name: page.locator(f"#list tbody[data-key={name}]") for name in LISTED}
    await expect(page.locator("#list tbody")).to_have_count(3, timeout=SOON)
    await expect(page.locator("#in-view")).to_have_text(
        "3 of 7 shown, 3 not acknowledged; 1 more among the folded consequences"
    )
    await expect(row["hot-bms1"].locator("[data-fold]")).to_have_text("+ 1 consequence, worst high")
    await row["hot-bms1"].locator("[data-fold]").click()
    await expect(row["cold-bms1"]).to_be_visible()
    await page.get_by_role("button", name="Clear").click()
    await expect(page.locator("#list tbody")).to_have_count(7)
    assert page.url.endswith("/alarms")
    for name, words in READS.items():
        for one in words:
            await expect(row[name]).to_contain_text(one)
    for name in ("over-bms1", "older-bms1"):
        await row[name].locator("[data-open]").click()
        await expect(row[name]).to_have_class(re.compile(r"\bover\b"))
    assert (await page.locator("main").inner_text()).count(LEAVE) == 1, "of what is hot now"
    await row["hot-bms1"].locator("[data-open]").click()
    await expect(row["hot-bms1"].locator("[data-ask=shelve]")).to_be_hidden()
    await expect(row["hot-bms1"].locator("[data-ask=out_of_service]")).to_be_visible()
    await row["mute-pcs1"].locator("[data-open]").click()
    await expect(row["mute-pcs1"].locator(".facts")).to_contain_text(f"{EVIL}: {EVIL}")
    assert await page.locator("main img").count() == 0
    await page.get_by_label("State").select_option("out_of_service")
    await expect(page.locator("#list tbody")).to_have_count(1)
    assert page.url.endswith("#state=out_of_service")
    front = await scene.open()
    pills = front.locator("#alarm-pills")
    await expect(pills).to_contain_text("1 critical", timeout=SOON)
    await expect(pills.locator(".calls")).to_have_count(2)
    await expect(pills).to_contain_text("6 not acknowledged, worst critical")
    await expect(front.locator("main.calls")).to_have_count(1)
    card = front.locator("#alarms > li[data-key=hot-bms1]")
    await expect(card.locator("> .under > summary")).to_have_text("+ 1 consequence, worst high")
    await expect(card.locator("li[data-key=cold-bms1]")).to_be_hidden()
    await expect(front.locator("#alarms > li[data-key=over-bms1]")).not_to_contain_text(LEAVE)
    await expect(front.locator("#more-alarms")).to_contain_text("1 shelved, suppressed or out of service")
    await unlisted(scene)
    await expect(pills).to_have_text("No alarms", timeout=SOON)
    await expect(front.locator("main.calls")).to_have_count(0)
    await page.close()
    await front.close()
    assert scene.complaints == []


@in_one_loop
async def test_all_in_view_are_acknowledged_and_no_others_and_each_answers_in_its_row(scene: Scene) -> None:
    await scene.everything()
    await listed(scene, *LISTED)
    page = await scene.open("/alarms#device=bms1")
    await expect(page.locator("#list tbody")).to_have_count(3, timeout=SOON)
    bus, address, requests = scene.buses["alarms"], topics.ALARM_REQUEST.at(site=scene.site), dict[str, AlarmRequest]()
    await bus.subscribe([(address, 1)])

    async def collect() -> None:
        async for batch in bus.listen(address):
            requests.update({one.place["alarm"]: one.message for one in batch if one.message})
            bus.ack(batch)

    collecting = asyncio.create_task(collect())
    await page.get_by_role("button", name="Acknowledge all in view").click()
    names = page.locator("#ask-list li")
    await expect(page.locator("#ask-what")).to_contain_text("3 alarms in view, 2 of them critical")
    await expect(page.locator("#ask-what")).to_contain_text("Folded consequences are not in view: 1 stays")
    await expect(names).to_have_text(
        [re.compile("critical: It is hot"), re.compile("critical"), re.compile("high: Older")]
    )
    await page.locator("#ask [name=who]").fill("Ann")
    await page.keyboard.press("Enter")
    seen = {"hot-bms1", "over-bms1", "older-bms1"}
    for _ in range(100):
        await asyncio.sleep(0.05)
        if set(requests) >= seen:
            break
    await asyncio.sleep(0.3)
    assert {name: (one.action, one.who) for name, one in requests.items()} == dict.fromkeys(seen, ("ack", "Ann"))
    for name in seen:
        refused = (Cause.WRONG_STATE, f"it is unacknowledged again {EVIL}") if name == "hot-bms1" else ()
        await scene.say("alarms", topics.ALARM_OUTCOME, told(requests[name], *refused), alarm=name)
    row = page.locator("#list tbody[data-key=hot-bms1]")
    await expect(row.locator("[data-f=asked]")).to_have_text(
        f"Acknowledge is refused: it is unacknowledged again {EVIL}", timeout=SOON
    )
    await expect(page.locator("#ack-told")).to_have_text("2 of 3 acknowledged; 1 refused: why stands in the row.")
    collecting.cancel()
    await unlisted(scene)
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_an_alarm_is_commented_taken_out_of_service_and_explained(scene: Scene) -> None:
    await scene.everything()
    await listed(scene, "hot-bms1", "cold-bms1")
    page = await scene.open("/alarms")
    row = page.locator("#list tbody[data-key=hot-bms1]")
    await row.locator("[data-open]").click(timeout=SOON)
    for topic, button, action in (
        (topics.ALARM_REQUEST, "Comment", "comment"),
        (topics.ALARM_MAINTENANCE, "Out of service", "out_of_service"),
    ):
        listening = await hearing(scene.buses["alarms"], topic.at(site=scene.site))
        await row.get_by_role("button", name=button).click()
        await page.locator("#ask [name=who]").fill("Eve")
        await page.keyboard.press("Enter")
        await expect(page.locator("#ask [name=why]:invalid")).to_be_visible()
        await page.locator("#ask [name=why]").fill(EVIL)
        await page.keyboard.press("Enter")
        got = await asyncio.wait_for(listening, SOON / 1000)
        assert (got.message.action, got.message.why, got.place["alarm"]) == (action, EVIL, "hot-bms1")
    await row.get_by_role("button", name="Explain").click()
    explained = page.locator("#explain")
    await expect(explained).to_contain_text("raised when cell_t_max > 45 degC", timeout=SOON)
    await expect(explained).to_contain_text("the first-out")
    await expect(page.locator("#trend-words")).to_contain_text("cell_t_max: the archive has no numbers")
    await page.keyboard.press("Escape")
    listening = await hearing(scene.buses["notify"], topics.NOTIFY_REQUEST.at(site=scene.site))
    await page.get_by_role("button", name="Send a test").click()
    await expect(page.locator("#ask-what")).to_contain_text("by all channels of anna")
    await page.keyboard.press("Enter")
    got = await asyncio.wait_for(listening, SOON / 1000)
    assert (got.message.person, got.message.channel, got.message.who) == ("anna", None, "Eve")
    said, words = page.locator("#notify [data-f=asked]"), ("on its way by hook", f"hook: not sent: {EVIL}")
    for followed, reason in zip((True, False), words, strict=True):
        answer = NotifyOutcome(id=got.message.id, at=utc_now(), followed=followed, reason=reason)
        await scene.say("notify", topics.NOTIFY_OUTCOME, answer)
        between = ":" if followed else " is not followed:"
        await expect(said).to_have_text(f"Test by all channels of anna{between} {reason}", timeout=SOON)
    row = page.locator("#changes tbody[data-alarm=hot-bms1]").filter(has_text="not told")
    await expect(row).to_contain_text(f"not told to anna by hook, tried again: {EVIL}", timeout=SOON)
    await expect(row.locator("[data-f=what]")).to_have_text("hot-bms1 and 1 more")
    await scene.say("alarms", topics.ALARM_FIGURES, FIGURES)
    await expect(page.locator("#figures li[data-key=per_hour]")).to_contain_text("beyond its target", timeout=SOON)
    await scene.say("alarms", topics.ALARM_FIGURES, None)
    await expect(page.locator("#figures-none")).to_have_text("Not known yet.", timeout=SOON)
    await unlisted(scene)
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_a_link_opens_its_alarm_on_a_phone_with_what_to_do_and_the_button_in_view(scene: Scene) -> None:
    await scene.everything()
    await listed(scene, *LISTED)
    page = await scene.open("/alarms#cold-bms1")
    await page.set_viewport_size({"width": 400, "height": 800})
    await expect(page.locator("#list tbody")).to_have_count(1, timeout=SOON)
    await expect(page.locator("#list tbody[data-key=cold-bms1]")).to_contain_text("follows from hot-bms1")
    await page.goto(f"{scene.address}/alarms#hot-bms1")  # another link of the same page
    row = page.locator("#list tbody[data-key=hot-bms1]")
    for part in (
        row.get_by_text(LEAVE),
        row.get_by_role("button", name="Acknowledge"),
        row.get_by_text("cell_t_max > 45"),
    ):
        await expect(part).to_be_in_viewport(ratio=1, timeout=SOON)
    await scene.say("alarms", topics.ALARM, None, alarm="hot-bms1")
    await expect(page.locator("#no-alarms")).to_have_text("hot-bms1 is not raised now.", timeout=SOON)
    await page.get_by_role("button", name="Show all").click()
    await expect(page.locator("#list tbody")).to_have_count(len(LISTED) - 1)
    assert page.url.endswith("/alarms")
    await page.goto(f"{scene.address}/alarms#gone-bms1")
    gone = page.locator("#explain-fault")
    await expect(gone).to_have_text("no alarm gone-bms1 was raised in the last 31 days", timeout=SOON)
    await unlisted(scene)
    await page.close()
    assert [one for one in scene.complaints if "404" not in one] == []
    scene.complaints.clear()


@in_one_loop
async def test_the_headline_is_what_is_told_and_a_sentence_stands_once(scene: Scene) -> None:
    """`Discharge 92.0 kW` stood above a battery that was told nothing, and its reason three times; `auto` in marks."""
    page = await scene.open()
    await scene.everything()
    done = {"p_set": 92e3}
    before = Outcome(id="c9", at=utc_now(), state=OutcomeState.VERIFIED, requested=done, applied=done)
    await scene.say("bridge", topics.OUTCOME, before, device="pcs1")
    await expect(page.locator("#wanted")).to_have_text("Discharging 92.0 kW", timeout=SOON)
    why = "pcs1 is steered at its own panel; nothing is sent"
    aside = BatteryDispatch(takes_part=False, reason=why)
    does = ControlDispatch(at=utc_now(), mode=Mode.AUTO, reason=why, batteries={"battery": aside})
    await scene.say("dispatch", topics.CONTROL_DISPATCH, does)
    status = online().model_copy(update={"detail": f"auto: {why}; not kept on the disk: full"})
    await scene.say("dispatch", topics.SERVICE_STATUS, status, service="dispatch")
    await scene.say("alarms", topics.ALARM, alarm(text="Ask for `auto` then."), alarm="marks-bms1")
    head = "No command: pcs1 is steered at its own panel"
    await expect(page.locator("#wanted")).to_have_text(head, timeout=SOON)
    await expect(page.locator("#alarms")).to_contain_text("Ask for auto then.")
    await expect(page.locator("#services")).to_contain_text("not kept on the disk: full")
    text = await page.locator("main").inner_text()
    assert (text.count("steered at its own panel"), text.count("nothing is sent")) == (1, 1)
    await scene.say("alarms", topics.ALARM, None, alarm="marks-bms1")
    await scene.say("dispatch", topics.CONTROL_DISPATCH, None)
    await page.close()
    assert scene.complaints == []


@in_one_loop
async def test_a_refused_command_is_not_shown_as_if_it_were_done(scene: Scene) -> None:
    page = await scene.open()
    await scene.everything()
    refused = Outcome(
        id="c2", at=utc_now(), state=OutcomeState.REFUSED, requested={"p_set": 30e3}, reason="a retained command"
    )
    await scene.say("bridge", topics.OUTCOME, refused, device="pcs1")
    await expect(page.locator("#wanted")).to_have_text("Last command refused: a retained command", timeout=SOON)
    await page.close()
    assert scene.complaints == []


EIGHT = [
    *(("critical", "bms1"), ("high", "grid"), ("high", "pcs1"), ("medium", "pv1")),
    *(("medium", "bms1"), ("low", "grid"), ("low", "pcs1"), ("low", "pv1")),
]
LONG = "Import is far above the limit of the connection, for longer than the contract allows. " * 3


async def eight(scene: Scene, state: AlarmState | None) -> None:
    """Every third of them is acknowledged in any case."""
    for number, (priority, device) in enumerate(EIGHT):
        now = AlarmState.ACKNOWLEDGED if state and number % 3 == 1 else state
        one = alarm(now, LONG) if now else None
        one = one and one.model_copy(update={"priority": AlarmPriority(priority), "device": device})
        await scene.say("alarms", topics.ALARM, one, alarm=f"long{number}-{device}")


async def looks(page: Page, *widths: int) -> None:
    """At each width, in both schemes."""
    for width in widths:
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate(FITS) == [], width
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert await page.evaluate(CONTRAST) == [], scheme


@in_one_loop
async def test_it_can_be_read_on_a_desk_and_on_a_phone_calm_and_with_eight_alarms(scene: Scene) -> None:
    page = await scene.open(reduced_motion="reduce")
    await scene.everything()
    limits = [
        Limited(point="p_set", source="bms:charge", wanted=-30e3, allowed=-20e3),
        *(Limited(point=point, source="register:budget", wanted=9e3, allowed=8e3) for point in ("p_set", "q_set")),
    ]
    outcome = Outcome(
        id="c1", at=utc_now(), state=OutcomeState.VERIFIED, requested={"p_set": -30e3}, applied={"p_set": -20e3},
        limited_by=limits,
    )  # fmt: skip
    await scene.say("bridge", topics.OUTCOME, outcome, device="pcs1")
    died = ServiceStatus(state="offline", detail="stopped")
    await scene.say("archive", topics.SERVICE_STATUS, died, service="archive")
    await expect(page.locator("#limits")).to_contain_text("limited by bms:charge −30.0 → −20.0 kW", timeout=SOON)
    await expect(page.locator("#limits")).to_contain_text("limited by register:budget 9.0 → 8.0 kW")
    await expect(page.locator("#limits")).to_contain_text("register:budget Reactive power told 9.0 → 8.0 kvar")
    await expect(page.locator(".uplot")).to_have_count(3, timeout=SOON)
    await expect(page.locator("#services-away .bad")).to_have_text("down", timeout=SOON)
    await expect(page.locator("#no-alarms")).to_be_visible(timeout=SOON)
    assert await page.locator("main > :first-child").get_attribute("class") == "card today"
    await expect(page.locator("#limits li")).to_have_count(3)  # a limit of two values was one more each second
    await looks(page, 1440, 1024, 400, 320)
    await eight(scene, AlarmState.UNACKNOWLEDGED)
    await expect(page.locator("#alarm-pills .count")).to_have_count(4, timeout=SOON)
    await expect(page.locator("main > :first-child #alarms > li")).to_have_count(6)
    await expect(page.locator("#doing")).to_have_text("Charging 20.0 kW")
    await page.evaluate("document.querySelector('h1').textContent = 'A site with a long name '.repeat(9)")
    await looks(page, 1440, 1024, 768, 400, 320)
    assert await page.evaluate("document.getAnimations().length") == 0, "whoever wants no motion gets none"
    shelve = page.locator("#alarms li[data-key=long0-bms1]").get_by_role("button", name="Shelve")
    await shelve.focus()
    await eight(scene, AlarmState.ACKNOWLEDGED)
    await expect(page.locator("main > :first-child")).to_have_class("card today", timeout=SOON)
    await expect(shelve).to_be_focused()
    await page.locator("#services-all > summary").click()
    await page.locator("#mode").click()
    assert await page.evaluate(FITS) == [], "with a dialog and what was folded"
    assert await page.evaluate(UNNAMED) == []
    await fonts(page)
    await without_javascript(scene)
    await page.goto(f"{scene.address}/alarms")
    await page.locator("#list [data-open]").first.click(timeout=SOON)
    await expect(page.get_by_role("button", name="Explain")).to_be_visible()
    await page.evaluate(
        "document.querySelectorAll('.bar select').forEach(s => s.append(new Option('long_'.repeat(20))))"
    )
    await looks(page, 1440, 1024, 400, 320)
    assert await page.evaluate(UNNAMED) == []
    await eight(scene, None)
    await page.close()
    assert scene.complaints == []


async def without_javascript(scene: Scene) -> None:
    """It says what it needs, and shows no cards that stay empty."""
    assert scene.context.browser is not None
    page = await scene.context.browser.new_page(java_script_enabled=False)
    await page.goto(scene.address)
    await expect(page.locator("noscript > .banner")).to_be_visible()
    assert not await page.locator("main, footer, #mode, #lamp").filter(visible=True).count()
    await page.close()


async def fonts(page: Page) -> None:
    """The browser that is fetched has the families of a system, also for what is drawn."""
    if "FONTCONFIG_FILE" not in neighbours.chromium().env:
        return
    asked = await page.context.new_cdp_session(page)
    await asked.send("DOM.enable")
    await asked.send("CSS.enable")
    root = (await asked.send("DOM.getDocument"))["root"]["nodeId"]
    for place in ("#h-today", "#flow .name", "#mode", "#because"):
        node = await asked.send("DOM.querySelector", {"nodeId": root, "selector": place})
        found = await asked.send("CSS.getPlatformFontsForNode", {"nodeId": node["nodeId"]})
        assert {one["familyName"] for one in found["fonts"]} == {"DejaVu Sans"}, place


@in_one_loop
@pytest.mark.parametrize("seed", range(20 if FULL else 2))
async def test_whatever_is_said_the_page_goes_on(scene: Scene, seed: int) -> None:
    """Each role says what it may say, and none of it as it should: the page never stops, and never shows nonsense."""
    page, alarms, mutations = await scene.open(), await scene.open("/alarms"), Mutations(seed)
    await scene.everything()
    names = {"device": (*DEVICES, "nobody"), "alarm": ("soc_low-bms1", "x"), "service": ROLES, "site": (scene.site,)}
    said: set[tuple[str, str]] = set()
    points = ("p", "soc", "state", "alarms", "u", "i", "dc_u", "cell_u_max", "x")
    for number in range(1500):
        if number % 10 == 0:  # a good sample, of values of another kind than its device has
            strange: dict[str, Any] = {
                point: mutations.random.choice((5.0, 1e50, "running", [], ["a"])) for point in points
            }
            await scene.measure(mutations.random.choice([*DEVICES]), **strange)
        topic = mutations.random.choice([one for one in topics.TOPICS if one.writers[0] in ROLES])
        role = mutations.random.choice([role for role in topic.writers if role in ROLES])
        place = {name: mutations.random.choice(names[name]) for name in topic.places}
        place |= {"service": role} if topic is topics.SERVICE_STATUS else {}
        with suppress(Refused):  # the access list: each its own devices and services
            await scene.buses[role].send(topic.at(**place), mutations.payload(topic), retain=topic.retain)
        said |= {(role, topic.at(**place))} if topic.retain else set()
    for role, address in said:
        with suppress(Refused):
            await scene.buses[role].send(address, b"", retain=True)
    await scene.measure("grid", p=23_400.0)
    await scene.everything()
    await expect(page.locator("[data-node=pv] .value")).to_have_text("45.6", timeout=SOON)
    await expect(page.locator("#lamp")).to_have_text("live")
    await expect(page.locator("#mode")).to_have_text("AUTO", timeout=SOON)
    for one in (page, alarms):
        assert (await one.locator("body").inner_text()).count("undefined") == 0
        await one.close()
    assert scene.complaints == []


FOREIGN = """<!doctype html><title>foreign</title>
<form method="post" action="{target}" enctype="text/plain">
<input name='{{"mode": "lockout", "who": "' value='"}}'></form>
<script>
const tries = ["no-cors", "cors"].map((mode) => fetch("{target}", {{ method: "POST", mode, body: '{body}' }}));
const named = fetch("{target}", {{ method: "POST", headers: {{ "x-joulebus": "page" }}, body: '{body}' }});
Promise.allSettled([...tries, named]).then(() => document.forms[0].submit());
</script>"""
"""A page of another site that tries all that a browser lets it: fetch three ways, then a form."""


@in_one_loop
async def test_a_page_of_another_site_moves_nothing(scene: Scene) -> None:
    body = '{"mode": "lockout", "who": "Mallory"}'
    html = FOREIGN.format(target=f"{scene.address}/api/control", body=body).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + html)
        await writer.drain()
        writer.close()

    listening = await hearing(scene.buses["dispatch"], topics.CONTROL_REQUEST.at(site=scene.site))
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "attacker.example"):  # another port of this machine, and a name of its own
            page = await scene.context.new_page()
            answers = list[tuple[str, int]]()
            page.on("response", lambda got: answers.append((got.request.method, got.status)))  # noqa: B023
            await page.goto(f"http://{host}:{port}")
            await page.wait_for_url(f"{scene.address}/api/control")
            assert "another site's page may not act here" in await page.content()
            assert {code for method, code in answers if method == "POST"} == {403}
            await page.close()
        await asyncio.sleep(0.3)
        assert not listening.done(), "nothing went out"
    page = await scene.context.new_page()
    rebound = await page.goto(scene.address.replace("127.0.0.1", "attacker.example"))
    assert rebound is not None
    assert rebound.status == 403
    await page.close()
    page = await scene.open()
    await scene.everything()
    await ask_for(page, "Lockout")
    got = await asyncio.wait_for(listening, SOON / 1000)
    assert got.message.who == "Ann", "and our own page acts"
    await page.close()


# --- without neighbours --------------------------------------------------------------------------------


async def test_without_broker_and_database_the_page_says_so_at_once(tmp_path: Path) -> None:
    port, nowhere = free_port(), free_port()
    settings = Settings(
        parse_broker(f"mqtt://127.0.0.1:{nowhere}", "status", None, {}),
        f"mariadb+asyncmy://ems:x@127.0.0.1:{nowhere}/ems",
    )
    serving = asyncio.create_task(run(Part("status", page_site(tmp_path), settings, patience=None), port=port))
    try:
        await answering(f"http://127.0.0.1:{port}")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=1) as asking:
            assert (await asking.get("/")).status_code == 200
            series = (await asking.get("/api/series")).json()
            state = (await asking.get("/api/state")).json()
            health = await asking.get("/health")
            wish = await asking.post(
                "/api/control", json={"mode": "auto", "who": "Ann"}, headers={"x-joulebus": "page"}
            )
    finally:
        await ended(serving)
    assert (state["broker"], state["archive"]) == (False, False)
    assert {part["state"] for part in state["flow"].values()} == {"missing"}
    assert series["fault"] == "the archive cannot be read"
    assert len(series["at"]) == len(series["columns"]["load"]) > 0
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert (wish.status_code, wish.json()["detail"]) == (503, "there is no connection to the broker")


async def test_a_port_in_use_is_said_in_words(tmp_path: Path) -> None:
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "status", None, {}), f"sqlite+aiosqlite:///{tmp_path}/a.db")
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(Trouble, match=f"127.0.0.1:{port}: Address already in use; give another"):
            await run(Part("status", page_site(tmp_path), settings), port=port)
