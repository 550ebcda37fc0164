"""A plain MQTT 5 client that sees every reason code: the broker is judged without joulebus' own bus."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

WAIT = 10.0
NOT_AUTHORIZED = 135


def wait_for(true: Callable[[], bool], seconds: float = WAIT) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def context(secrets: Path, role: str | None) -> ssl.SSLContext:
    """TLS with the certificate of a role unless that is None."""
    made = ssl.create_default_context(cafile=str(secrets / "ca.crt"))
    if role:
        made.load_cert_chain(secrets / "clients" / f"{role}.crt", secrets / "clients" / f"{role}.key")
    return made


class Client:
    """Connects on entering, tells what the broker answered, and collects what it hears."""

    def __init__(self, name: str, host: str, port: int, *, user: str = "", password: str = "") -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.lost = threading.Event()
        self._answers: Queue[Any] = Queue()
        self._place = (host, port)
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        if user:
            self.paho.username_pw_set(user, password)
        self.paho.on_connect = lambda _c, _u, _f, code, _p: self._answers.put(code)
        self.paho.on_publish = lambda _c, _u, _m, code, _p: self._answers.put(code)
        self.paho.on_subscribe = lambda _c, _u, _m, codes, _p: self._answers.put(codes)
        self.paho.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        self.paho.on_disconnect = lambda *_: self.lost.set()

    @classmethod
    def of(cls, url: str, name: str = "") -> Self:
        """A client for `mqtt://user:password@host:port`."""
        parts = urlsplit(url)
        return cls(
            name, parts.hostname or "", parts.port or 0, user=parts.username or "", password=parts.password or ""
        )

    def connect(self, session_expiry: int = 0) -> ReasonCode:
        """The broker's answer. Raises OSError when it does not let us speak at all."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session_expiry
        self.paho.connect(*self._place, clean_start=session_expiry == 0, properties=properties)
        self.paho.loop_start()
        code: ReasonCode = self._answers.get(timeout=WAIT)
        return code

    def __enter__(self) -> Self:
        code = self.connect()
        assert not code.is_failure, code
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def cut(self) -> None:
        """Go without a word, as when a cable is pulled."""
        self.paho.loop_stop()
        self._socket().shutdown(socket.SHUT_RDWR)

    def _socket(self) -> socket.socket:
        found = self.paho.socket()
        assert isinstance(found, socket.socket)
        return found

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int:
        """The reason code of the broker's PUBACK."""
        self.paho.publish(topic, payload, qos=1, retain=retain)
        code: ReasonCode = self._answers.get(timeout=WAIT)
        return int(code.value)

    def subscribe(self, address: str) -> int:
        """The reason code of the broker's SUBACK; what was sent before it has been heard after it."""
        self.paho.subscribe(address, qos=1)
        codes: list[ReasonCode] = self._answers.get(timeout=WAIT)
        return int(codes[0].value)
