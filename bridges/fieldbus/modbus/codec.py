"""The codec between registers and values: words in, numbers out. No sockets; the simulator uses it too."""

import math
import struct
from collections.abc import Mapping

from bridges.fieldbus.modbus.decimals import factor, shortest
from schemas.messages import Value
from schemas.register import Point, Register
from schemas.units import plain

FORMATS = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}
_STRUCTS = {kind: struct.Struct(">" + code) for kind, code in FORMATS.items()}
NOT_IMPLEMENTED = {
    "u16": 0xFFFF,
    "i16": -0x8000,
    "u32": 0xFFFF_FFFF,
    "i32": -0x8000_0000,
    "u64": 2**64 - 1,
    "i64": -(2**63),
}
"""SunSpec's values for `not implemented`, by type (SunSpec Device Information Model Specification, chapter 4)."""


def unpack(register: Register, words: list[int], order: str = "big") -> float | int | str:
    """The raw content of a register. `words` has exactly its count; raises struct.error otherwise."""
    if register.type == "text":
        return b"".join(word.to_bytes(2, "big") for word in words).split(b"\0")[0].decode("latin-1").strip()
    if (register.word_order or order) == "little":
        words = [*reversed(words)]
    content: float | int = _STRUCTS[register.type].unpack(struct.pack(f">{len(words)}H", *words))[0]
    return content


def pack(register: Register, raw: float | str, order: str = "big") -> list[int]:
    """The words of a raw content. Raises struct.error when it does not fit the type."""
    if register.type == "text":
        packed = str(raw).encode("latin-1")[: register.words * 2].ljust(register.words * 2, b"\0")
    elif isinstance(raw, str):
        raise ValueError(f"{raw!r} is a text, the register holds {register.type}")
    else:
        packed = _STRUCTS[register.type].pack(raw if register.type.startswith("f") else round(raw))
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    return words[::-1] if (register.word_order or order) == "little" and register.type != "text" else words


def decode(point: Point, words: list[int], order: str = "big", power: int = 0, sunspec: bool = False) -> Value | None:
    """The value of a point, or None when the device says it does not have it or the float is not a number.

    `power` is the content of the scale register. Enums that are not in the map are given as `unknown_<raw>`.
    """
    raw = unpack(point, words, order)
    if isinstance(raw, str):
        return raw or None
    absent = raw in point.absent or (sunspec and raw == NOT_IMPLEMENTED.get(point.type))
    if absent or not math.isfinite(raw):
        return None
    return _meaning(point, shortest(raw) if point.type == "f32" else raw, power)


def _meaning(point: Point, raw: float, power: int) -> Value:
    if point.enum is not None:
        return point.enum.get(str(raw), f"unknown_{raw}")
    if point.first is not None:
        return next((name for bit, name in point.first.items() if int(raw) >> int(bit) & 1), point.otherwise)
    if point.flags is not None:
        return [name for bit, name in point.flags.items() if int(raw) >> int(bit) & 1]
    return _scaled(raw, point, power)


def encode(register: Register, value: float, order: str = "big", power: int = 0) -> list[int]:
    """The words that mean `value`. Raises struct.error when it does not fit the type."""
    return pack(register, value / (register.scale * 10.0**power), order)


def _scaled(raw: float, point: Point, power: int) -> float:
    by, divide = factor(point.scale, power)
    value = raw / by if divide else float(raw * by)
    if point.type == "f32" and by != 1:
        value = plain(value)
    return value + 0.0  # an inverted 0 is 0, not -0


def encode_point(point: Point, value: Value, order: str = "big", power: int = 0) -> list[int]:
    """The words a device would hold to show `value`: the inverse of `decode`, for the simulator."""
    if isinstance(value, str):
        if point.type == "text":
            return pack(point, value, order)
        if point.enum is not None:
            return pack(point, int(_key(point.enum, value)), order)
        if point.first is None:
            raise ValueError(f"{value!r} is not a value of {point}")
        return pack(point, 0 if value == point.otherwise else 1 << int(_key(point.first, value)), order)
    if point.sign is not None and isinstance(value, float | int):
        value = abs(value)  # the direction stands in a register of its own
    if isinstance(value, list):
        return pack(point, sum(1 << int(_key(point.flags or {}, name)) for name in value), order)
    return encode(point, value, order, power)


def _key(names: Mapping[str, str], name: str) -> str:
    for key, known in names.items():
        if known == name:
            return key
    raise ValueError(f"{name!r} is not one of {', '.join(names.values())}")
