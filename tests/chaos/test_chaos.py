"""F49: whatever breaks, in whatever order, each sample is stored once and no command is obeyed late or too far.

One short story with `make test`; JOULEBUS_CHAOS=full (`make chaos`) tells three long ones and prints their table.
"""

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from schemas.topics import COMMAND_TTL
from tests.chaos.commander import Commander
from tests.chaos.oracles import CYCLES, Watch, settled, wrong_writes
from tests.chaos.plant import NAMES, Plant, plant
from tests.chaos.story import Fault, story
from tests.timed import FULL, few

SEEDS, SECONDS = ((1, 2, 3), 40.0) if FULL else ((1,), 12.0)
ORDERS = ("database", "broker", "archive"), ("broker", "database", "archive"), ("broker", "archive", "database")
"""With their reverses all six."""
HEAD = """
| seed | faults | samples | lost | twice | stored after, s | commands | bad ones |\
 obeyed late or wrong | over the rating |\
 too long without a command |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


async def happen(plant: Plant, commander: Commander, faults: list[Fault]) -> None:
    """All faults of a story, each at its time."""
    began = time.monotonic()

    async def one(fault: Fault) -> None:
        await asyncio.sleep(began + fault.at - time.monotonic())
        if fault.part == "dispatch":
            commander.silent = True
            await asyncio.sleep(fault.lasts)
            commander.silent = False
        else:
            await plant.suffer(fault)

    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(one(fault))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_chaos(seed: int, tmp_path: Path, site_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    faults = story(seed, SECONDS)
    async with plant(tmp_path, site_name) as site:
        await site.start(*NAMES)
        commander, watch = Commander(site.broker.url("dispatch"), site_name, Random(seed)), Watch()
        tasks = [asyncio.create_task(work) for work in (commander.work(), watch.work(site))]
        await happen(site, commander, faults)
        back = time.monotonic()
        commander.silent = True
        counts, numbered, lost = await settled(site)
        took = time.monotonic() - back
        await asyncio.sleep(max(0.0, COMMAND_TTL + CYCLES + 0.3 - took))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        strange, above = wrong_writes(list(site.simulated.written), commander)
        unsafe = watch.unsafe(commander, site)
        row = (
            seed, len(faults), numbered, lost, counts.rows - counts.samples, f"{took:.1f}", len(commander.given),
            len(commander.bad), len(strange), len(above), len(unsafe),
        )  # fmt: skip
        with capsys.disabled():
            print(f"{HEAD if seed == SEEDS[0] else ''}\n| {' | '.join(map(str, row))} |", end="")
        assert site.dead() == []
        assert lost == 0
        assert counts.rows == counts.samples == counts.instants
        assert (strange, above, unsafe) == ([], [], []), commander.bad
        assert {power for _, power in watch.seen} > {0.0}, "commands were obeyed at all"
        assert watch.seen[-1][1] == 0.0, "and in the end nobody commands"


@pytest.mark.slow
@pytest.mark.parametrize("order", few(ORDERS, one_in=3), ids=" ".join)
async def test_in_whatever_order_they_start_it_converges(
    order: tuple[str, ...], tmp_path: Path, site_name: str
) -> None:
    """F50: the bridge is there first; then the others in this order, and once more in the reverse one."""
    async with plant(tmp_path, site_name) as site:
        await site.start("bridge")
        for names in (order, order[::-1]):
            before = sum(site.numbered()[1].values())
            for name in names:
                await site.start(name)
                await asyncio.sleep(0.3)
            async with asyncio.timeout(10):  # the bridge reads and keeps, whoever is missing
                while sum(site.numbered()[1].values()) <= before:  # noqa: ASYNC110  # the count is another process's
                    await asyncio.sleep(0.1)
            counts, numbered, lost = await settled(site)
            assert (lost, counts.rows) == (0, counts.samples), names
            assert counts.samples >= numbered > 0
            assert site.dead() == []
            for name in names:
                await asyncio.to_thread(site.parts[name].kill)
            site.forget()
