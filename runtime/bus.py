"""The only door to the broker: typed topics over MQTT 5, acknowledged by hand.

aiomqtt acknowledges a message when it reaches memory, so a killed consumer loses what it had not handled:
14 010 of 20 000 in a measured run. Here the caller acknowledges, after its commit. This needs the paho client
below aiomqtt (`_client`, one private attribute), whose manual acknowledgement and reason codes are public API.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from runtime.heard import Heard, find, read
from runtime.refusals import Refused, granted, not_let_in, refusal
from runtime.settings import Broker
from runtime.tls import tls
from schemas.topics import TOPICS, M, Topic

__all__ = ["BEAT", "BEHIND", "LARGEST", "Bus", "Refused", "not_let_in", "refusal"]

T = TypeVar("T")
Take = Callable[[str, bytes], None]
"""Gets what is said: the address and the payload."""

LARGEST = 250_000
"""Bytes of a payload. The broker's max_packet_size is above it: one oversize packet blocks its publisher for ever."""

BEHIND = 600.0
"""Seconds a subscription may take: the broker answers it only when all that a kept session held has been sent."""

BEAT = 0.5
"""Seconds between two looks whether the broker still speaks."""


class Bus(aiomqtt.Client):
    """One connection. Make a new one after a loss: paho would send again what was meant for then."""

    def __init__(
        self, broker: Broker, *, identifier: str, will: tuple[str, bytes] | None = None, session: int = 0
    ) -> None:
        """`session` seconds the broker keeps subscriptions and undelivered messages while we are away.

        Raises MqttError when the certificates cannot be read.
        """
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session
        properties.ReceiveMaximum = 1000
        super().__init__(
            broker.host,
            broker.port,
            username=broker.user,
            password=broker.password,
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=session == 0,
            properties=properties,
            keepalive=5,
            will=aiomqtt.Will(will[0], will[1], qos=1, retain=True) if will else None,
            tls_context=tls(broker) if broker.tls else None,
            # 88 ms instead of 0.9 ms a round trip without it: Nagle waits for the delayed acknowledgement.
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )
        self._client.manual_ack_set(True)
        self._disconnected.add_done_callback(_looked_at)
        self._inbox: deque[tuple[str, bytes, bool, int]] = deque()
        self._news = asyncio.Event()
        self._unconfirmed: dict[int, asyncio.Future[int]] = {}
        self._takers: dict[str, Take] = {}
        self._words = 0
        self.refused: set[str] = set()
        """Addresses at which the broker refused the last thing we said, as long as it does."""
        # in TLS 1.3 a client hears nothing but the end when its certificate is refused
        self._doubt = f"; is {broker.cert} still valid, and its authority known there?" if broker.cert else ""

    async def say(self, topic: Topic[M], message: M | None, *, expiry: float | None = None, **place: str) -> None:
        """Publish and wait for the broker's PUBACK; None clears a retained topic.

        Raises Refused when the access list forbids it, ValueError when it is too large to send, MqttError when
        the connection is lost: then nobody knows whether it arrived.
        """
        payload = message.model_dump_json().encode() if message is not None else b""
        await self.send(topic.at(**place), payload, retain=topic.retain, expiry=expiry)

    async def send(self, address: str, payload: bytes, *, retain: bool = False, expiry: float | None = None) -> None:
        """The same for a payload that is made already."""
        properties = None
        if expiry is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = max(1, round(expiry))
        await self._acknowledged(address, self.post(address, payload, retain=retain, properties=properties))

    async def send_all(self, said: Iterable[tuple[str, bytes, bool]]) -> None:
        """The same for several (address, payload, whether it is retained), in this order; waits once for all. One that
        is too large keeps no other back, and raises at the end."""
        said = [*said]
        small = [one for one in said if len(one[1]) <= LARGEST]
        posted = [(address, self.post(address, payload, retain=retain)) for address, payload, retain in small]
        for address, confirmed in posted:
            await self._acknowledged(address, confirmed)
        for address, payload, retain in said:
            if len(payload) > LARGEST:
                self.post(address, payload, retain=retain)  # it raises

    async def _acknowledged(self, address: str, confirmed: "asyncio.Future[int]") -> None:
        try:
            async with asyncio.timeout(self.timeout):
                reason = await confirmed
        except TimeoutError:
            raise aiomqtt.MqttError(f"{address}: no acknowledgement in {self.timeout:.0f} s") from None
        if reason >= 0x80:
            raise Refused(refusal(address))

    def post(
        self, address: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None
    ) -> "asyncio.Future[int]":
        """Publish without waiting; the future gives the broker's reason code, or MqttError when the connection is lost.

        Raises MqttError when there is no connection, ValueError when it is too large to send.
        """
        if len(payload) > LARGEST:
            raise ValueError(f"{address}: {len(payload)} bytes are more than {LARGEST}, the most a message may have")
        sent = self._client.publish(address, payload, 1, retain, properties)
        if sent.rc != paho.MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(sent.rc, "not connected")
        confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._unconfirmed[sent.mid] = confirmed
        confirmed.add_done_callback(lambda done: self._settled(sent.mid, address, done))
        return confirmed

    @property
    def certificate(self) -> bytes | None:
        """What the broker has shown, in DER; None without TLS, and without a connection."""
        line = self._client.socket()
        return line.getpeercert(binary_form=True) if isinstance(line, ssl.SSLSocket) else None

    @property
    def unconfirmed(self) -> int:
        """Messages the broker has not acknowledged yet."""
        return len(self._unconfirmed)

    async def silence(self, seconds: float) -> None:
        """Returns when the broker owed us an answer for so long and said nothing at all: the line is dead.

        Counted in beats of our own: a process that was frozen itself has not waited.
        """
        beats = 0.0
        while beats < seconds / BEAT:
            words = self._words
            await asyncio.sleep(BEAT)
            beats = beats + 1 if self._unconfirmed and words == self._words else 0

    def _settled(self, mid: int, address: str, confirmed: "asyncio.Future[int]") -> None:
        self._unconfirmed.pop(mid, None)
        _looked_at(confirmed)
        if not confirmed.cancelled() and confirmed.exception() is None:
            (self.refused.add if confirmed.result() >= 0x80 else self.refused.discard)(address)

    async def lost(self, seconds: float | None = None) -> bool:
        """Whether the connection is lost within some seconds, or ever; returns at once when it is."""
        await asyncio.wait([self._disconnected], timeout=seconds)
        return self._disconnected.done()

    def raise_loss(self) -> None:
        """Raises MqttError once the connection is lost."""
        if self._disconnected.done():
            raise self._disconnected.exception() or aiomqtt.MqttError("disconnected")

    async def listen(self, *addresses: str, size: int = 1000) -> AsyncIterator[list[Heard[Any]]]:
        """Batches of what is said at some addresses. The caller acknowledges each batch when it is done with it.

        Reads while it subscribes: the broker sends a kept session's backlog before it confirms the subscription.
        """
        wanted = [(address, _options(address)) for address in addresses]
        subscribing = asyncio.ensure_future(self.subscribe(wanted, timeout=BEHIND))
        subscribing.add_done_callback(lambda _: self._news.set())
        asked = False
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                self.raise_loss()
                if subscribing.done() and not asked:
                    granted(addresses, subscribing.result())
                    asked = True
                while self._inbox:
                    yield self._open(min(size, len(self._inbox)))
        finally:
            subscribing.cancel()

    @contextlib.asynccontextmanager
    async def aside(self, address: str, take: Take, *, qos: int = 1) -> AsyncIterator[None]:
        """While the block runs, what is said at an address goes to `take`, and to no `listen`.

        Raises Refused, and MqttError when the connection is lost before it begins.
        """
        self._takers[address] = take
        try:
            granted((address,), await self.while_connected(self.subscribe(address, qos, timeout=BEHIND)))
            yield
        finally:
            del self._takers[address]

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """aiomqtt goes on waiting for an answer that cannot come any more. Raises MqttError when the line is lost."""
        asking = asyncio.ensure_future(work)
        either: list[asyncio.Future[Any]] = [asking, self._disconnected]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                self.raise_loss()
            return await asking
        finally:
            asking.cancel()

    def ack(self, batch: Iterable[Heard[Any]]) -> None:
        """Tell the broker that these are done with; it forgets them."""
        for heard in batch:
            self._client.ack(heard.mid, 1)

    def _open(self, count: int) -> list[Heard[Any]]:
        """The oldest letters of the inbox, read."""
        batch = []
        for address, payload, retained, mid in [self._inbox.popleft() for _ in range(count)]:
            found = find(address)
            if found is None:  # an address that only resembles one of our topics
                self._client.ack(mid, 1)
                continue
            topic, place = found
            message, fault = read(topic, payload)
            batch.append(Heard(topic, place, message, fault, payload, retained, mid))
        return batch

    # aiomqtt's callbacks, in the loop's thread --------------------------------------------------

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        self._words += 1
        for address, take in self._takers.items():
            if paho.topic_matches_sub(address, message.topic):
                self._client.ack(message.mid, message.qos)
                take(message.topic, bytes(message.payload))
                return
        # Kept as it came: a backlog of 50 000 must fit into memory, and paho's own object weighs 6 kB.
        self._inbox.append((message.topic, bytes(message.payload), message.retain, message.mid))
        self._news.set()

    def _on_publish(
        self, _client: paho.Client, _userdata: object, mid: int, reason_code: ReasonCode, _properties: Properties
    ) -> None:
        self._words += 1
        confirmed = self._unconfirmed.get(mid)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(reason_code.value)

    def _on_disconnect(self, *args: Any) -> None:  # noqa: ANN401  # passed on as it came
        super()._on_disconnect(*args)
        if not self._connected.done():  # aiomqtt would go on waiting for an answer that cannot come any more
            self._connected.set_exception(aiomqtt.MqttError(f"the broker does not answer{self._doubt}"))
        self._news.set()
        for confirmed in [*self._unconfirmed.values()]:
            if not confirmed.done():
                confirmed.set_exception(aiomqtt.MqttError("the connection was lost before the acknowledgement"))


def _looked_at(done: "asyncio.Future[Any]") -> None:
    """Nobody has to wait for what may be lost: asyncio would complain of an error that nobody saw."""
    if not done.cancelled():
        done.exception()


def _options(address: str) -> SubscribeOptions:
    # Where nothing may be retained, see the flag as it was sent: a retained command is refused even when it is live.
    never = any(not topic.retain and _same_shape(topic, address) for topic in TOPICS)
    return SubscribeOptions(qos=1, retainAsPublished=never)


def _same_shape(topic: Topic[Any], address: str) -> bool:
    return topic.place(address.replace("+", "x")) is not None
