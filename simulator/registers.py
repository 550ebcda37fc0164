"""What the holding registers of a device hold now, read by the words of its profile. Pure."""

from bridges.fieldbus.modbus.codec import unpack
from schemas.register import Register
from simulator.layout import Layout


class Registers:
    """Those of a layout, as the last write left them."""

    def __init__(self, layout: Layout) -> None:
        self.address = layout.address
        self._held = layout.held
        self._order = layout.profile.word_order

    def __getitem__(self, address: int) -> int:
        """The word of one of them."""
        return self._held[3][address]

    def raw(self, register: Register, start: int) -> float:
        """The number in those that begin at `start`, in the type of `register` and without its scale."""
        words = [self[start + place] for place in range(register.count)]
        return float(unpack(register, words, self._order))

    def power(self, register: Register) -> int:
        """The power of ten by which the device itself scales a register; 0 where it does not."""
        if register.scale_register is None:
            return 0
        word = self._held[3][self.address(register.scale_register, register.model)]
        return word - 0x10000 if word & 0x8000 else word
