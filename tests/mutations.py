"""Messages as a stranger, a broken disk or a bug would send them: good ones of every topic, spoiled in some way."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from joulebus.examples import EXAMPLES
from schemas.topics import Topic
from schemas.units import LARGEST, WHOLE

HUGE = 200_000
"""Characters: nearly all that a message may have."""

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**53, WHOLE, WHOLE + 1, 2**64, -(2**63)),
    *(0.0, -0.0, 0.5, 1e12, -1e12, 1.1e12, 1e18, LARGEST, -LARGEST, 1.1 * LARGEST, 1e300, 1e308, -1e308, 5e-324),
)
MOMENTS = (
    *(
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
        "2200-01-01T00:00:00Z",
        "2199-12-31T23:59:59.999999Z",
    ),
    *("1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("2026-02-30T00:00:00Z", "2026-06-21T12:00:00", "12:00", "1782043200", "2026-06-21T12:00:00+99:99"),
)
TEXTS = (
    *("", " ", "x" * 64, "x" * 65, "x" * 501, "\ufffd", "NaN", "null", "../..", "+", "#", "$SYS/#", "<b>", "a\nb"),
    *("\x00", "\x1b[2J", "\u202e", "\U0001f525", "normal", "online", "offline", "lockout", "fault", "running"),
)
SHAPES: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, [1, "a", None], [["a"]], ["x"] * 5000)

RAW = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, r'"\ud800"', r'"\udc00\ud800"', "01", "0x10", "'x'", "tru")
"""What json.dumps never writes."""

BROKEN = (
    *(b"", b" ", b"{", b"}", b"null", b"[]", b"{}", b"0", b'""', b"\xff", b"\xef\xbb\xbf{}", b"\x00" * 50),
    *(b"[" * 100_000, b'{"a":' * 30_000, b"\xf0\x28\x8c\x28", b"9" * HUGE, b'"' + b"x" * HUGE + b'"', b"x" * HUGE),
    *(rb'{"id":"\ud800"}', rb'{"id":"\udfff\ud800","at":1}', b'{"id":null}', b'{"id":{"id":"x"}}', b'{"at":1e999}'),
)

Path = list[str | int]


class Mutations:
    """An endless source of them; the same seed gives the same ones for the same `now`."""

    def __init__(self, seed: int, now: datetime | None = None) -> None:
        self.random = Random(seed)
        self.now = now or datetime.now(UTC)

    def good(self, topic: Topic[Any]) -> dict[str, Any]:
        """The example of a topic, as if it were sent now."""
        message: dict[str, Any] = json.loads(EXAMPLES[topic.name].model_dump_json(exclude_unset=True))
        shift = self.now - datetime.fromisoformat(message["at"]) if "at" in message else timedelta()
        for path in _leaves(message):
            value = _at(message, path)
            if isinstance(value, str) and _is_moment(value):
                _put(message, path, (datetime.fromisoformat(value) + shift).isoformat())
        for name in ("id", "epoch"):  # not the same one each time: it would be refused as a repetition
            if name in message:
                message[name] = f"{self.random.getrandbits(64):016x}"
        return message

    def payload(self, topic: Topic[Any]) -> bytes:
        """Bytes for a topic; some are still a good message."""
        kinds: list[tuple[int, Callable[[Topic[Any]], bytes]]] = [
            (40, self._spoiled), (15, self._extreme), (15, self._flipped), (10, self._cut), (10, self._raw),
            (5, self._repeated), (5, lambda _: self.random.choice(BROKEN)),
        ]  # fmt: skip
        weights, makers = zip(*kinds, strict=True)
        make: Callable[[Topic[Any]], bytes] = self.random.choices(makers, weights)[0]
        return make(topic)

    def _spoiled(self, topic: Topic[Any]) -> bytes:
        """One to three places hold something else, are missing, or should not be there."""
        message = self.good(topic)
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            path = self._place(message)
            act = self.random.random()
            if act < 0.1:
                _drop(message, path)
            elif act < 0.2:
                _put(message, [*path[:-1], self.random.choice(("extra", "x" * 70, "", "Größe", "p"))], self._value())
            else:
                _put(message, path, self._like(_at(message, path)) if act < 0.6 else self._value())
        return json.dumps(message).encode()

    def _extreme(self, topic: Topic[Any]) -> bytes:
        """Every number and moment is at the end of what it may be."""
        message = self.good(topic)
        for path in _leaves(message):
            value = _at(message, path)
            if isinstance(value, float):
                _put(message, path, self.random.choice((LARGEST, -LARGEST, 1e12, -1e12, 0.0, 100.0, 1e-300)))
            elif isinstance(value, str) and _is_moment(value) and self.random.random() < 0.5:
                _put(message, path, self.random.choice(("2199-12-31T23:59:59Z", "1970-01-01T00:00:00Z")))
        return json.dumps(message).encode()

    def _flipped(self, topic: Topic[Any]) -> bytes:
        text = bytearray(json.dumps(self.good(topic)).encode())
        for _ in range(self.random.randint(1, 8)):
            text[self.random.randrange(len(text))] ^= 1 << self.random.randrange(8)
        return bytes(text)

    def _cut(self, topic: Topic[Any]) -> bytes:
        text = json.dumps(self.good(topic)).encode()
        start, end = sorted(self.random.randrange(len(text) + 1) for _ in range(2))
        return self.random.choice((text[:end], text[:start] + text[end:], text[:end] + text[start:]))

    def _raw(self, topic: Topic[Any]) -> bytes:
        message = self.good(topic)
        _put(message, self._place(message), "@raw@")
        return json.dumps(message).replace('"@raw@"', self.random.choice(RAW)).encode()

    def _repeated(self, topic: Topic[Any]) -> bytes:
        """A key twice: which one counts?"""
        message = self.good(topic)
        key = self.random.choice([*message])
        return f"{json.dumps(message)[:-1]}, {json.dumps(key)}: {json.dumps(self._value())}}}".encode()

    def _place(self, message: dict[str, Any]) -> Path:
        """Somewhere in it, or where there is nothing yet."""
        paths = _paths(message)
        return self.random.choice(paths) if paths else ["x"]

    def _value(self) -> Any:  # anything, that is its point
        return deepcopy(self.random.choice(self.random.choice((NUMBERS, MOMENTS, TEXTS, SHAPES))))

    def _like(self, value: Any) -> Any:
        """Another value of the same kind."""
        if isinstance(value, str):
            return self.random.choice(MOMENTS if _is_moment(value) else TEXTS)
        if isinstance(value, bool) or value is None:
            return self._value()
        if isinstance(value, int | float):
            return self.random.choice(NUMBERS)
        return deepcopy(self.random.choice(SHAPES))


def _is_moment(text: str) -> bool:
    return len(text) > 18 and text[4:5] == "-" and "T" in text


def _paths(message: Any) -> list[Path]:  # JSON
    """Of every place in it."""
    inside = message.items() if isinstance(message, dict) else enumerate(message) if isinstance(message, list) else ()
    found: list[Path] = []
    for key, value in inside:
        found += [[key], *([key, *path] for path in _paths(value))]
    return found


def _leaves(message: Any) -> list[Path]:
    return [path for path in _paths(message) if not isinstance(_at(message, path), dict | list)]


def _at(message: Any, path: Path) -> Any:
    for key in path:
        message = message[key] if not isinstance(message, dict) else message.get(key)
    return message


def _put(message: Any, path: Path, value: Any) -> None:
    holder = _at(message, path[:-1])
    if isinstance(holder, dict):
        holder[str(path[-1])] = value
    elif isinstance(holder, list):
        holder[min(path[-1], len(holder) - 1) if isinstance(path[-1], int) else -1] = value


def _drop(message: Any, path: Path) -> None:
    holder = _at(message, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)
