"""What storing telemetry would cost at the least: nothing but reception, and nothing but the insert of its rows."""

import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.archive_backlog import POINTS
from runtime.settings import parse_broker
from schemas.topics import TELEMETRY

PATIENCE = 300.0
"""Seconds until something is broken, not slow."""


def reception(url: str, messages: int, publish: Callable[[], None]) -> float:
    """Values per CPU second of nothing but paho that takes the same messages out of a session, and drops them."""
    where = parse_broker(url, "archive", None, {})
    client = paho.Client(CallbackAPIVersion.VERSION2, "archive", protocol=paho.MQTTv5)
    client.username_pw_set(where.user, where.password)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 600
    properties.ReceiveMaximum = 1000
    left = [messages]

    def _take(*_heard: object) -> None:
        left[0] -= 1

    def _connect() -> None:
        client.connect(where.host, where.port, clean_start=False, properties=properties)

    def _connected(*_said: object) -> None:
        client.subscribe(TELEMETRY.at(), qos=1)

    client.on_connect = _connected
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    _connect()
    client.loop_start()
    subscribed.wait(10)
    client.disconnect()
    client.loop_stop()
    client.on_connect = None
    publish()
    client.on_message = _take
    _connect()
    before = time.process_time()
    deadline = time.monotonic() + PATIENCE
    while left[0] > 0:
        client.loop(1.0)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{left[0]} messages did not come")
    spent = time.process_time() - before
    client.disconnect()
    return messages * POINTS / spent


async def insert(store: AsyncEngine) -> float:
    """Values per CPU second of nothing but executemany of the same rows, 1000 at a time, by the driver itself."""
    async with store.connect() as connection:
        rows = (
            await connection.execute(
                text("SELECT site, device, at, epoch, seq, historical, points, quality FROM telemetry LIMIT 20000")
            )
        ).all()
        await connection.execute(text("CREATE TABLE bare LIKE telemetry"))
        driver: Any = (await connection.get_raw_connection()).driver_connection
        before = time.process_time()
        async with driver.cursor() as cursor:
            for start in range(0, len(rows), 1000):
                await cursor.executemany(
                    "INSERT INTO bare VALUES (%s,%s,%s,%s,%s,%s,%s,%s)",
                    [tuple(row) for row in rows[start : start + 1000]],
                )
                await driver.commit()
        spent = time.process_time() - before
        await connection.execute(text("DROP TABLE bare"))
    return len(rows) * POINTS / spent
