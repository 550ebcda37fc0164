"""What a bad line or a bad gateway makes of an answer: bytes in, bytes out. Pure."""

from collections.abc import Callable

SAYS = {
    "garbage": "answers bytes that mean nothing",
    "truncated": "loses the last three bytes of each answer",
    "double_reply": "gives each answer twice",
    "wrong_unit": "answers in the name of another unit",
    "other_function": "answers with another function code",
    "wrong_transaction": "answers with the number of the next question (Modbus TCP only)",
    "stale_transaction": "answers with transaction number 0 (Modbus TCP only)",
    "wrong_protocol": "answers with a protocol number that is not Modbus (Modbus TCP only)",
    "huge_length": "announces 65535 bytes and sends the usual ones (Modbus TCP only)",
    "wrong_checksum": "answers with a wrong checksum (RTU only)",
}
"""The lies by their names, and what each does."""


def lie(name: str, frame: bytes, *, rtu: bool) -> bytes:
    """The frame as the fault `name` sends it; unchanged where the framing does not know such a lie.

    A changed RTU frame keeps its old checksum.
    """
    change = (_BOTH | (_RTU if rtu else _TCP)).get(name)
    return change(frame, 0 if rtu else 6) if change else frame


def knows(name: str, *, rtu: bool) -> bool:
    """Whether a framing can tell this lie."""
    return name in (_BOTH | (_RTU if rtu else _TCP))


def _flip(frame: bytes, place: int, bits: int) -> bytes:
    place %= len(frame)
    return frame[:place] + bytes([frame[place] ^ bits]) + frame[place + 1 :]


def _number(frame: bytes, place: int, number: int) -> bytes:
    return frame[:place] + (number & 0xFFFF).to_bytes(2, "big") + frame[place + 2 :]


Change = Callable[[bytes, int], bytes]
"""Of a frame and the place of its unit."""

_BOTH: dict[str, Change] = {
    "garbage": lambda frame, _: bytes(byte ^ 0xA5 for byte in frame),
    "truncated": lambda frame, _: frame[:-3],
    "double_reply": lambda frame, _: frame + frame,
    "wrong_unit": lambda frame, unit: _flip(frame, unit, 1),
    "other_function": lambda frame, unit: _flip(frame, unit + 1, 7),
}
_TCP: dict[str, Change] = {
    "wrong_transaction": lambda frame, _: _number(frame, 0, int.from_bytes(frame[:2], "big") + 1),
    "stale_transaction": lambda frame, _: _number(frame, 0, 0),
    "wrong_protocol": lambda frame, _: _number(frame, 2, 1),
    "huge_length": lambda frame, _: _number(frame, 4, 0xFFFF),
}
_RTU: dict[str, Change] = {"wrong_checksum": lambda frame, _: _flip(frame, -1, 1)}
