"""The power fails, again and again: bridge, broker and archive end at once, and only what was synced is on the disk."""

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.chaos.oracles import stored
from tests.chaos.plant import plant
from tests.chaos.power_cut import cut, synced, whole
from tests.timed import FULL

RUNS = 200
PARTS = ("archive", "bridge", "broker")


@pytest.mark.slow
@pytest.mark.skipif(
    not FULL, reason="15 min: JOULEBUS_CHAOS=full; six moments: tests/consumers/test_archive_power_cut.py"
)
async def test_after_200_power_cuts_all_that_was_numbered_is_stored_once(site_name: str, tmp_path: Path) -> None:
    """A sample that was confirmed is in no outbox any more: had a cut taken it, it would be lost for ever."""
    dice, archive = Random(1), tmp_path / "archive.db"
    outbox = tmp_path / f"outbox-{site_name}-bridge.db"
    async with plant(tmp_path, site_name, embedded=True) as site:
        for _ in range(RUNS):
            await site.start("broker", "archive", "bridge")
            await asyncio.sleep(dice.uniform(0.5, 4.0))
            for name in PARTS:
                site.parts[name].kill()
            known = _confirmed(outbox)
            cut(archive, synced(archive, partial(_holds, known)), dice)
            assert whole(archive) == "ok"
            assert known <= _stored(archive), f"confirmed, and lost: {sorted(known - _stored(archive))[:10]}"
            if dice.random() < 0.25:
                site.forget()  # the broker's disk is another one
        await site.start("broker", "archive", "bridge")
        await stored(site)
        assert len(_stored(archive)) > 5 * RUNS, "the parts had time to work in between"


def _confirmed(outbox: Path) -> set[tuple[str, int]]:
    """What was numbered and does not wait any more, by device."""
    if not outbox.is_file():
        return set()
    with closing(sqlite3.connect(outbox)) as file:
        if file.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('counter', 'outbox')").fetchone() != (2,):
            return set()
        numbered = {
            (device, seq)
            for device, last in file.execute("SELECT device, seq FROM counter")
            for seq in range(1, last + 1)
        }
        return numbered - {*file.execute("SELECT device, seq FROM outbox")}


def _holds(known: set[tuple[str, int]], archive: Path) -> bool:
    return known <= _stored(archive)


def _stored(archive: Path) -> set[tuple[str, int]]:
    with closing(sqlite3.connect(archive)) as file:
        return {*file.execute("SELECT device, seq FROM telemetry")}
