"""A bridge whose files are damaged or cannot be had reads, tells and guards as any other."""

from pathlib import Path

import pytest

from schemas.topics import SERVICE_STATUS, TELEMETRY
from tests.bridges.conftest import Start


@pytest.mark.parametrize("what", ["damaged", "a folder"])
async def test_it_reads_and_obeys_without_its_outbox(what: str, start: Start, site_name: str, tmp_path: Path) -> None:
    path = tmp_path / f"outbox-{site_name}-bridge.db"
    if what == "damaged":
        path.write_text("no database " * 1000, encoding="utf-8")
    else:
        path.mkdir()
    bench = await start()
    command = await bench.command(values={"p_set": 20_000.0})
    await bench.outcome(command.id, "verified")
    later = await bench.hears.until(TELEMETRY, lambda one: one.seq > 3, device="pcs")
    assert not later.historical
    said = await bench.hears.until(SERVICE_STATUS, lambda one: "set aside" in one.detail or "damaged" in one.detail)
    assert f"{path.name}.damaged-" in said.detail
    assert path.is_file()
