"""The frames of Modbus TCP in what has come: whose answers they are. Pure.

Each begins with its transaction number, two zeros, the length of what follows, and the unit (MODBUS Messaging on TCP/IP
Implementation Guide 1.0b, 3.1.3).
"""

import struct
from dataclasses import dataclass

HEAD = struct.Struct(">HHHB")
PREFIX = 6
"""Bytes before those that the length counts."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One answer."""

    transaction: int
    unit: int
    size: int
    """Bytes, all of it."""


def frames(came: bytes) -> tuple[list[Frame], int]:
    """The whole frames at the beginning, and how many bytes are left: of a frame that is not whole yet, or of none."""
    found, at = list[Frame](), 0
    while len(came) - at > HEAD.size:
        transaction, protocol, length, unit = HEAD.unpack_from(came, at)
        size = PREFIX + length
        if protocol != 0 or length < 2 or at + size > len(came):
            break
        found.append(Frame(transaction, unit, size))
        at += size
    return found, len(came) - at
