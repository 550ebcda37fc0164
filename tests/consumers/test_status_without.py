"""The page without its tariff, its prices or its archive: every address answers, and says in words what is missing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from consumers.status.alarm_past import AlarmPast
from consumers.status.app import create_app
from consumers.status.archive import Archive
from consumers.status.curves import Curves
from consumers.status.service import moment
from consumers.status.slots import slots
from consumers.status.state import State
from consumers.status.today import Today
from consumers.status.view import view
from runtime.database import engine
from runtime.history import History
from schemas.site import Site
from schemas.site_file import load_site
from tests.consumers.test_status_api import Said
from tests.consumers.test_status_state import page_site

PRICED = b'[import.day_ahead]\nfile = "prices.csv"\n'
GONE, FOLDER = "gone", "a folder"
LOST: dict[str, dict[str, bytes | str]] = {
    "nothing": {},
    "no tariff": {"tariff.toml": GONE},
    "a tariff that is a folder": {"tariff.toml": FOLDER},
    "a tariff that is no TOML": {"tariff.toml": b"[[import"},
    "a tariff of other bytes": {"tariff.toml": b"\xff\xfe\x00"},
    "a tariff with a wrong key": {"tariff.toml": b"price = 1\n"},
    "no price file": {"tariff.toml": PRICED},
    "a price file that cannot be read": {"tariff.toml": PRICED, "prices.csv": b"\xff\xfe\x00"},
    "a price file that is a folder": {"tariff.toml": PRICED, "prices.csv": FOLDER},
}
ARCHIVES = {"no server": "mysql+asyncmy://joulebus@127.0.0.1:1/joulebus", "no table": "sqlite+aiosqlite:///{}/none.db"}
PAST, EXPLAIN = "/api/alarms/history", "/api/alarms/soc_low-bms1/explain"
ANSWERED = (
    "/",
    "/api/state",
    "/api/series",
    "/api/series?hours=2",
    "/api/today",
    "/api/series?day=2026-03-29",
    "/api/plan",
    "/health",
    "/alarms",
    "/api/alarms/history",
    EXPLAIN,
)
"""Every address that is asked for once; the stream says what `/api/state` does."""


@asynccontextmanager
async def page(site: Site, archive: str) -> AsyncIterator[httpx.AsyncClient]:
    """The real application, with a state that has heard nothing and an archive that is not there."""
    state, database = State(site, broker=True), engine(archive)
    history, asked = History(database), Archive(state)
    curves, past = Curves(state, history, asked), AlarmPast(state, history, asked, moment)
    app = create_app(
        site,
        lambda: view(state, moment()),
        curves.over,
        Said().publish,
        past=past,
        today=Today(state, history, asked).figures,
        slots=lambda: slots(None, moment().at, site.zone),
    )
    routes = {route.path for route in app.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())}
    assert {one.replace("{alarm}", "soc_low-bms1") for one in routes} == {
        address.split("?")[0] for address in ANSWERED
    } | {"/events"}
    try:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            yield asking
    finally:
        await database.dispose()


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("lost", LOST)
async def test_every_address_answers_without(lost: str, archive: str, tmp_path: Path) -> None:
    page_site(tmp_path)
    for name, content in LOST[lost].items():
        (tmp_path / name).unlink(missing_ok=True)
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        elif content == FOLDER:
            (tmp_path / name).mkdir()
    async with page(load_site(tmp_path / "site.toml"), ARCHIVES[archive].format(tmp_path)) as asking:
        for address in ANSWERED:
            answer = await asking.get(address)
            assert answer.status_code == 200, (address, answer.text)
            assert answer.text
        for address in ("/api/series", "/api/today", PAST, EXPLAIN):
            assert (await asking.get(address)).json()["fault"] == "the archive cannot be read"
        assert (await asking.get("/api/state")).json()["mode"]["doubt"] == "dispatch is down"
