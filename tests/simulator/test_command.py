"""`joulebus simulate` as the demo runs it, and `joulebus fault`, which switches what is wrong with it."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from joulebus.cli import main
from joulebus.server import Server, free_port
from schemas.site import Site
from simulator.faults import Faults, known, listing
from simulator.states import QUICK

DEMO = Path(__file__).parents[2] / "tests" / "one_battery.toml"


@pytest.fixture(scope="module")
def ports(site: Site) -> dict[str, int]:
    return {device.name: free_port() for device in site.device}


@pytest.fixture(scope="module")
def running(site: Site, ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("simulated")
    text = DEMO.read_text(encoding="utf-8").replace('"tariff.toml"', f'"{DEMO.parent / "tariff.toml"}"')
    for device in site.device:
        text = text.replace(device.address, f"tcp://127.0.0.1:{ports[device.name]}")
    (folder / "site.toml").write_text(text, encoding="utf-8")
    port = free_port()
    env = os.environ | {"JOULEBUS_STATE": str(folder), "JOULEBUS_HEALTH": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "joulebus.cli", "simulate", "--site", str(folder / "site.toml")]
    server = Server(command, env, port, folder / "log")
    server.start()
    health = ["health", f"127.0.0.1:{port}"]
    end = time.monotonic() + 10
    while main(health) != 0 and time.monotonic() < end:
        time.sleep(0.1)
    yield server
    server.stop()


def fault(server: Server, *words: str) -> int:
    return main(["fault", *words, "--health", f"127.0.0.1:{server.port}"])


def test_the_list_says_what_each_does_by_kind_of_device_and_line(
    running: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fault(running, "list") == 0
    said = capsys.readouterr().out
    groups = [block.splitlines()[0] for block in said.split("\n\n")]
    assert groups == [
        "any device, on its line: pcs, bms, meter, pv",
        "pcs, Sinexcel PWS2: pcs",
        "bms, Pylontech Powercube M2: bms",
        "meter, Janitza UMG 96RM-E: meter",
        "pv, SunSpec PV inverter 103: pv",
        "joulebus fault DEVICE:FAULT on or off, such as bms:silent on",
    ]
    for line in (
        "  silent                hears nothing and answers nothing",
        "  reversed              gives what it is told in the other direction",
        "  late                  shows the power of 2 s ago",
    ):
        assert line in said.splitlines()


def test_every_fault_stands_in_the_list_once_for_its_kind(site: Site) -> None:
    faults = Faults(known(site), ["bms:hot", "meter:silent"])
    told = [line.split()[0] for line in listing(site, faults).splitlines() if line.startswith("  ")]
    assert {name.partition(":")[2] for name in faults.known} == {*told}
    assert "one module is 35 K hotter (on: bms)" in listing(site, faults)
    assert "hears nothing and answers nothing (on: meter)" in listing(site, faults)


async def test_a_fault_is_switched_on_and_off(
    running: Server, ports: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=ports["bms"], timeout=1, retries=0)
    await client.connect()

    async def contactor() -> bool:
        return bool((await client.read_holding_registers(5135)).registers[0] & 0b11)

    assert await contactor()
    assert await asyncio.to_thread(fault, running, "bms:trips", "on") == 0
    assert "bms:trips is on" in capsys.readouterr().out
    await asyncio.sleep(0.5)
    assert not await contactor()
    assert await asyncio.to_thread(fault, running, "bms:trips", "off") == 0
    assert await asyncio.to_thread(fault, running, "bms:panel_reset") == 0
    await asyncio.sleep(QUICK.close + 0.5)
    assert await contactor(), "after its precharge"
    client.close()


async def test_its_sensors_are_noisy_and_no_fault_is_on(
    running: Server, ports: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=ports["pcs"])
    await client.connect()
    volts = [(await client.read_holding_registers(142)).registers[0] for _ in range(20)]
    client.close()
    assert len(set(volts)) > 3
    assert max(volts) - min(volts) < 80, "0.1 V each"
    await asyncio.to_thread(fault, running, "list")
    assert "(on:" not in capsys.readouterr().out


def test_an_unknown_fault_is_refused_in_words(running: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert fault(running, "bms:hott") == 1
    assert "fault 'bms:hott' is not known; joulebus fault list --health" in capsys.readouterr().err
