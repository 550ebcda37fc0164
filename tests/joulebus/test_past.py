"""The past that a fresh demo is given."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.archive.ledger import Ledger, Witness
from joulebus.cli import main
from joulebus.past import Wish, remember
from runtime.database import engine
from schemas.site_file import load_site
from schemas.units import utc_now

SITE = Path(__file__).parents[2] / "site.toml"


def test_nothing_is_missing_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first `joulebus gaps` of a newcomer: it holds a reading a minute or fewer, and 96 % was missing."""
    url, now, site = f"sqlite+aiosqlite:///{tmp_path}/joulebus.db", utc_now(), load_site(SITE)
    remember(url, Wish(site, SITE, now - timedelta(hours=4), now, {}), tmp_path / "memory.json")

    async def look() -> int:
        database = engine(url)
        try:
            return await Ledger(database, site, Witness([one.name for one in site.devices], now), now).write(
                now + timedelta(minutes=3)
            )
        finally:
            await database.dispose()

    assert asyncio.run(look()) == 0
    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    assert main(["gaps", "--site", str(SITE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert {line.split(maxsplit=1)[1].strip() for line in lines} == {"100.000% complete"}
