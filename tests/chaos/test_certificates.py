"""F51: certificates that ran out, that were renewed, and of an authority nobody knows."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.certificates import date, of_a_stranger
from tests.chaos.oracles import CYCLES, LOADED, RECOVERED, moved, steered
from tests.chaos.plant import Plant, plant

TTL = 1.0
RAN_OUT = partial(date, since=900, days=825)
RENEWED = partial(date, since=1, days=825)

STORY: list[tuple[str, Callable[[Path, str], None], str]] = [
    ("server", RAN_OUT, "certificate has expired"),
    ("server", of_a_stranger, "unable to get local issuer certificate"),
    ("clients/bridge", RAN_OUT, "bridge.crt still valid"),
]
"""Whose certificate, what is wrong with it, and what the bridge says of it."""


@pytest.mark.slow
async def test_a_wrong_certificate_is_named_and_a_renewed_one_is_found(tmp_path: Path, site_name: str) -> None:
    async with (
        plant(tmp_path, site_name, tls=True, embedded=True) as site,
        steered(site, "broker", "bridge") as (commander, watch),
    ):
        commander.ttl = TTL
        kept, log = site.broker.secrets.folder / "secrets", site.parts["bridge"].log
        for name, spoil, says in STORY:
            good = {path: path.read_bytes() for path in kept.rglob(f"{name}.*")}
            await asyncio.to_thread(spoil, kept, name)  # the simulated devices answer meanwhile
            began, before = time.monotonic(), log.stat().st_size
            await _restart(site)
            await asyncio.sleep(began + TTL + CYCLES + LOADED - time.monotonic())
            assert watch.seen[-1][1] == 0.0
            assert not await site.ready("bridge")
            assert log.read_text(encoding="utf-8")[before:].count(says) == 1, "said once, and tried again"
            for path, content in good.items():
                path.write_bytes(content)
            await asyncio.to_thread(RENEWED, kept, name)
            await _restart(site)
            await site.until("bridge", ready=True, seconds=RECOVERED + LOADED)
            await moved(watch)


async def _restart(site: Plant) -> None:
    await asyncio.to_thread(site.broker.restart)
