"""Slow devices, lost answers, and lines that must be silent for a while."""

import asyncio
import contextlib
import os
import tomllib
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.site_lines import modbus_devices
from bridges.fieldbus.modbus.timing import FULL_TRY, SEVERAL, SHORT, Patience, on_wire, pause
from schemas.address import parse_address
from schemas.profile import LineTiming
from schemas.profiles import load_profile
from schemas.site_file import load_site
from tests.bridges.alone import alone
from tests.bridges.conftest import DEMO
from tests.bridges.fieldbus.bare import Asked, Bare, device, held, made
from tests.bridges.liar import Asked as Heard
from tests.bridges.liar import Liar, parse
from tests.timed import in_time, timed

# how long a unit is waited for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("took", "lost", "waits"),
    [
        ([], 0, 1.0),
        ([], 2, 1.0),
        ([], 3, 0.5),
        ([], 4, 1.0),
        ([0.01], 2, 1.0),
        ([0.01], 3, SHORT),
        ([0.3], 3, 0.7),
        ([0.01, 0.3, 0.01], 5, 0.7),
        ([0.6], 7, 1.0),
    ],
    ids=[
        "new", "twice silent", "never heard", "now and then in full", "a quick one", "a quick one that is away",
        "a slow one", "slow sometimes", "never longer than the timeout",
    ],
)  # fmt: skip
def test_patience(took: list[float], lost: int, waits: float) -> None:
    patience = Patience(1.0)
    for one in took:
        patience.answered(one)
    patience.lost = lost
    assert patience.wait == pytest.approx(waits)


@given(
    st.floats(0.05, 60),
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.lists(st.booleans(), max_size=60),
)
def test_no_unit_is_waited_for_shorter_than_it_usually_needs(
    longest: float, shares: list[float], fates: list[bool]
) -> None:
    """Whatever is lost meanwhile: it is found again by the next question."""
    patience = Patience(longest)
    for share in shares:
        patience.answered(share * longest)
    for lost in fates:
        assert max(shares) * longest <= patience.wait <= longest
        if lost:
            patience.lost += 1
        else:
            patience.answered(max(shares) * longest)
    if patience.lost < SEVERAL or patience.lost % FULL_TRY == 0:
        assert patience.wait == longest


@pytest.mark.parametrize("lost", [1, 2, 5])
@timed
async def test_a_slow_unit_that_lost_some_answers_is_back_with_the_next_question(lost: int) -> None:
    """It needs 0.3 s. Waited for 0.2 s after a lost answer it would be silent for ever."""
    gone = iter(range(lost))

    def away(asked: Asked) -> bool:
        return asked.start == 50 and next(gone, None) is not None

    async with Bare(held(50, range(60)), delay=0.3, lost=away) as server:
        line = Connection(server.address)
        assert await line.read(7, 3, 60, 1) == [10]
        for _ in range(lost):
            with pytest.raises(Unreachable, match="no answer"):
                await line.read(7, 3, 50, 1)
        try:
            assert await line.read(7, 3, 50, 1) == [0]
        except Unreachable:
            in_time(False, "the machine was slow")
        line.close()


@timed
async def test_one_lost_answer_takes_no_device_away(tmp_path: Path) -> None:
    """A bridge before a line of 0.3 s: reading goes on within seconds, not after most of a minute."""
    turn, gone = iter(range(1, 1000)), asyncio.Event()

    async def slow(asked: Heard, out: asyncio.StreamWriter) -> None:
        if next(turn) == 9:
            gone.set()
            return
        await asyncio.sleep(0.3)
        out.write(asked.registers())

    async with (
        Liar(lie=slow) as liar,
        Liar() as b,
        Liar() as c,
        alone(tmp_path, [liar.address, b.address, c.address], poll=0.7) as it,
    ):
        await asyncio.wait_for(gone.wait(), 20)
        await asyncio.sleep(1.5)  # until it is known to be lost, and is asked again
        count = it.count("d0")
        await asyncio.sleep(3.5)
        in_time(it.count("d0") >= count + 2, f"{it.count('d0') - count} readings in 3.5 s")


async def test_units_on_one_line_have_their_own_timeouts() -> None:
    async with Bare(held(1, [5]), delay=0.25) as server:
        line = Connection(server.address)
        line.expect(1, LineTiming(timeout=0.1))
        line.expect(2, LineTiming(timeout=2.0))
        with pytest.raises(Unreachable):
            await line.read(1, 3, 1, 1)
        assert await line.read(2, 3, 1, 1) == [5]
        line.close()


# pauses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("quiet", [0.3, 1.0, 2.0])
async def test_the_first_seconds_of_a_huawei(quiet: float) -> None:
    """What is asked in the first 1 to 2 s of a connection is swallowed, and a new one begins anew."""
    shipped = load_profile("huawei_sun2000_luna")
    registers = held(30000, range(8000)) | held(40000, range(8000))
    async with Bare(registers, quiet=quiet) as server:
        one = device(shipped, server.address, rated=10_000)
        assert len((await one.read()).values) > 10
        assert server.connected == 1
        one.close()


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@pytest.mark.parametrize("deaf", [0.1, 0.3])
async def test_a_device_that_does_not_hear_what_comes_too_soon(rtu: bool, deaf: float) -> None:
    profile = made("a = { register = 1 }\nb = { register = 5 }", f"line = {{ request_pause = {deaf}, timeout = 0.5 }}")
    async with Bare(held(1, range(9)), rtu=rtu, deaf=deaf) as server:
        one = device(profile, server.address)
        for _ in range(3):
            assert (await one.read()).values == {"a": 0.0, "b": 4.0}
        one.close()


async def test_the_pause_of_the_strictest_holds_for_all_on_a_line() -> None:
    """And the longest settling: the other unit would spoil the line for the one that needs them."""
    quick, slow = (
        made("a = { register = 1 }"),
        made("a = { register = 1 }", "line = { request_pause = 0.1, connect_pause = 0.3 }"),
    )
    async with Bare(held(1, [5]), quiet=0.25, deaf=0.08) as server:
        blocks = [one.model_copy(update={"address": server.address}) for one in load_site(DEMO).device[:3]]
        devices = [one.model_copy(update={"unit": unit}) for unit, one in enumerate(blocks, 1)]
        site = load_site(DEMO).model_copy(update={"device": devices})
        site.__dict__["profiles"] = dict(zip((one.name for one in devices), (quick, slow, quick), strict=True))
        found = modbus_devices(site)
        assert len({id(one.line) for one in found}) == 1
        for _ in range(2):
            for one in found:
                assert (await one.read()).values == {"a": 5.0}
        found[0].close()


@pytest.mark.parametrize(
    ("address", "given", "seconds"),
    [
        ("rtu:///dev/a", None, 0.00401),
        ("rtu:///dev/a?parity=E", None, 0.00401),
        ("rtu:///dev/a?parity=E&stop=2", None, 0.004375),
        ("rtu:///dev/a?baud=1200", None, 0.03208),
        ("rtu:///dev/a?baud=19200", None, 0.002005),
        ("rtu:///dev/a?baud=38400", None, 0.00175),
        ("rtu:///dev/a?baud=115200", None, 0.00175),
        ("rtu:///dev/a?baud=115200", 0.01, 0.01),
        ("rtu:///dev/a", 0.001, 0.00401),
        ("rtu+tcp://a:1", None, 0.0),
        ("rtu+tcp://a:1", 0.005, 0.005),
        ("tcp://a:1", 0.005, 0.0),
    ],
)
def test_the_silence_before_a_frame(address: str, given: float | None, seconds: float) -> None:
    """3.5 characters of 11 bits; 1.75 ms above 19 200 baud (Modbus over serial line 1.02, 2.5.1.1)."""
    where = parse_address(address)
    assert pause(where, LineTiming(silent_interval=given)) == pytest.approx(seconds, rel=1e-3)
    assert pause(where, LineTiming(silent_interval=given, request_pause=0.2)) == 0.2


def test_a_slow_wire_gets_the_time_of_its_bytes() -> None:
    """255 bytes at 1200 baud take 2.3 s: no device answers within a timeout of 1 s."""
    assert on_wire(parse_address("rtu:///dev/a?baud=1200"), 255) == pytest.approx(2.3375)
    assert on_wire(parse_address("rtu+tcp://a:1"), 255) == 0.0


class Cable:
    """Unit 7 at the far end of a pseudo terminal, and how long the line was silent before each of its questions."""

    def __init__(self) -> None:
        self.end, cable = os.openpty()
        tty.setraw(cable)
        self.path, self._cable = os.ttyname(cable), cable
        self.silences: list[float] = []
        self._said, self._heard = 0.0, b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.end, self._hear)

    def _hear(self) -> None:
        if not self._heard and self._said:
            self.silences.append(self._loop.time() - self._said)
        self._heard += os.read(self.end, 256)
        if len(self._heard) >= 8:
            os.write(self.end, parse(self._heard[:8], rtu=True).registers())
            self._heard, self._said = b"", self._loop.time()

    def close(self) -> None:
        self._loop.remove_reader(self.end)
        os.close(self.end)
        os.close(self._cable)


@pytest.fixture
async def cable() -> AsyncIterator[Cable]:
    cable = Cable()
    yield cable
    cable.close()


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [("", 0.0040), ("?baud=1200", 0.032), ("?baud=19200", 0.0020), ("?baud=115200", 0.00175)],
)
async def test_a_serial_line_is_silent_before_each_frame(cable: Cable, settings: str, seconds: float) -> None:
    line = Connection(f"rtu://{cable.path}{settings}")
    for start in range(8):
        assert await line.read(7, 3, start, 2) == [start, start + 1]
    line.close()
    assert len(cable.silences) == 7
    assert min(cable.silences) >= seconds, cable.silences


async def test_a_line_that_never_rests_does_not_hold_us_up_for_ever() -> None:
    """Somebody talks on it all the time: what is asked is asked all the same, and what is not ours is no answer."""
    async with Liar(rtu=True) as liar:
        line = Connection(liar.address, timeout=1.0)
        line.expect(7, LineTiming(timeout=1.0, request_pause=0.1))
        assert await line.read(7, 3, 1, 1) == [1]

        async def chatter() -> None:
            while True:
                with contextlib.suppress(ConnectionError):
                    liar.newest.write(b"\x01\x02\x03")
                await asyncio.sleep(0.02)

        talks = asyncio.create_task(chatter())
        async with asyncio.timeout(10):
            for _ in range(3):
                with contextlib.suppress(Unreachable):
                    assert await line.read(7, 3, 1, 1) == [1]
        talks.cancel()
        line.close()


async def test_a_serial_line_in_two_spellings_has_one_master(cable: Cable) -> None:
    profile = made("a = { register = 1 }")
    addresses = [f"rtu://{cable.path}", f"rtu:///{cable.path}?stop=1&baud=9600"]
    devices = [
        one.model_copy(update={"address": address, "unit": 7 + number})
        for number, (one, address) in enumerate(zip(load_site(DEMO).device, addresses, strict=False))
    ]
    site = load_site(DEMO).model_copy(update={"device": devices})
    site.__dict__["profiles"] = {one.name: profile for one in devices}
    found = modbus_devices(site)
    assert found[0].line is found[1].line
    readings = await asyncio.gather(*(one.read() for one in found))
    assert [one.values for one in readings] == [{"a": 1.0}] * 2
    found[0].close()


# what a request may be, and what a site file says of a line ---------------------------------------

FIVE = "\n".join(f"a{n} = {{ register = {n} }}" for n in range(1, 6))


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("{ timeout = 2 }", [(1, 5)]),
        ("{ most_registers = 2 }", [(1, 2), (3, 2), (5, 1)]),
        ("{ most_registers = 4 }", [(1, 4), (5, 1)]),
        ("{ one_point = true }", [(n, 1) for n in range(1, 6)]),
    ],
)
@pytest.mark.parametrize("by_site", [False, True], ids=["profile", "site file"])
async def test_what_one_request_may_ask_for(line: str, asked: list[tuple[int, int]], by_site: bool) -> None:
    profile = made(FIVE, "" if by_site else f"line = {line}")
    given = LineTiming(**tomllib.loads(f"line = {line}")["line"]) if by_site else None
    async with Bare(held(1, range(5))) as server:
        one = device(profile.over(given), server.address)
        assert len((await one.read()).values) == 5
        assert [(one.start, len(one.words)) for one in server.asked] == asked
        one.close()


@pytest.mark.parametrize(
    ("own", "told", "functions"),
    [(16, None, [16]), (6, None, [6]), (16, 6, [6]), (6, 16, [16])],
    ids=["16", "6", "6 in the site file", "16 in the site file"],
)
async def test_the_function_that_writes(own: int, told: int | None, functions: list[int]) -> None:
    """A device that knows but one of them declines the other."""
    command = f"[commands]\nx = {{ register = 1, write = {own}, low = 0, high = 9, fallback = 0 }}"
    profile = made(f"x = {{ register = 1 }}\n{command}")
    line = None if told is None else LineTiming.model_validate({"write": told})
    async with Bare(held(1, [0])) as server:
        one = device(profile.over(line), server.address)
        await one.write("x", 5.0)
        assert [one.function for one in server.asked if one.function in (6, 16)] == functions
        assert server.registers[3, 1] == 5
        one.close()


def test_what_the_site_file_does_not_say_is_as_the_profile_says() -> None:
    profile = made("a = { register = 1 }", "line = { timeout = 5, connect_pause = 2.5, request_pause = 0.1 }")
    assert profile.over(None) is profile
    line = profile.over(LineTiming(timeout=3.0)).line
    assert line == LineTiming(timeout=3.0, connect_pause=2.5, request_pause=0.1)
    assert profile.over(LineTiming(connect_pause=0.0)).line.connect_pause == 0.0


def test_devices_that_come_to_the_same_share_one_profile() -> None:
    site = load_site(DEMO)
    line = LineTiming(timeout=3.0)
    devices = [
        site.device[2].model_copy(update={"name": f"m{n}", "line": given})
        for n, given in enumerate([None, None, line, line])
    ]
    changed = site.model_copy(update={"device": devices})
    changed.__dict__.pop("profiles")
    profiles = changed.profiles
    assert profiles["m0"] is profiles["m1"]
    assert profiles["m2"] is profiles["m3"]
    assert (profiles["m0"].line.timeout, profiles["m2"].line.timeout) == (1.0, 3.0)
