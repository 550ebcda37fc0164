"""What a bridge costs that does nothing but read and publish: pymodbus and aiomqtt, no outbox, no quality, no guard.

Usage: bridge_bare.py FIRST_PORT DEVICES BROKER_PORT USER PASSWORD SITE
"""

import asyncio
import json
import logging
import random
import sys
import time
from typing import Any

import aiomqtt
from pymodbus.client import AsyncModbusTcpClient

TYPES = AsyncModbusTcpClient.DATATYPE


async def poll(number: int, port: int, bus: aiomqtt.Client, site: str) -> None:
    """One device, once a second: 50 points out of 69 registers."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1, retries=0)
    await client.connect()
    await asyncio.sleep(random.random())
    due, topic = time.monotonic(), f"ems/v1/{site}/device/d{number}/telemetry"
    while True:
        words = (await client.read_holding_registers(0, count=69, device_id=1)).registers
        ask = client.convert_from_registers
        values = {"stamp": ask(words[:4], TYPES.UINT64)}
        values |= {f"a{n}": ask(words[n : n + 1], TYPES.INT16) / 10 for n in range(4, 37)}  # type: ignore[operator]
        values |= {f"b{n}": ask(words[n : n + 2], TYPES.UINT32) / 10 for n in range(37, 69, 2)}  # type: ignore[operator]
        await bus.publish(topic, json.dumps({"at": time.time(), "values": values}), qos=1)
        due += 1.0
        await asyncio.sleep(due - time.monotonic())


async def main(words: list[str]) -> None:
    first, devices, broker, user, password, site = words
    login: dict[str, Any] = {"username": user, "password": password, "identifier": user}
    async with (
        aiomqtt.Client("127.0.0.1", int(broker), protocol=aiomqtt.ProtocolVersion.V5, **login) as bus,
        asyncio.TaskGroup() as group,
    ):
        for number in range(int(devices)):
            group.create_task(poll(number, int(first) + number, bus, site))


if __name__ == "__main__":
    logging.getLogger("mqtt").setLevel(logging.ERROR)  # aiomqtt warns of ten publications on their way
    asyncio.run(main(sys.argv[1:]))
