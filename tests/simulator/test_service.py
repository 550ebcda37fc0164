"""The simulated site over Modbus: asked by pymodbus, by pysunspec2 and by mbpoll, which share no code with it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from joulebus import neighbours
from joulebus.server import free_port
from schemas.profiles import load_profile
from schemas.site import Site
from schemas.troubles import Trouble
from simulator.device import Device, Endpoint, Puppet
from simulator.image import Image
from simulator.service import SimulatedSite
from simulator.wishes import Wish
from tests.simulator.conftest import NOON
from tests.timed import in_time, timed


@asynccontextmanager
async def asking(running: SimulatedSite, device: str, patience: float = 1.0) -> AsyncIterator[AsyncModbusTcpClient]:
    host, port = running.site.named(device).endpoint
    client = AsyncModbusTcpClient(host, port=port, timeout=patience, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def power(client: AsyncModbusTcpClient) -> float:
    """W of the PCS."""
    word = (await client.read_holding_registers(122)).registers[0]
    return 10.0 * (word - 0x10000 if word > 0x7FFF else word)


async def order(client: AsyncModbusTcpClient, watts: float) -> None:
    assert not (await client.write_register(135, round(watts / 100) & 0xFFFF)).isError()


async def grid(client: AsyncModbusTcpClient) -> float:
    answer = await client.read_holding_registers(19026, count=2)
    return float(client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32))  # type: ignore[arg-type]


@timed
async def test_a_setpoint_moves_the_power_and_the_meter_at_once(simulated: SimulatedSite) -> None:
    async with asking(simulated, "pcs") as pcs, asking(simulated, "meter") as meter:
        await order(pcs, 0)
        before = await grid(meter)
        began = time.perf_counter()
        await order(pcs, 40_000)
        assert await power(pcs) == 40_000
        assert (await pcs.read_holding_registers(135)).registers == [400]
        took = time.perf_counter() - began
        assert await grid(meter) == pytest.approx(before - 40_000, abs=6_000)
    in_time(took < 0.1, took)


async def test_a_ramp_takes_its_time(site: Site) -> None:
    async with SimulatedSite(site, start=NOON, ramp=50_000, free_ports=True) as running, asking(running, "pcs") as pcs:
        await order(pcs, 30_000)
        assert await power(pcs) < 20_000
        await asyncio.sleep(0.8)
        assert await power(pcs) == 30_000


async def test_the_write_log_knows_who_when_and_what(simulated: SimulatedSite) -> None:
    async with asking(simulated, "pcs") as pcs:
        before = time.monotonic()
        await order(pcs, -20_000)
        assert (await pcs.write_register(122, 1)).isError()  # refused writes are not in it
    (written,) = simulated.written
    assert (written.device, written.register, written.values) == ("pcs", 135, (65336,))
    assert before <= written.at <= time.monotonic()


@pytest.mark.parametrize(
    ("device", "register", "count"), [("pcs", 107, 2), ("pcs", 60_000, 1), ("bms", 5168, 3), ("meter", 19006, 2)]
)
async def test_an_unmapped_register_is_exception_2(
    simulated: SimulatedSite, device: str, register: int, count: int
) -> None:
    async with asking(simulated, device) as client:
        answer = await client.read_holding_registers(register, count=count)
        assert answer.isError()
        assert answer.exception_code == 2


async def test_start_and_stop(simulated: SimulatedSite) -> None:
    async with asking(simulated, "pcs") as pcs:

        async def state() -> int:
            return int((await pcs.read_holding_registers(32)).registers[0])

        assert await state() & 0b100  # running
        await pcs.write_register(651, 1)
        assert not await state() & 0b1000_0101
        await order(pcs, 10_000)
        assert await power(pcs) == 0
        await pcs.write_register(650, 1)
        await order(pcs, 10_000)
        assert await power(pcs) == 10_000


async def test_the_watchdog_drops_the_power_when_nobody_asks(simulated: SimulatedSite) -> None:
    async with asking(simulated, "pcs") as pcs:
        await pcs.write_register(327, 1)
        await order(pcs, 50_000)
        for _ in range(4):  # asking feeds it
            await asyncio.sleep(0.4)
            assert await power(pcs) == 50_000
        await asyncio.sleep(1.3)
        assert simulated.world.plant.pcs.p == pytest.approx(0, abs=1)
        assert "ems_timeout" in str(simulated.devices["pcs"].behind.values()["alarms_5"])


async def test_faults_of_the_line_and_the_way_back(simulated: SimulatedSite) -> None:
    async with asking(simulated, "bms", patience=0.3) as bms, asking(simulated, "meter") as meter:
        simulated.faults.on("bms:exception")
        assert (await bms.read_holding_registers(5127)).exception_code == 4
        simulated.faults.set(["bms:wrong_register_count"])
        assert len((await bms.read_holding_registers(5123, count=5)).registers) == 4
        simulated.faults.set(["bms:silent"])
        with pytest.raises(ModbusIOException):
            await bms.read_holding_registers(5127)
        assert not (await meter.read_holding_registers(19026, count=2)).isError()  # the others live on
        simulated.faults.set([])
        assert (await bms.read_holding_registers(5127)).registers == [500]


async def test_a_slow_answer_is_late_and_right(simulated: SimulatedSite) -> None:
    async with asking(simulated, "bms", patience=0.1) as bms:
        simulated.faults.on("bms:slow", 0.3)
        with pytest.raises(ModbusIOException):
            await bms.read_holding_registers(5127)
        simulated.faults.off("bms:slow")
        # its answer comes while the next ones are asked, with its own transaction id: never taken for theirs
        for _ in range(5):
            answer = await bms.read_holding_registers(5138, count=2)
            assert answer.registers == [203, 17]
            await asyncio.sleep(0.08)


async def test_frozen_registers_stand_still(simulated: SimulatedSite) -> None:
    async with asking(simulated, "meter") as meter:
        await meter.read_holding_registers(19026, count=2)
        simulated.faults.on("meter:frozen")
        first = await grid(meter)
        await asyncio.sleep(0.3)
        assert await grid(meter) == first
        simulated.faults.off("meter:frozen")
        assert await grid(meter) != first


async def test_faults_of_the_physics(simulated: SimulatedSite) -> None:
    async with asking(simulated, "pcs") as pcs, asking(simulated, "bms") as bms, asking(simulated, "meter") as meter:
        await order(pcs, 20_000)
        simulated.faults.set(["pcs:ignores_setpoint", "bms:cell_high"])
        await order(pcs, -60_000)
        assert (await pcs.read_holding_registers(135)).registers == [0x10000 - 600]
        assert await power(pcs) == 20_000
        assert (await bms.read_holding_registers(5130, count=2)).registers == [0, 0]  # ccl
        assert (await bms.read_holding_registers(5121)).registers[0] & 0b10  # cell over voltage
        right = await grid(meter)
        simulated.faults.set(["meter:inverted", "bms:hot", "pcs:trip"])
        assert (await pcs.read_holding_registers(32)).registers[0] & 1
        assert await power(pcs) == 0
        assert (await bms.read_holding_registers(5140)).registers[0] > 550  # 0.1 degC
        assert await grid(meter) == pytest.approx(-(right + 20_000), abs=6_000)
        simulated.faults.set([])
        await pcs.write_register(652, 1)
        await pcs.write_register(650, 1)
        assert (await pcs.read_holding_registers(32)).registers[0] & 0b101 == 0b100  # running, no fault


def test_an_unknown_fault_is_refused_at_the_start(site: Site) -> None:
    with pytest.raises(Trouble, match="did you mean 'meter:inverted'"):
        SimulatedSite(site, ["meter:invertd"])


async def test_a_port_in_use_is_said_in_words(simulated: SimulatedSite) -> None:
    second = SimulatedSite(simulated.site)
    with pytest.raises(Trouble, match=r"cannot listen at 127\.0\.0\.1:\d+ for pcs: the port is in use"):
        await second.serve()


async def test_nothing_stays_open_when_the_last_port_is_taken(simulated: SimulatedSite, site: Site) -> None:
    ports = {"pv": simulated.site.named("pv").endpoint[1]}
    devices = [
        d.model_copy(update={"address": f"tcp://127.0.0.1:{ports.get(d.name) or free_port()}"}) for d in site.device
    ]
    half = site.model_copy(update={"device": devices})
    for _ in range(2):  # the second time shows that the first one let go of the other ports
        with pytest.raises(Trouble, match="for pv: the port is in use"):
            await SimulatedSite(half).serve()


async def test_several_devices_share_one_address(site: Site) -> None:
    address = site.device[0].address
    devices = [d.model_copy(update={"address": address, "unit": n}) for n, d in enumerate(site.device, 1)]
    gateway = site.model_copy(update={"device": devices})
    async with SimulatedSite(gateway, start=NOON, free_ports=True) as running, asking(running, "bms") as client:
        assert len({device.address for device in running.site.device}) == 1
        assert (await client.read_holding_registers(5127, device_id=2)).registers == [500]
        assert not (await client.read_holding_registers(19000, count=2, device_id=3)).isError()
        assert (await client.read_holding_registers(40_000, count=2, device_id=4)).registers == [0x5375, 0x6E53]


async def test_counters_outlive_a_restart(site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    async with SimulatedSite(site, memory=memory, soc=73, free_ports=True) as first:
        kept = first.world.plant.e_import
    async with SimulatedSite(site, memory=memory, free_ports=True) as second:
        assert second.world.plant.battery.soc == pytest.approx(73, abs=0.1)
        assert second.world.plant.e_import >= kept
    memory.write_text("[]", encoding="utf-8")
    with pytest.raises(Trouble, match="not a memory of the simulator"):
        SimulatedSite(site, memory=memory)


async def test_ten_ticks_a_second_without_anyone_asking(simulated: SimulatedSite) -> None:
    began = simulated.world.at
    await asyncio.sleep(0.55)
    assert simulated.world.at - began == pytest.approx(timedelta(seconds=0.55), abs=timedelta(seconds=0.25))


async def test_pysunspec2_scans_reads_and_writes_the_inverter(simulated: SimulatedSite) -> None:
    host, port = simulated.site.named("pv").endpoint

    def scan() -> tuple[list[int], list[str], float, float, str]:
        found = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=host, ipport=port, timeout=5)
        found.scan()
        models = [number for number in found.models if isinstance(number, int)]
        wrong = [model.error_info for model in found.model_list if model.error_info]
        inverter, controls = found.models[103][0], found.models[123][0]
        produced = inverter.points["W"].cvalue
        controls.points["WMaxLimPct"].cvalue = 10.0
        controls.points["WMaxLim_Ena"].value = 1
        controls.write()
        inverter.read()
        curtailed, maker = inverter.points["W"].cvalue, found.models[1][0].points["Mn"].value
        found.close()
        return models, wrong, produced, curtailed, maker

    models, wrong, produced, curtailed, maker = await asyncio.to_thread(scan)
    assert models == [1, 103, 120, 123]
    assert wrong == []
    assert maker == "joulebus"
    assert produced > 20_000
    assert curtailed == 15_000
    assert simulated.world.plant.pv["pv"].limited


async def test_mbpoll_reads_the_meter(simulated: SimulatedSite) -> None:
    host, port = simulated.site.named("meter").endpoint
    program = neighbours.mbpoll()
    # -0: addresses begin at 0; -t 4:float -B: two holding registers, the first word is the high one
    ask = ["-m", "tcp", "-p", str(port), "-0", "-r", "19026", "-c", "1", "-t", "4:float", "-B", "-1", "-q", host]
    process = await asyncio.create_subprocess_exec(
        program.path, *ask, env=program.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0, output.decode()
    line = next(line for line in output.decode().splitlines() if line.startswith("[19026]"))
    assert float(line.split(":")[1]) == pytest.approx(simulated.world.plant.grid, abs=6_000)


async def test_a_puppet_shows_what_it_is_told_and_remembers_what_it_is_asked() -> None:
    puppet = Puppet({"p": 1_000.0, "p_set": 0.0, "state": "running"})
    device = Device("pcs", Image(load_profile("sinexcel_pws2"), rated=100_000), puppet)
    async with Endpoint("127.0.0.1", 0, {1: device}) as endpoint:
        client = AsyncModbusTcpClient("127.0.0.1", port=endpoint.port)
        await client.connect()
        assert (await client.read_holding_registers(122)).registers == [100]
        await client.write_register(135, 250)
        assert (await client.read_holding_registers(135)).registers == [250]
        client.close()
    assert puppet.wishes == [Wish("p_set", 25_000.0)]


async def test_a_serial_gateway_speaks_rtu_frames(site: Site) -> None:
    devices = [d.model_copy(update={"address": f"rtu+{d.address}"}) if d.name == "bms" else d for d in site.device]
    mixed = site.model_copy(update={"device": devices})
    async with SimulatedSite(mixed, start=NOON, free_ports=True) as running:
        host, port = running.site.named("bms").endpoint
        client = AsyncModbusTcpClient(host, port=port, framer=FramerType.RTU)
        await client.connect()
        assert (await client.read_holding_registers(5127)).registers == [500]
        client.close()


async def test_the_memory_is_written_while_it_runs(site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    async with SimulatedSite(site, memory=memory, free_ports=True):
        await asyncio.sleep(1.4)
        assert json.loads(memory.read_text(encoding="utf-8"))["battery.pcs.stored"] == pytest.approx(100_000, rel=0.01)
