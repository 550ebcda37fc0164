"""pymodbus' client for an address, and what its errors mean."""

from typing import Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.framer import FramerType

from schemas.address import Address

NO_ANSWER = "no answer"

Client = AsyncModbusTcpClient | AsyncModbusSerialClient


def client(where: Address, timeout: float, **hooks: Any) -> Client:  # noqa: ANN401  # pymodbus hides their types
    """It neither tries twice nor reconnects by itself: we do."""
    if where.scheme == "rtu":
        return AsyncModbusSerialClient(
            where.host, baudrate=where.baud, parity=where.parity, stopbits=where.stop,
            timeout=timeout, retries=0, reconnect_delay=0, name=str(where), **hooks,
        )  # fmt: skip
    return AsyncModbusTcpClient(
        where.host, port=where.port, timeout=timeout, retries=0, reconnect_delay=0, name=str(where),
        framer=FramerType.SOCKET if where.scheme == "tcp" else FramerType.RTU, **hooks,
    )  # fmt: skip


def in_words(wrong: BaseException) -> str:
    """`NO_ANSWER`, or what pymodbus says of it."""
    text = str(wrong)
    return NO_ANSWER if "No response" in text or not text else text.removeprefix("Modbus Error: ")
