"""A device is read as far as it is there, whatever its model and firmware leave out."""

import asyncio
import selectors
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.fieldbus.contract import Declined
from bridges.fieldbus.modbus.blocks import locate
from bridges.fieldbus.modbus.read_plan import read_plan, requests
from bridges.fieldbus.modbus.reader import RETRY, SOON, Reader
from schemas.profiles import load_profile
from tests.bridges.fieldbus.bare import Bare, Registers, device, held, made

PROFILE = made("\n".join(f"a{n} = {{ register = {n * 2} }}" for n in range(20)), "gap = 3")
"""a0 to a19 at the even registers; up to three registers that the profile does not name may be read with them."""


class Virtual(asyncio.SelectorEventLoop):
    """Time passes only where somebody waits for it."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.now = 1000.0
        select = self._selector.select  # type: ignore[attr-defined]  # where asyncio waits

        def wait(timeout: float | None = None) -> list[Any]:
            self.now += timeout or 0.0
            return list(select(0))

        self._selector.select = wait  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


def story(told: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=Virtual) as runner:
        runner.run(told)


@dataclass
class Held:
    """The registers of a unit in the same process: 7 is any number, and what is missing is declined."""

    missing: Collection[int]
    most: int = 125
    delay: float = 0.0
    refuses: int = 0
    """So many requests are declined, whatever they are for."""
    code: int = 2
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def read(self, _unit: int, _function: int, start: int, count: int) -> list[int]:
        self.asked.append((start, count))
        await asyncio.sleep(self.delay)
        self.refuses -= 1
        if self.refuses >= 0 or count > self.most or any(at in self.missing for at in range(start, start + count)):
            raise Declined(f"no such register, reading {start} and {count} more", self.code)
        return [start + place for place in range(count)]

    async def write(self, _unit: int, _function: int, _start: int, _words: Sequence[int]) -> float:
        raise AssertionError("nothing is written here")

    def close(self) -> None:
        """There is nothing to let go of."""


@given(st.sets(st.integers(0, 40)), st.integers(1, 125))
def test_all_that_is_there_is_read_and_nothing_else(missing: set[int], most: int) -> None:
    """Points, gaps and the length of requests: whatever it is that a device declines."""
    there = {f"a{n}": float(n * 2) for n in range(20) if n * 2 not in missing}

    async def told() -> None:
        reader = Reader(Held(missing, most), 1, read_plan(PROFILE, {}))
        if not there:
            with pytest.raises(Declined, match=r"nothing can be read: no such register, reading \d+"):
                await reader.read(reader.plan.hot)
            return
        for _ in range(4):
            seen = await reader.read(reader.plan.hot)
            assert seen.values == there
            assert seen.declined.keys() == {f"a{n}" for n in range(20)} - there.keys()
        line = reader.line
        assert isinstance(line, Held)
        line.asked.clear()
        await reader.read(reader.plan.hot)
        assert all(set(range(at, at + count)).isdisjoint(missing) for at, count in line.asked), "it is not asked again"

    story(told())


@pytest.mark.parametrize("missing", [[6], [6, 7], [6, 20]], ids=["one", "one and a gap", "two"])
def test_the_others_are_read_in_few_requests(missing: list[int]) -> None:
    async def told() -> None:
        line = Held(missing)
        reader = Reader(line, 1, read_plan(PROFILE, {}))
        await reader.read(reader.plan.hot)
        await reader.read(reader.plan.hot)
        line.asked.clear()
        await reader.read(reader.plan.hot)
        assert len(line.asked) == sum(at % 2 == 0 for at in missing) + 1, line.asked

    story(told())


def test_what_was_away_for_a_while_comes_back() -> None:
    """A meter behind an inverter: its registers are declined as long as it is not there."""
    missing = {10, 12, 14}

    async def told() -> None:
        loop, line = asyncio.get_running_loop(), Held(missing)
        reader = Reader(line, 1, read_plan(PROFILE, {}))
        began = loop.time()
        assert (await reader.read(reader.plan.hot)).declined.keys() == {"a5", "a6", "a7"}
        while loop.time() - began < 10 * RETRY:
            await asyncio.sleep(1)
            line.asked.clear()
            await reader.read(reader.plan.hot)
            assert len(line.asked) <= 3, "one of the missing is asked for now and then"
        missing.clear()
        back = loop.time()
        for _ in range(int(RETRY) + 1):
            await asyncio.sleep(1)
            seen = await reader.read(reader.plan.hot)
        assert loop.time() - back == RETRY + 1
        assert (len(seen.values), dict(seen.declined)) == (20, {})

    story(told())


def test_a_device_that_declines_some_times_is_not_robbed_of_its_points() -> None:
    async def told() -> None:
        reader = Reader(Held([], refuses=3), 1, read_plan(PROFILE, {}))
        seen = await reader.read(reader.plan.hot)
        assert (len(seen.values), dict(seen.declined)) == (20, {})

    story(told())


def test_a_reading_says_when_it_began() -> None:
    async def told() -> None:
        loop, reader = asyncio.get_running_loop(), Reader(Held([], delay=3), 1, read_plan(PROFILE, {}))
        began = loop.time()
        assert (await reader.read(reader.plan.hot)).began == began
        assert loop.time() >= began + 3

    story(told())


@pytest.mark.parametrize("code", [1, 2, 3])
@pytest.mark.parametrize(
    ("profile", "function", "missing"),
    [
        ("sungrow_sh", 4, [5634, 5635]),
        ("sungrow_sh", 4, [5241]),
        ("huawei_sun2000_luna", 3, range(37100, 37123)),
        ("goodwe_et", 3, [35171, 35172]),
    ],
)
async def test_a_model_without_some_fast_registers(
    profile: str, function: int, missing: Sequence[int], code: int
) -> None:
    shipped = load_profile(profile).model_copy(update={"line": made("x = { register = 1 }").line})
    registers: Registers = {one: 1 for located in locate(shipped, {}) for one in located.registers}
    refuses = dict.fromkeys(((function, at) for at in missing), code)
    async with Bare(registers, refuses=refuses) as server:
        one = device(shipped, server.address, rated=10_000)
        seen = await one.read()
        lost = {p.name for p in locate(shipped, {}) if any((p.function, at) in p.registers for at in missing)}
        fast = {name for name, point in shipped.points.items() if point.rate == "fast"}
        assert seen.declined.keys() == lost & fast
        assert fast - lost <= seen.values.keys()
        for name, words in seen.declined.items():
            at = shipped.points[name].register_
            assert f"register {at} by function {function}" in words or f"registers {at}-" in words, words
            assert f"(exception {code})" in words
        before = len(server.asked)
        await one.read()
        assert len(server.asked) - before <= len(read_plan(shipped, {}).hot) + 2
        one.close()


async def test_nothing_at_all_says_which_register() -> None:
    profile = made("a = { register = 100 }\nb = { register = 101 }")
    async with Bare(held(7, [1])) as server:
        one = device(profile, server.address)
        with pytest.raises(
            Declined, match=r"nothing can be read: .* no such register \(exception 2\), reading register 100"
        ):
            await one.read()
        asked = len(server.asked)
        with pytest.raises(Declined, match="register 100"):
            await one.read()
        assert len(server.asked) == asked, "it is known by now"
        server.registers |= held(100, [4, 5])
        one.forget()
        assert (await one.read()).values == {"a": 4.0, "b": 5.0}
        one.close()


async def test_a_register_that_is_answered_by_a_failure_inside_costs_one_point() -> None:
    profile = made("a = { register = 100 }\nb = { register = 101 }\nc = { register = 200, rate = 'slow' }")
    async with Bare(held(100, [4, 5]), refuses={(3, 101): 4, (3, 200): 4}) as server:
        one = device(profile, server.address)
        seen = await one.read()
        assert seen.values == {"a": 4.0}
        assert seen.declined.keys() == {"b", "c"}
        assert "has failed inside (exception 4), reading register 101" in seen.declined["b"]
        asked = len(server.asked)
        await one.read()
        assert len(server.asked) == asked + 1, "what is known is not asked for each time"
        one.close()


def test_a_device_that_fails_as_a_whole_for_a_moment_lacks_nothing_behind_it() -> None:
    """Exception 4 to everything: it is offline, and with the next cycle it is back, whole."""

    async def told() -> None:
        line = Held([], refuses=10_000, code=4)
        reader = Reader(line, 1, read_plan(PROFILE, {}))
        for _ in range(3):
            with pytest.raises(Declined, match="no such register, reading 0"):
                await reader.read(reader.plan.hot)
        assert len(line.asked) < 20
        line.refuses = 0
        seen = await reader.read(reader.plan.hot)
        assert (len(seen.values), dict(seen.declined)) == (20, {})

    story(told())


def test_a_part_that_fails_for_a_moment_is_asked_for_soon() -> None:
    profile = made("a = { register = 1 }\nb = { register = 50 }\nc = { register = 51 }")

    async def told() -> None:
        line, loop = Held({50, 51}, code=4), asyncio.get_running_loop()
        reader = Reader(line, 1, read_plan(profile, {}))
        assert (await reader.read(reader.plan.hot)).values == {"a": 1.0}
        line.missing = ()
        assert loop.time() == 1000.0
        await asyncio.sleep(SOON)
        assert len((await reader.read(reader.plan.hot)).values) == 3

    story(told())


async def test_a_watchdog_that_is_declined_leaves_the_device_readable() -> None:
    command = "[commands]\nx = { register = 100, low = 0, high = 9, fallback = 0 }"
    body = f"a = {{ register = 100 }}\n{command}\n[watchdog]\nregister = 300\nseconds = 10"
    async with Bare(held(100, [4])) as server:
        one = device(made(body), server.address)
        assert (await one.read()).values == {"a": 4.0}
        with pytest.raises(Declined, match="writing register 300 by function 6"):
            await one.arm()
        assert (await one.read()).values == {"a": 4.0}
        one.close()


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("name", ["sunspec_pv_701", "sunspec_storage_701"])
async def test_a_value_and_its_scale_are_of_one_moment(name: str, every: int) -> None:
    """Both change together between two requests: 650 is written as 6500 x 10^-1 or as 650 x 10^0."""
    profile = load_profile(name)
    lengths = {1: 66, 701: 153, 702: 50, 703: 17, 704: 65, 713: 7, 714: 43, 715: 7}
    words = [0x5375, 0x6E53, *(word for model, length in lengths.items() for word in (model, length, *[0] * length))]
    base = 40000 + 2 + 68
    registers = held(40000, [*words, 0xFFFF, 0])
    registers |= held(base + 113, [-1, -1, -2, 0, -3, 0, 0, 0, 0, 0]) | held(base + 10, [650])
    turn = iter(range(10_000))

    def change() -> None:
        if next(turn) % every == 0:
            fine = registers[3, base + 116] == 0
            registers.update(held(base + 10, [6500 if fine else 650]) | held(base + 116, [-1 if fine else 0]))

    async with Bare(registers, before=change) as server:
        one = device(profile, server.address, rated=10_000)
        seen = [(await one.read()).values.get("p") for _ in range(12)]
        one.close()
    assert set(seen) == {650.0}


@given(st.data())
@settings(max_examples=50)
def test_one_request_has_a_value_with_its_scale_wherever_one_reaches(data: st.DataObject) -> None:
    """Models of any length between them: however the requests are cut, none goes between a value and its scale."""
    profile = load_profile(data.draw(st.sampled_from(["refustore_88k", "sunspec_storage_701", "kaco_gridsave"])))
    bases, at = {}, 40002
    for model in sorted({point.model for point in profile.points.values() if point.model is not None}):
        bases[model] = at
        at += data.draw(st.integers(160, 260))
    points = [one for one in locate(profile, bases) if one.point.rate == "fast"]
    for request in requests(points, profile):
        for one in request.decode.crossing:
            low, high = min(start for start, _ in one.pieces), max(end for _, end in one.pieces)
            assert high - low > 125, one.name


@dataclass
class Scaled:
    """Each pair holds 600 at each moment, as 600 x 10^0, 60 x 10^1 or 6 x 10^2: no other content is true."""

    pairs: list[tuple[int, int]]
    changes: list[bool]
    """Whether the device scales anew before each of the requests; it does not after these, and not three times within
    one reading: who ends where it began cannot be told from who stands still."""
    most: int
    missing: Collection[int]
    asked: int = 0
    power: int = 0
    changed: list[int] = field(default_factory=list)

    async def read(self, _unit: int, _function: int, start: int, count: int) -> list[int]:
        lately = [at for at in self.changed if at > self.asked - 12]
        if self.asked < len(self.changes) and self.changes[self.asked] and len(lately) < 2:
            self.changed.append(self.asked)
            self.power += 1
        self.asked += 1
        power = self.power % 3
        held = {at: word for value, scale in self.pairs for at, word in ((scale, power), (value, 600 // 10**power))}
        if count > self.most or any(at in self.missing for at in range(start, start + count)):
            raise Declined("no such register", 2)
        return [held.get(at, 0x8000) for at in range(start, start + count)]

    async def write(self, _unit: int, _function: int, _start: int, _words: Sequence[int]) -> float:
        raise AssertionError("nothing is written here")

    def close(self) -> None:
        """There is nothing to let go of."""


@given(st.data())
@settings(max_examples=60)
def test_no_value_is_ever_scaled_by_the_factor_of_another_moment(data: st.DataObject) -> None:
    """Whatever the layout, the requests, the gaps and what is missing: near, far, fast and slow."""
    places = data.draw(st.lists(st.integers(0, 400), min_size=2, max_size=12, unique=True))
    scales = places[: max(1, len(places) // 3)]
    pairs = [(value, data.draw(st.sampled_from(scales))) for value in places[len(scales) :]]
    rates = [data.draw(st.sampled_from(["fast", "slow"])) for _ in pairs]
    lines = [
        f"a{value} = {{ model = 9, register = {value}, scale_register = {scale}, rate = '{rate}' }}"
        for (value, scale), rate in zip(pairs, rates, strict=True)
    ]
    most = data.draw(st.sampled_from([2, 10, 125]))
    manners = data.draw(st.sampled_from(["", ", one_point = true"]))
    gap = data.draw(st.integers(0, 120))
    head = f"sunspec = true\ngap = {gap}\nline = {{ most_registers = {most}{manners} }}"
    profile = made("\n".join(lines), head)
    spare = set(range(1000, 1400)) - {1000 + place for place in places}
    missing = data.draw(st.sets(st.sampled_from(sorted(spare)), max_size=5))
    changes = data.draw(st.lists(st.booleans(), max_size=40))
    line = Scaled([(1000 + value, 1000 + scale) for value, scale in pairs], changes, most, missing)

    async def told() -> None:
        reader = Reader(line, 1, read_plan(profile, {9: 1000}))
        for turn in range(50):
            seen = await reader.read(
                reader.plan.hot, [reader.plan.slow[turn % len(reader.plan.slow)]] if "slow" in rates else []
            )
            assert set(seen.values.values()) <= {600.0}
            assert not seen.declined
        fast = {f"a{value}" for (value, _), rate in zip(pairs, rates, strict=True) if rate == "fast"}
        assert fast <= seen.values.keys(), "it has come to rest"

    story(told())
