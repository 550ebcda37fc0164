"""Faults that can be switched on and off while the site runs. A name has the device in front: `bms:silent`."""

from collections.abc import Iterable

from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import Kind
from simulator.lies import SAYS

LINE = {
    "silent": "hears nothing and answers nothing",
    "exception": "answers exception 4 (device failure) to everything",
    "slow": "answers after 2 s, late but right",
    "wrong_register_count": "answers one register too few (one too many where one was asked for)",
    "frozen": "answers the same registers for ever",
    "zeros": "answers nothing but zeros, as a gateway does that has lost its device",
    "busy": "answers exception 6 (busy) to every other request",
    **SAYS,
}
"""What any device can do to its bridge."""
PHYSICS: dict[Kind, dict[str, str]] = {
    Kind.PCS: {
        "trip": "goes to its fault state and stays there",
        "ignores_setpoint": "holds the register, not the power",
        "refuses_setpoint": "confirms a write of its setpoint and keeps the old value",
        "foreign_write": "somebody else writes 5 kW to its setpoint again and again",
        "forgets": "has just been switched off and on: its setpoint is 0, once",
    },
    Kind.BMS: {"hot": "one module is 35 K hotter", "cell_high": "one cell stands 0.4 V above the others"},
    Kind.METER: {"inverted": "its current transformers point the wrong way"},
}


def known(site: Site) -> dict[str, str]:
    """Every fault this site can have, with what it does."""
    return {
        f"{device.name}:{fault}": says
        for device in site.device
        for fault, says in (LINE | PHYSICS.get(site.profiles[device.name].kind, {})).items()
    }


class Faults:
    """The faults that are on."""

    def __init__(self, known: Iterable[str], on: Iterable[str] = ()) -> None:
        self.known = frozenset(known)
        self.active: set[str] = set()
        self.set(on)

    def on(self, name: str) -> None:
        """Raises Trouble for a name this site does not have."""
        if name not in self.known:
            raise Trouble.unknown(f"fault {name!r}", name, sorted(self.known))
        self.active.add(name)

    def off(self, name: str) -> None:
        """Raises Trouble for a name this site does not have."""
        self.on(name)
        self.active.discard(name)

    def set(self, names: Iterable[str]) -> None:
        """Exactly these are on; none changes when one of them is unknown."""
        wanted = Faults.__new__(Faults)
        wanted.known, wanted.active = self.known, set()
        for name in names:
            wanted.on(name)
        self.active = wanted.active

    def active_of(self, device: str, names: Iterable[str]) -> list[str]:
        """Those of `names` that are on for a device."""
        return [name for name in names if f"{device}:{name}" in self.active] if self.active else []

    def has(self, device: str, fault: str) -> bool:
        return f"{device}:{fault}" in self.active
