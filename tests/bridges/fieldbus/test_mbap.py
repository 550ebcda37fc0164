"""The frames of Modbus TCP are found however their bytes come."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.modbus.mbap import Frame, frames


def frame(transaction: int, unit: int, body: bytes, protocol: int = 0) -> bytes:
    return struct.pack(">HHHB", transaction, protocol, len(body) + 1, unit) + body


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 255), st.binary(min_size=1, max_size=250)), max_size=4),
    st.integers(1, 300),
)
def test_whole_frames_and_what_is_left(given_frames: list[tuple[int, int, bytes]], cut: int) -> None:
    whole = [Frame(transaction, unit, len(body) + 7) for transaction, unit, body in given_frames]
    came = b"".join(frame(*one) for one in given_frames)
    assert frames(came) == (whole, 0)
    half = frame(1, 1, bytes(300))[:cut]
    assert frames(came + half) == (whole, len(half))


@given(st.binary(max_size=300))
def test_no_byte_is_counted_twice_or_lost(came: bytes) -> None:
    found, left = frames(came)
    assert sum(one.size for one in found) + left == len(came)


def test_what_is_no_modbus_is_left() -> None:
    assert frames(frame(1, 1, b"\x03\x02\x00\x01", protocol=1)) == ([], 11)
    assert frames(bytes(12)) == ([], 12)
