"""One reason, for programs."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from schemas.messages.message import Message
from schemas.units import Instant, Name, Number


class Why(Message):
    """One reason for what the battery does or is told, for programs; the words for people are made from it."""

    code: Name
    """One of [these](#reasons); a newer planner may know more."""
    value: Number | None = None
    """What is held, charged for or passed: W of a peak, a load or an excess; % of a SoC; or a price per kWh, that of
    another hour or what the energy is worth."""
    limit: Number | None = None
    """Where it ends: W, % of a SoC, s, or the price per kWh from which it pays."""
    price: Number | None = None
    """Per kW of a peak, else per kWh: now, or what a further kWh is worth."""
    at: Instant | None = None
    """When that is: the beginning of the peak's window, the dear hour."""
    of: str = ""
    """The name of the demand, or who said the limit."""
    per: str = ""
    """month or year, of a peak."""

    @model_serializer(mode="wrap")
    def _what_is_known(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value not in (None, "")}
