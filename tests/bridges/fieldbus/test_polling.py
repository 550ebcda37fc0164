"""Readings stay on their raster, never overlap, and no device waits for another."""

import asyncio
import time
from pathlib import Path

import pytest

from bridges.fieldbus.modbus import timing
from bridges.fieldbus.modbus.connection import TIMEOUT
from bridges.telemetry import reader
from tests.bridges.alone import TRUTH, Alone, alone
from tests.bridges.liar import HONEST, REFUSED, Asked, Liar, Lie
from tests.timed import FULL, in_time, timed

SILENCE = REFUSED["silence"]
FASTER, SILENT = (1, 120) if FULL else (5, 25)
"""How much shorter than in the field the gateway's story is, and how many cycles of it a unit is silent."""
SHORT, PAUSE = timing.SHORT / FASTER, reader.LONGEST_PAUSE / FASTER


def kept(site: Alone, device: str, since: float, poll: float) -> float:
    """The share of the due readings that were made."""
    made = sum(1 for now, _ in site.seen.get(device, []) if now >= since)
    return made / ((time.monotonic() - since) / poll)


@timed
async def test_cycles_stay_on_the_raster(tmp_path: Path) -> None:
    """A cycle takes from 0 to 32 ms; with a drift of that size, the thirtieth would be five cycles late."""
    turn = iter(range(10_000))

    async def lazy(asked: Asked, out: asyncio.StreamWriter) -> None:
        await asyncio.sleep(next(turn) % 5 / 250)
        out.write(asked.registers())

    async with Liar(lie=lazy) as a, Liar() as b, Liar() as c, alone(tmp_path, [a.address, b.address, c.address]) as it:
        await asyncio.sleep(3.2)
        for device in ("d0", "d1", "d2"):
            times = [now for now, _ in it.seen[device]]
            slots = [round((now - times[0]) / 0.1) for now in times]
            in_time(slots == [*range(len(slots))], f"one message per device and cycle, none left out: {device} {slots}")
            in_time(len(slots) >= 29, f"{len(slots)} cycles")


async def test_the_hot_block_comes_each_cycle_and_the_rest_in_rotation(tmp_path: Path) -> None:
    async with Liar() as liar, alone(tmp_path, [liar.address] * 3) as it:
        await asyncio.sleep(1.0)
        samples = [sample for _, sample in it.seen["d1"]][:6]
    assert [sorted(sample.values) for sample in samples] == [["a", "b", "c"], ["a", "b", "d"]] * 3
    assert all(TRUTH[name] == value for sample in samples for name, value in sample.values.items())
    assert [sample.seq for sample in samples] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@timed
async def test_reading_never_overlaps(tmp_path: Path, rtu: bool) -> None:
    """Three units behind one gateway that is too slow for all: one question at a time, and each gets its turn."""
    inside, most = 0, 0

    async def slow(asked: Asked, out: asyncio.StreamWriter) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.03)
        inside -= 1
        out.write(asked.registers())

    async with Liar(rtu, slow) as liar, alone(tmp_path, [liar.address] * 3) as it:
        await asyncio.sleep(1.5)
        counts = [it.count(f"d{number}") for number in range(3)]
    assert most == 1
    assert min(counts) >= max(counts) - 1
    in_time(max(counts) > 4, counts)


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@timed
async def test_a_silent_unit_behind_a_gateway(tmp_path: Path, rtu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll, timeouts and pauses are all shorter by `FASTER`; with JOULEBUS_CHAOS=full they are as they are."""
    monkeypatch.setattr(timing, "SHORT", SHORT)
    monkeypatch.setattr(reader, "LONGEST_PAUSE", PAUSE)
    poll = 1.0 / FASTER
    silent = False

    def choose(asked: Asked) -> Lie:
        return SILENCE if silent and asked.unit == 2 else HONEST

    async with (
        Liar(rtu, choose=choose) as liar,
        alone(tmp_path, [liar.address] * 4, poll=poll, patience=TIMEOUT / FASTER) as it,
    ):
        await asyncio.sleep(2.5 * poll)
        silent, since = True, time.monotonic()
        await asyncio.sleep(SILENT * poll)
        shares = {device: round(kept(it, device, since, poll), 2) for device in ("d0", "d2", "d3")}
        in_time(min(shares.values()) >= 0.95, shares)
        assert kept(it, "d1", since, poll) < 0.1
        silent = False
        count = it.count("d1")
        await asyncio.sleep(13 * poll)
        in_time(it.count("d1") > count, "it is found again within its longest pause")
        wrong = [v for seen in it.seen.values() for _, one in seen for n, v in one.values.items() if v != TRUTH[n]]
        assert wrong == []


@timed
async def test_a_silent_device_on_an_endpoint_of_its_own_costs_the_others_nothing(tmp_path: Path) -> None:
    async with (
        Liar() as a,
        Liar() as b,
        Liar(lie=SILENCE) as dead,
        Liar() as c,
        alone(tmp_path, [a.address, b.address, dead.address, c.address]) as it,
    ):
        await asyncio.sleep(0.5)
        since = time.monotonic()
        await asyncio.sleep(2.5)
        shares = {device: round(kept(it, device, since, 0.1), 2) for device in ("d0", "d1", "d3")}
        in_time(min(shares.values()) >= 0.96, shares)  # 24 of 25 by where the window begins
        assert it.count("d2") == 0


async def test_nothing_that_lies_is_published(tmp_path: Path) -> None:
    lies = [lie for name, lie in REFUSED.items() if name not in ("late", "silence")]
    turn = iter(range(10_000))

    def choose(_asked: Asked) -> Lie:
        number = next(turn)
        return lies[number // 4 % len(lies)] if number % 4 == 3 else HONEST

    async with (
        Liar(choose=choose) as tcp,
        Liar(rtu=True, choose=choose) as rtu,
        alone(tmp_path, [tcp.address, rtu.address, tcp.address]) as it,
    ):
        await asyncio.sleep(4)
        seen = [one for samples in it.seen.values() for _, one in samples]
    assert len(seen) >= 10
    assert all(TRUTH[name] == value for sample in seen for name, value in sample.values.items())
    assert it.bridge.part.counts["failed_readings"] >= 5
