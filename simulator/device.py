"""A simulated device behind pymodbus' Modbus server, with the lies a line can tell."""

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Protocol, Self, cast

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from schemas.messages import Value
from schemas.troubles import Trouble
from simulator.faults import Faults
from simulator.image import Image, Senses
from simulator.lies import lie
from simulator.wishes import Wish

QUICKEST = 0.005
"""Seconds a laggard takes at least."""

ACTIONS = frozenset(("start", "stop", "standby", "reset", "grid_following", "grid_forming"))
IGNORING = frozenset(("ignores_writes", "local_ignores"))
DECLINED_WITH = {"p_set": ExcCodes.ILLEGAL_VALUE}
"""Other writes that a fault declines are declined with a device failure."""

_asked: ContextVar[ModbusPDU | None] = ContextVar("_asked", default=None)
"""The request an answer belongs to: pymodbus gives a late answer the transaction id of the newest request."""


@dataclass(frozen=True, slots=True)
class Written:
    """One write that reached a device."""

    at: float
    """On the clock of the event loop, which is the monotonic one."""
    device: str
    register: int
    values: tuple[int, ...]


class Behind(Protocol):
    """What stands behind the registers."""

    def values(self) -> Mapping[str, Value]:
        """The points as they are now."""

    def obey(self, wish: Wish) -> None:
        """Someone wrote."""

    def heard(self, *, write: bool) -> None:
        """A request came in: it may feed a watchdog."""


@dataclass(slots=True)
class Puppet:
    """A device without physics: it shows what it was told and remembers what was asked of it."""

    shown: dict[str, Value] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)

    def values(self) -> Mapping[str, Value]:
        return self.shown

    def obey(self, wish: Wish) -> None:
        self.wishes.append(wish)
        if wish.name in self.shown:
            self.shown[wish.name] = wish.value

    def heard(self, *, write: bool) -> None:
        """It has no watchdog."""


@dataclass
class Device:
    """Answers requests out of its register image."""

    name: str
    image: Image
    behind: Behind
    faults: Faults = field(default_factory=lambda: Faults({}))
    written: deque[Written] = field(default_factory=lambda: deque(maxlen=100_000))
    senses: Senses | None = None
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._random = Random(self.name)

    @property
    def on(self) -> Mapping[str, float]:
        """Its faults, each with its size."""
        return self.faults.of(self.name)

    def simulated(self, unit: int) -> SimDevice:
        """As pymodbus wants it."""
        return sim_device(self, unit, *self.image.span)

    def delay(self) -> float:
        """Seconds until it answers."""
        on = self.on
        lags = self._random.uniform(QUICKEST, on["laggard"] / 1000) if "laggard" in on else 0.0
        return lags + on.get("slow", 0.0)

    def read(self, function: int, start: int, count: int) -> list[int] | ExcCodes:
        """The words it holds now, or the exception it answers with."""
        on = self.on
        if on and (no := self._unwilling(on) or self._lacks(on, function, start, count)):
            return no
        if function not in (3, 4):
            return ExcCodes.ILLEGAL_FUNCTION
        self.behind.heard(write=False)
        values = {} if "frozen" in on else self.behind.values()
        words = self.image.read(function, start, count, values, self.senses)
        if words is None:
            return ExcCodes.ILLEGAL_ADDRESS
        return [0] * count if "zeros" in on else words

    def write(self, function: int, start: int, words: list[int]) -> ExcCodes | None:
        """Takes the words, or gives the exception it answers with."""
        on = self.on
        told = self.image.told(start, len(words)) if on else frozenset[str]()
        if on and (no := self._unwilling(on) or self._declines(on, told)):
            return no
        wishes: list[Wish] | None = []
        if not (told - {"watchdog"} and on.keys() & IGNORING and self.image.takes(function, start, len(words))):
            wishes = self.image.write(function, start, words)
        if wishes is None:
            return ExcCodes.ILLEGAL_ADDRESS
        now = asyncio.get_running_loop().time()
        self.written.append(Written(now, self.name, start, tuple(words)))
        self.behind.heard(write=True)
        for wish in wishes:
            self.behind.obey(wish)
        return None

    def _unwilling(self, on: Mapping[str, float]) -> ExcCodes | None:
        if "silent" in on or "exception" in on:
            return ExcCodes.DEVICE_FAILURE
        if "busy" in on and next(self._turns) % 2 == 0:
            return ExcCodes.DEVICE_BUSY
        return None

    def _lacks(self, on: Mapping[str, float], function: int, start: int, count: int) -> ExcCodes | None:
        lost = [self.image.spare] if "missing_register" in on else []
        lost += ["contactor"] if "contactor_unreadable" in on else []
        return ExcCodes.ILLEGAL_ADDRESS if self.image.shows(lost, function, start, count) else None

    @staticmethod
    def _declines(on: Mapping[str, float], told: frozenset[str]) -> ExcCodes | None:
        """`told`: the commands and actions a write is about, and `watchdog`."""
        if "local" in on and told - {"watchdog"}:
            return ExcCodes.DEVICE_FAILURE
        if "declines_actions" in on and told & ACTIONS:
            return ExcCodes.DEVICE_FAILURE
        declined = [name for name in sorted(told) if f"declines_{name}" in on]
        return DECLINED_WITH.get(declined[0], ExcCodes.DEVICE_FAILURE) if declined else None


class Answers(Protocol):
    """One unit on a line: a device, or several."""

    @property
    def name(self) -> str: ...
    @property
    def on(self) -> Mapping[str, float]:
        """Faults, each with its size."""

    def simulated(self, unit: int) -> SimDevice:
        """As pymodbus wants it."""

    def delay(self) -> float:
        """Seconds until it answers."""

    def read(self, function: int, start: int, count: int) -> list[int] | ExcCodes:
        """The words it holds now, or the exception it answers with."""

    def write(self, function: int, start: int, words: list[int]) -> ExcCodes | None:
        """Takes the words, or gives the exception it answers with."""


def sim_device(one: Answers, unit: int, low: int, high: int) -> SimDevice:
    """One block of registers; pymodbus asks `reply` before it answers, which fills in those that it will send."""
    block = SimData(low, count=high - low + 1, values=0, datatype=DataType.REGISTERS)
    return SimDevice(unit, [block], action=partial(reply, one))


async def reply(  # noqa: PLR0917  # as pymodbus asks
    unit: Answers,
    function: int,
    first: int,
    start: int,
    count: int,
    registers: list[int],
    written: list[int] | list[bool] | None,
) -> ExcCodes | None:
    """What a unit makes of a request; the registers it will send are filled in here."""
    if wait := unit.delay():
        await asyncio.sleep(wait)
    if function in (6, 16):
        return None if written is None else unit.write(function, start, [int(word) for word in written])
    words = unit.read(function, start, count)
    if isinstance(words, ExcCodes):
        return words
    registers[start - first : start - first + count] = words
    return None


class Endpoint:
    """A Modbus server for one or several devices, each with its unit. `async with` runs it; port 0 takes a free one."""

    def __init__(self, host: str, port: int, devices: Mapping[int, Answers], *, rtu: bool = False) -> None:
        if host.startswith("/"):
            raise Trouble(f"{host}: a serial line cannot be simulated; give the device a tcp:// or rtu+tcp:// address")
        self.host, self.port, self.devices = host, port, dict(devices)
        self._framer = FramerType.RTU if rtu else FramerType.SOCKET
        self._server: ModbusTcpServer | None = None

    async def __aenter__(self) -> Self:
        self._server = ModbusTcpServer(
            [device.simulated(unit) for unit, device in self.devices.items()],
            framer=self._framer,
            address=(self.host, self.port),
            trace_packet=self._packet,
            trace_pdu=self._pdu,
        )
        try:
            await self._server.serve_forever(background=True)
        except RuntimeError as wrong:
            names = ", ".join(device.name for device in self.devices.values())
            raise Trouble(
                f"cannot listen at {self.host}:{self.port} for {names}: "
                "the port is in use, or the address does not belong to this machine"
            ) from wrong
        listening = cast("asyncio.Server", self._server.transport)
        self.port = listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            await asyncio.sleep(0)  # the connections close in the next round of the loop

    def _pdu(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        if not sending:
            _asked.set(pdu)
            return pdu
        if asked := _asked.get():
            pdu.transaction_id, pdu.dev_id = asked.transaction_id, asked.dev_id
        device = self.devices.get(pdu.dev_id)
        if device is not None and "wrong_register_count" in device.on and pdu.function_code in (3, 4):
            pdu.registers = pdu.registers[:-1] or [*pdu.registers, 0]
        return pdu

    def _packet(self, sending: bool, packet: bytes) -> bytes:
        asked = _asked.get()
        device = self.devices.get(asked.dev_id) if sending and asked else None
        if device is None:
            return packet
        on = device.on
        if "silent" in on:
            return b""
        for name in on:
            packet = lie(name, packet, rtu=self._framer is FramerType.RTU)
        return packet
