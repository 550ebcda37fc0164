"""How many connections one address bears: a gateway several, many a device one."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.connections import Connections
from bridges.fieldbus.modbus.refusals import LONGEST, SEVERAL, Refusals
from bridges.fieldbus.modbus.site_lines import modbus_devices
from schemas.profile import LineTiming
from schemas.site_file import load_site
from schemas.troubles import Trouble
from tests.bridges.conftest import DEMO
from tests.bridges.fieldbus.bare import made
from tests.bridges.liar import Asked, parse
from tests.timed import in_time, timed


class Gateway:
    """Serves so many clients at a time; every register holds its own address. What becomes of the others is `turns`."""

    def __init__(self, bears: int, *, newest: bool = False) -> None:
        self.bears, self.newest = bears, newest
        self.open: list[asyncio.StreamWriter] = []
        self.made = 0
        self.inside: dict[int, int] = {}
        self.most: dict[int, int] = {}
        """Questions at a time, by unit; 0 is for all."""
        self.delays: dict[int, float] = {}

    async def serve(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        self.made += 1
        self.open.append(out)
        if len(self.open) > self.bears:
            turned = self.open[0] if self.newest else out
            turned.close()
            if turned is out:
                self.open.remove(out)
                return
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                asked = parse(await source.readexactly(12), rtu=False)
                await self._answer(asked, out)
        out.close()
        self.open.remove(out)

    async def _answer(self, asked: Asked, out: asyncio.StreamWriter) -> None:
        for one in (0, asked.unit):
            self.inside[one] = self.inside.get(one, 0) + 1
            self.most[one] = max(self.most.get(one, 0), self.inside[one])
        await asyncio.sleep(self.delays.get(asked.unit, 0.0))
        for one in (0, asked.unit):
            self.inside[one] -= 1
        out.write(asked.registers())


@contextlib.asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[str]:
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for one in gateway.open:
            one.close()


@timed
async def test_a_slow_unit_holds_up_no_other() -> None:
    """A unit that needs 3 s behind a gateway that bears two connections; no unit is asked two things at once."""
    gateway = Gateway(2)
    gateway.delays = {1: 3.0, 2: 0.01}
    async with serving(gateway) as address:
        line = Connections(address, 2)
        for unit, timeout in ((1, 5.0), (2, 1.0)):
            line.expect(unit, LineTiming(timeout=timeout))
        loop = asyncio.get_running_loop()
        slow = asyncio.create_task(line.read(1, 3, 100, 2))
        next_one = asyncio.create_task(line.read(1, 3, 5, 1))
        await asyncio.sleep(0.05)
        began, took = loop.time(), 0.0
        for start in range(10):
            assert await line.read(2, 3, start, 1) == [start]
            took, began = max(took, loop.time() - began), loop.time()
        in_time(took < 0.5, took)
        assert await slow == [100, 101]
        next_one.cancel()
        await asyncio.gather(next_one, return_exceptions=True)
        assert gateway.most == {0: 2, 1: 1, 2: 1}
        line.close()


@pytest.mark.parametrize("newest", [False, True], ids=["turns the second away", "closes the first"])
async def test_a_second_connection_that_is_not_borne(newest: bool, caplog: pytest.LogCaptureFixture) -> None:
    """No reading is lost by it, and it is said."""
    gateway = Gateway(1, newest=newest)
    gateway.delays = dict.fromkeys((1, 2, 3), 0.02)
    async with serving(gateway) as address:
        line = Connections(address, 2)
        assert await line.read(1, 3, 9, 1) == [9]
        for _ in range(5):
            found = await asyncio.gather(*(line.read(unit, 3, 10 * unit, 2) for unit in (1, 2, 3)))
            assert found == [[10, 11], [20, 21], [30, 31]]
        assert gateway.made <= 3
        line.close()
    assert caplog.messages.count(f"{address} bears fewer than 2 connections: one rests for a while") == 1


async def test_a_device_that_serves_another_client() -> None:
    """It takes each connection and closes it: after some it is left alone for a while, and the reason is said."""
    gateway = Gateway(1)
    async with serving(gateway) as address:
        other, line = Connection(address), Connection(address)
        assert await other.read(1, 3, 5, 1) == [5]
        said, loop = list[str](), asyncio.get_running_loop()
        began = loop.time()
        while loop.time() < began + 1.2:
            with pytest.raises(Unreachable) as no:
                await line.read(1, 3, 5, 1)
            said.append(str(no.value))
            await asyncio.sleep(0.02)
        assert gateway.made <= 1 + SEVERAL + 4, "it does not knock all the time"
        words = "it may serve one client only, and another one is connected; it is tried again within 8 s"
        assert set(said[SEVERAL:]) == {f"{address} closes each new connection before it answers: {words}"}
        assert await other.read(1, 3, 6, 1) == [6]
        other.close()
        async with asyncio.timeout(LONGEST):
            while True:
                with contextlib.suppress(Unreachable):
                    assert await line.read(1, 3, 7, 1) == [7]
                    break
                await asyncio.sleep(0.05)
        line.close()


@pytest.mark.parametrize(
    ("story", "times", "wait"),
    [
        ("mcmc", 2, 0.0),
        ("mcmcmc", 3, 0.5),
        ("mcmcmcmcmc", 5, 2.0),
        ("mc" * 20, 20, LONGEST),
        ("mhc" * 9, 0, 0.0),
        ("mcmcmhcmc", 1, 0.0),
    ],
    ids=["a restart", "three", "doubled", "at most", "it closes after each answer", "served in between"],
)
def test_who_closes_each_connection(story: str, times: int, wait: float) -> None:
    """A connection is made, it answers (heard), it is closed."""
    refusals = Refusals("tcp://a:1")
    does: dict[str, Callable[[], None]] = {
        "m": refusals.made,
        "h": refusals.heard,
        "c": functools.partial(refusals.closed, 10.0),
    }
    for one in story:
        does[one]()
    assert refusals.times == times
    assert refusals.wait(10.0) == pytest.approx(wait)
    assert bool(refusals.words) == (times >= SEVERAL)


# how many a site opens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "number"),
    [((None, None), 1), ((2, None), 2), ((2, 4), 2), ((1, 4), 1), ((4, 4), 4)],
    ids=["nobody says it", "one says it", "the fewest hold", "one serves one client", "all agree"],
)
async def test_how_many_connections_an_address_gets(given: Sequence[int | None], number: int) -> None:
    blocks = load_site(DEMO).device[:2]
    devices = [one.model_copy(update={"unit": unit, "address": "tcp://a:1"}) for unit, one in enumerate(blocks, 1)]
    site = load_site(DEMO).model_copy(update={"device": devices})
    plain = made("a = { register = 1 }")
    site.__dict__["profiles"] = {
        one.name: plain.over(None if many is None else LineTiming(connections=many))
        for one, many in zip(devices, given, strict=True)
    }
    lines = {one.line for one in modbus_devices(site)}
    assert [len(one._all) if isinstance(one, Connections) else 1 for one in lines] == [number]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{ connections = 0 }", "connections"),
        ("{ connections = 9 }", "connections"),
        ("{ connections = 2 }", "is a serial line, which has one master; leave it out, or give the gateway's address"),
    ],
)
def test_what_a_site_file_may_not_say(line: str, says: str, tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8").replace("../tariff.toml", "tariff.toml")
    text = text.replace('address = "tcp://127.0.0.1:15023"', f'address = "rtu:///dev/ttyUSB0"\nline = {line}')
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    (tmp_path / "tariff.toml").write_bytes((DEMO.parents[1] / "tariff.toml").read_bytes())
    with pytest.raises(Trouble, match=f"line.*{says}"):
        load_site(tmp_path / "site.toml")
