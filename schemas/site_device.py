"""A device of a site file: one addressable thing."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from schemas.address import FOR_EDITORS, parse_address, spelled
from schemas.profile import LineTiming
from schemas.shape import Shape
from schemas.units import Name, Number, RatedWatts, VoltAmperes

POLLS = 2.5
"""Cycles of a device that may pass without a reading: one is lost, the next one is late."""

UNSAID = 5.0
"""Seconds by which a meter may be late of which nobody says how late it is, and which was not measured yet."""

Lateness = Annotated[float, Field(ge=0, le=60, allow_inf_nan=False, json_schema_extra={"unit": "s"})]


class Device(Shape):
    """One addressable thing."""

    name: Name
    """Its name in topics, on pages and in this file."""
    profile: str
    """The register map: a file in `profiles/` beside this file, or a shipped one."""
    measures: Literal["load"] | None = None
    """What a meter beside the grid's measures: with `load` the device is a load, positive what it draws: named in the
    balance of the site, whose rest nobody measures. Left out, it is a sub-meter, such as a battery's or a PV's own:
    shown and archived, and part of no balance."""
    behind: Name | None = None
    """The load whose meter this load's stands behind: it is a part of that one, and counted once."""
    address: Annotated[str, AfterValidator(spelled), Field(json_schema_extra={**FOR_EDITORS})]
    """`tcp://host:port`, `rtu+tcp://host:port` for a serial gateway that passes RTU frames through, or a serial line
    of this machine, `rtu:///dev/ttyUSB0?baud=9600&parity=N&stop=1`. Devices at the same host and port, or at the same
    device file, share one line, however it is spelled; its settings must then be the same."""
    unit: int = Field(default=1, ge=0, le=255)
    """Modbus unit identifier. One unit may be several devices, each with a profile of its own: a hybrid, or an inverter
    with its meters."""
    instance: Annotated[int, Field(ge=1, le=250)] | None = None
    """Which one, where the SunSpec models of a unit hold the profile's measuring model several times: 2 for the second,
    such as a SolarEdge's meter at the grid connection beside one of production. `joulebus scan` shows them."""
    line: LineTiming | None = None
    """What is given here takes the place of what the profile says, such as `{ timeout = 3 }`."""
    poll: Annotated[float, Field(ge=0.1, le=3600)] = 1.0
    """Seconds between two readings of the fast points."""
    rated_power: RatedWatts | None = None
    """W; a pcs and a pv need it. A load without it draws nothing in the simulator."""
    rated_apparent_power: VoltAmperes | None = None
    """VA; the rated power when left out."""
    substitute: dict[Name, Number] = {}
    """Values put in place of what the device reads, for a sensor that is broken until somebody repairs it, such as
    `{ t_cab = 25.0 }`. Published with the quality `substituted`: shown and archived, but no limit, alarm or plan is
    made from them."""

    delay: Lateness | None = None
    """Of the grid's meter: seconds by which its values are late, beside the poll, as its datasheet or that of a gateway
    says. No loop over it counts with less, whatever it measures itself, and it need not measure it first."""
    averaging: Lateness | None = None
    """Of the grid's meter: seconds over which its values are a mean. A step is seen in full only at the end of them,
    and so late such a meter counts, beside its `delay`."""
    _members: tuple[str, ...] = PrivateAttr(default=())

    @property
    def members(self) -> tuple[str, ...]:
        """The meters it is the sum of; none for a device with an address."""
        return self._members

    @property
    def late(self) -> float | None:
        """Seconds after which what it shows has followed in full, as the site file says; None where it does not."""
        if self.delay is None and self.averaging is None:
            return None
        return (self.delay or 0.0) + (self.averaging or 0.0)

    @property
    def kin(self) -> tuple[str, float | None, str, str | None]:
        """The same for all whose profile comes to the same."""
        line = "" if self.line is None else repr(self.line.model_dump(exclude_unset=True))
        return self.profile, self.rated_power, line, self.measures

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port; the device file and 0 for a serial line."""
        where = parse_address(self.address)
        return where.host, where.port

    def stale_after(self, least: float) -> float:
        """Seconds after which its last reading says nothing of now: `least`, or 2.5 cycles of a device read seldom."""
        return max(least, POLLS * self.poll)


def listed(given: object) -> object:
    """One name may stand without brackets."""
    return [given] if isinstance(given, str) else given


Names = Annotated[
    list[Name], BeforeValidator(listed, json_schema_input_type=Name | Annotated[list[Name], Field(min_length=1)])
]
"""One device, or several."""
