"""Faults that can be switched on and off while the site runs. A name has the device in front: `bms:silent`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.profile import Profile
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import Kind
from simulator.lies import SAYS


@dataclass(frozen=True, slots=True)
class Fault:
    """What can be wrong."""

    says: str
    """`{size}` stands for the size it has when nobody gives another one."""
    size: float = 1.0
    """How much, how long, how far: in the unit that `says` names."""

    def __str__(self) -> str:
        return self.says.format(size=f"{self.size:g}")


LINE: dict[str, Fault] = {
    "silent": Fault("hears nothing and answers nothing"),
    "exception": Fault("answers exception 4 (device failure) to everything"),
    "slow": Fault("answers after {size} s, late but right", 2.0),
    "laggard": Fault("answers after 5 to {size} ms, each time another", 300.0),
    "wrong_register_count": Fault("answers one register too few (one too many where one was asked for)"),
    "missing_register": Fault("does not have one of the fast registers of its map: exception 2"),
    "frozen": Fault("answers the same registers for ever"),
    "zeros": Fault("answers nothing but zeros, as a gateway does that has lost its device"),
    "busy": Fault("answers exception 6 (busy) to every other request"),
    **{name: Fault(says) for name, says in SAYS.items()},
}
"""What any device can do to its bridge."""
PHYSICS: dict[Kind, dict[str, Fault]] = {
    Kind.PCS: {
        "trip": Fault("goes to its fault state and stays there"),
        "ignores_setpoint": Fault("holds the register, not the power"),
        "stuck": Fault("holds its last power, whatever it is told: also to stop"),
        "reversed": Fault("gives what it is told in the other direction"),
        "half": Fault("gives {size} times what it is told", 0.5),
        "late": Fault("begins to follow {size} s after it was told", 2.0),
        "slow_ramp": Fault("moves its power by {size} % of its rating per second", 5.0),
        "no_limits": Fault("does not know what the BMS allows, and draws what it is told until the BMS opens"),
        "refuses_setpoint": Fault("confirms a write of its setpoint and keeps the old value"),
        "keeps_setpoint": Fault("holds a setpoint while it is stopped, and jumps to it at its start"),
        "foreign_write": Fault("somebody else writes {size} W to its setpoint again and again", 5000.0),
        "forgets": Fault("has just been switched off and on: its setpoint is 0, once"),
        "device_reset": Fault("its control is reset, once: registers as when new, no watchdog; it starts again itself"),
        "panel_stop": Fault("somebody stops it at its panel, once"),
        "panel_reset": Fault("somebody resets it at its panel, once"),
    },
    Kind.BMS: {
        "hot": Fault("one module is {size} K hotter", 35.0),
        "cell_high": Fault("one cell stands {size} V above the others", 0.4),
        "cell_low": Fault("one cell stands {size} V below the others", 0.4),
        "trips": Fault("opens its contactor by itself, and keeps it open until it is reset"),
        "contactor_welded": Fault("its contactor stays closed when it is told to open"),
        "precharge_fails": Fault("its contactor never gets beyond the precharge"),
        "contactor_unreadable": Fault("the register of its contactor cannot be read: exception 2"),
        "contactor_unknown": Fault("the register of its contactor holds a number that its map does not know"),
        "soc_nan": Fault("its SoC is not a number"),
        "soc_jump": Fault("its SoC is {size} points away from what it was", 25.0),
        "soc_zero_once": Fault("its SoC is 0 in one answer"),
        "panel_reset": Fault("somebody resets it at its panel and closes its contactor, once"),
    },
    Kind.PV: {
        "late": Fault("begins to follow its limit {size} s after it was told", 5.0),
        "slow_ramp": Fault("moves its power by {size} % of its rating per second", 10.0),
        "ignores_limit": Fault("holds the register of its limit, not the power"),
        "ignores_q": Fault("holds the register of its reactive power, not the reactive power"),
        "coarse": Fault("gives {size} times what its limit allows", 1.03),
        "shaded": Fault("has {size} times the sun of the others", 0.3),
    },
    Kind.LOAD: {
        "idle": Fault("draws nothing, whatever it is told: no car, full, or switched off behind its contactor"),
        "weak": Fault("draws {size} times what it is told", 0.7),
        "by_hand": Fault("somebody switches it at the device, once"),
    },
    Kind.METER: {
        "inverted": Fault("its current transformers point the wrong way"),
        "late": Fault("shows the power of {size} s ago", 2.0),
        "averaging": Fault("shows the mean power of the last {size} s", 10.0),
        "grid_lost": Fault("the grid behind it is gone: who forms a grid carries the load, who follows one trips"),
    },
}
CONTROL: dict[str, Fault] = {
    "local": Fault("is operated at its panel: declines what it is told (exception 4)"),
    "local_ignores": Fault("is operated at its panel: confirms what it is told and does nothing"),
    "ignores_writes": Fault("confirms what it is told and does nothing"),
    "declines_actions": Fault("declines to be started, stopped or reset (exception 4)"),
}
"""What a device that can be told something does besides."""
ENABLE: dict[str, Fault] = {
    "clears_enable": Fault("clears the enable register of its setpoint, once"),
    "reverts": Fault(
        "clears the enable register of its setpoint {size} s after the last write, as its timer says", 30.0
    ),
    "reverts_untold": Fault("does the same, and no register tells the time", 30.0),
    "wants_enable": Fault("obeys a new value only when the enable register is written again"),
}
"""Where a setpoint has an enable register."""
DECLINES = {
    "p_set": "declines a write of {} (exception 3)",
    "q_set": "declines a write of {} (exception 4)",
}
CONTACTOR = ("contactor_unreadable", "contactor_unknown")


def faults_of(profile: Profile) -> dict[str, Fault]:
    """What a device of this profile can suffer."""
    found = LINE | PHYSICS.get(profile.kind, {})
    told = [*profile.commands, *(["watchdog"] if profile.watchdog else [])]
    found |= {f"declines_{name}": Fault(DECLINES.get(name, DECLINES["q_set"]).format(name)) for name in told}
    if profile.commands or profile.actions:
        found |= {name: fault for name, fault in CONTROL.items() if name != "declines_actions" or profile.actions}
    if any(setpoint.enable is not None for setpoint in profile.commands.values()):
        found |= ENABLE
    if profile.kind is Kind.SENSOR:
        found |= _contacts(profile)
    contactor = profile.points.get("contactor")
    lacks = {name for name in CONTACTOR if contactor is None}
    lacks |= set() if profile.commands.keys() & {"q_set", "q_set_pct", "pf_set"} else {"ignores_q"}
    lacks |= {"contactor_unknown"} if contactor is not None and contactor.enum is None else set()
    if profile.kind is Kind.LOAD and not profile.commands:
        lacks |= PHYSICS[Kind.LOAD].keys()
    return {name: fault for name, fault in found.items() if name not in lacks}


def _contacts(profile: Profile) -> dict[str, Fault]:
    """Each state that a contact or a flag can have, by the name of its point."""
    states = {
        name: [*(point.enum or point.flags or point.first or {}).values()] for name, point in profile.points.items()
    }
    return {f"{name}_{state}": Fault(f"its {name} says {state}") for name, each in states.items() for state in each}


def known(site: Site) -> dict[str, Fault]:
    """Every fault this site can have."""
    return {
        f"{device.name}:{name}": fault
        for device in site.device
        for name, fault in faults_of(site.profiles[device.name]).items()
    }


class Faults:
    """The faults that are on, each with its size."""

    def __init__(self, known: Mapping[str, Fault], on: Iterable[str] = ()) -> None:
        self.known = dict(known)
        self.active: dict[str, float] = {}
        self.changes = 0
        """How often one was switched."""
        self._of: dict[str, dict[str, float]] = {}
        self.set(on)

    def on(self, name: str, size: float | None = None) -> None:
        """`size` in place of the usual one. Raises Trouble for a name this site does not have."""
        self._put(self.active | {name: self._known(name).size if size is None else size})

    def off(self, name: str) -> None:
        """Raises Trouble for a name this site does not have."""
        self._known(name)
        self._put({one: size for one, size in self.active.items() if one != name})

    def set(self, names: Iterable[str]) -> None:
        """Exactly these are on; none changes when one of them is unknown."""
        self._put({name: self._known(name).size for name in names})

    def of(self, device: str) -> Mapping[str, float]:
        """Those that are on for a device, without its name, each with its size."""
        return self._of.get(device, _NONE)

    def _known(self, name: str) -> Fault:
        if name not in self.known:
            raise Trouble.unknown(f"fault {name!r}", name, sorted(self.known))
        return self.known[name]

    def _put(self, active: dict[str, float]) -> None:
        self.active, self._of = active, {}
        self.changes += 1
        for name, size in active.items():
            device, _, fault = name.partition(":")
            self._of.setdefault(device, {})[fault] = size


_NONE: Mapping[str, float] = {}


def listing(site: Site, faults: Faults) -> str:
    """Every fault with what it does, by where it sits and by kind of device; those that are on are named."""
    line = "any device, on its line"
    groups: dict[str, tuple[dict[str, Fault], list[str]]] = {line: (LINE, [])}
    for device in site.device:
        profile = site.profiles[device.name]
        own = {name: fault for name, fault in faults_of(profile).items() if name not in LINE}
        groups[line][1].append(device.name)
        if own:
            groups.setdefault(f"{profile.kind}, {profile.make} {profile.model}", (own, []))[1].append(device.name)
    lines = []
    for title, (own, devices) in groups.items():
        lines += ["", f"{title}: {', '.join(devices)}"]
        for name, fault in own.items():
            on = ", ".join(device for device in devices if f"{device}:{name}" in faults.active)
            lines.append(f"  {name:<21} {fault}" + (f" (on: {on})" if on else ""))
    return "\n".join([*lines[1:], "", "joulebus fault DEVICE:FAULT on or off, such as bms:silent on", ""])
