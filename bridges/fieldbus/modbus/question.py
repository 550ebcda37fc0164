"""One question to a unit: what it may be, how long its answer is, and what is said of it. Pure."""

from dataclasses import dataclass

from bridges.fieldbus.contract import Declined

MOST = {3: 125, 4: 125, 6: 1, 16: 123}
"""Registers of one request, by function (Modbus Application Protocol 1.1b3, chapter 6)."""

_EXCEPTIONS = {
    1: "does not know this function",
    2: "has no such register",
    3: "does not accept this value",
    4: "has failed inside",
    6: "is busy",
    10: "cannot be reached by the gateway",
    11: "did not answer the gateway",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question."""

    unit: int
    function: int
    start: int
    count: int

    def __str__(self) -> str:
        does = "writing" if self.function in (6, 16) else "reading"
        return f"{does} {span(self.start, self.count)} by function {self.function}"

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes that the question and its answer have after their function code."""
        if self.function in (3, 4):
            return 4, 1 + 2 * self.count
        return (4 if self.function == 6 else 5 + 2 * self.count), 4

    @property
    def shape(self) -> tuple[int, int, int]:
        """All that tells whose answer a frame without a number is: unit, function, and its length."""
        return self.unit, self.function, self.sizes[1]

    def declined(self, code: int) -> Declined:
        """That it was answered by an exception."""
        does = _EXCEPTIONS.get(code, "answers with an exception")
        return Declined(f"the device {does} (exception {code}), {self}", code)


def span(start: int, count: int) -> str:
    """Registers in words."""
    return f"register {start}" if count == 1 else f"registers {start}-{start + count - 1}"


def possible(function: int, start: int, count: int) -> None:
    """Raises Declined for a request that no device could answer: of a larger value function 6 would write a part."""
    most = MOST.get(function, 0)
    if not 1 <= count <= most:
        raise Declined(
            f"function {function} is for {most} register{'s' * (most > 1)} at most, not {count}: none was sent"
        )
    if not 0 <= start <= 0x10000 - count:
        raise Declined(f"there are registers 0 to 65535, not {span(start, count)}")
