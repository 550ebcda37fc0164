"""The page without its tariff, its prices or its archive: every address answers, and says in words what is missing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from consumers.status.app import create_app
from consumers.status.curves import Curves
from consumers.status.service import moment
from consumers.status.state import State
from consumers.status.view import view
from runtime.database import engine
from runtime.history import History
from schemas.site import Site, load_site
from tests.consumers.test_status_api import Said
from tests.consumers.test_status_state import page_site

PRICED = '[import.day_ahead]\nfile = "prices.csv"\n'
LOST: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "no tariff": lambda folder: (folder / "tariff.toml").unlink(),
    "a tariff that is a folder": lambda folder: (
        (folder / "tariff.toml").unlink(),
        (folder / "tariff.toml").mkdir(),
    ),
    "a tariff that is no TOML": lambda folder: (folder / "tariff.toml").write_text("[[import", encoding="utf-8"),
    "a tariff of other bytes": lambda folder: (folder / "tariff.toml").write_bytes(b"\xff\xfe\x00"),
    "a tariff with a wrong key": lambda folder: (folder / "tariff.toml").write_text("price = 1\n", encoding="utf-8"),
    "no price file": lambda folder: (folder / "tariff.toml").write_text(PRICED, encoding="utf-8"),
    "a price file that cannot be read": lambda folder: (
        (folder / "tariff.toml").write_text(PRICED, encoding="utf-8"),
        (folder / "prices.csv").write_bytes(b"\xff\xfe\x00"),
    ),
    "a price file that is a folder": lambda folder: (
        (folder / "tariff.toml").write_text(PRICED, encoding="utf-8"),
        (folder / "prices.csv").mkdir(),
    ),
}
ARCHIVES = {"no server": "mysql+asyncmy://joulebus@127.0.0.1:1/joulebus", "no table": "sqlite+aiosqlite:///{}/none.db"}
ANSWERED = ("/", "/api/state", "/api/series", "/api/series?hours=2", "/health")
"""Every address that is asked for once; the stream says what `/api/state` does."""


@asynccontextmanager
async def page(site: Site, archive: str) -> AsyncIterator[httpx.AsyncClient]:
    """The real application, with a state that has heard nothing and an archive that is not there."""
    state, database = State(site, broker=True), engine(archive)
    curves = Curves(state, History(database))
    app = create_app(site, lambda: view(state, moment()), curves.over, Said().publish)
    routes = {route.path for route in app.routes if isinstance(route, APIRoute) and "GET" in route.methods}
    assert routes == {address.split("?")[0] for address in ANSWERED} | {"/events"}
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
    LOST[lost](tmp_path)
    async with page(load_site(tmp_path / "site.toml"), ARCHIVES[archive].format(tmp_path)) as asking:
        for address in ANSWERED:
            answer = await asking.get(address)
            assert answer.status_code == 200, (address, answer.text)
            assert answer.text
        assert (await asking.get("/api/series")).json()["fault"] == "the archive cannot be read"
        assert (await asking.get("/api/state")).json()["mode"]["doubt"] == "dispatch is down"
