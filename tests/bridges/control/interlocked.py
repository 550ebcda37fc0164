"""A site whose battery has every input an interlock can have, seen through the register bits of the profiles."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bridges.control.interlock_cause import Interlock, Seen
from bridges.control.interlock_rules import rules_for
from schemas.interlock import DERIVED, InterlockRule
from schemas.messages import Value
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site import Site
from schemas.site_device import Device
from schemas.site_file import load_site
from schemas.units import Chemistry, Kind
from simulator.image import Image

DEMO = load_site(Path(__file__).parents[3] / "tests" / "one_battery.toml")
INPUTS = Profile.model_validate(
    {
        "make": "Test",
        "model": "inputs",
        "kind": "sensor",
        "source": "tests/bridges/control/interlocked.py",
        "points": {
            "emergency_stop": {"register": 1, "enum": {"0": "pressed", "1": "released"}},
            "fire": {"register": 2, "enum": {"0": "normal", "1": "fire", "2": "fault"}},
            "door": {"register": 3, "enum": {"0": "open", "1": "closed"}},
            "control_loc": {"register": 4, "enum": {"0": "remote", "1": "local"}},
            "riso": {"register": 5, "unit": "kOhm"},
            "u": {"register": 6, "unit": "V"},
        },
    }
)
CALM: dict[str, Value] = {
    "emergency_stop": "released",
    "fire": "normal",
    "door": "closed",
    "control_loc": "remote",
    "contactor": "closed",
    "riso": 60_000.0,
    "u": 770.0,
    "cell_u_max": 3.33,
    "cell_u_min": 3.32,
    "cell_t_max": 26.0,
    "cell_t_min": 24.0,
    "t_battery": 25.0,
    "t_heatsink": 40.0,
    "i": 10.0,
    "ccl": 100.0,
    "dcl": 100.0,
}
"""What a healthy battery shows."""
HEALTHY = ("connected", "running", "closed", "remote", "released", "normal")


def site(
    *,
    pcs: str = "sinexcel_pws2",
    bms: str = "pylontech_powercube_m2",
    chemistry: Chemistry | None = Chemistry.LFP,
    own: Iterable[Mapping[str, object]] = (),
    inputs: Profile = INPUTS,
) -> Site:
    """The demo's site with other devices, and an I/O module."""
    module = Device(name="inputs", profile="inputs", address="tcp://127.0.0.1:15029")
    made = DEMO.model_copy(
        update={
            "device": [*DEMO.device, module],
            "battery": [DEMO.battery[0].model_copy(update={"chemistry": chemistry})],
            "interlock": [InterlockRule.model_validate(rule) for rule in own],
        }
    )
    made.__dict__["profiles"] = DEMO.profiles | {
        "pcs": load_profile(pcs).rated(100_000),
        "bms": load_profile(bms),
        "inputs": inputs,
    }
    return made


def locks_of(made: Site) -> tuple[Interlock, ...]:
    return rules_for(made, made.units[0])


def calm(profile: Profile) -> dict[str, Value]:
    """Every point of a profile as a healthy device shows it."""
    shown: dict[str, Value] = {}
    for name, point in profile.points.items():
        states = [*(point.enum or point.first or {}).values(), point.otherwise]
        if point.flags is not None:
            shown[name] = []
        elif point.enum is not None or point.first is not None:
            shown[name] = next((state for state in HEALTHY if state in states), states[0])
        elif name in CALM:
            shown[name] = CALM[name]
    return shown


def cause_of(lock: Interlock, profile: Profile) -> dict[str, Value]:
    """The values of the device that are the cause, the last of its states or flags."""
    rule, point = lock.rule, str(lock.rule.point)
    if rule.contains is not None:
        name = rule.contains[-1]
        return (
            {lock.points[-1]: [name]}
            if name in (profile.points[lock.points[-1]].flags or {}).values()
            else {next(p for p in lock.points if name in (profile.points[p].flags or {}).values()): [name]}
        )
    if rule.equals is not None:
        return {point: rule.equals[-1]}
    if rule.unless is not None:
        return {point: next(state for state in lock.states if state not in rule.unless)}
    if rule.rises is not None:
        return {point: float(str(CALM[point])) + rule.rises + 1}
    if point in DERIVED:
        return _derived(rule, point)
    return {point: rule.above * 1.01 if rule.above is not None else (rule.below or 0.0) - 0.3}


def _derived(rule: InterlockRule, point: str) -> dict[str, Value]:
    """The parts of a quantity that no device gives."""
    high, low = DERIVED[point].parts
    found: dict[str, dict[str, Value]] = {
        "riso_per_volt": {"riso": (rule.below or 0.0) * float(str(CALM["u"])) / 1000 * 0.9},
        "i_of_ccl": {"i": -120.0},
        "i_of_dcl": {"i": 120.0},
    }
    return found.get(point, {low: 20.0, high: 20.0 + (rule.above or 0.0) * 1.1})


def through_registers(profiles: Mapping[str, Profile], shown: Mapping[str, Mapping[str, Value]]) -> Seen:
    """What a master reads of these values: encoded into the registers of the profile and decoded again."""
    read = {name: Image(profiles[name]).seen(values) for name, values in shown.items()}
    return lambda device, point: read.get(device, {}).get(point)


def shipped_profiles(kind: Kind) -> list[str]:
    return sorted(path.stem for path in PROFILES.glob("*.toml") if load_profile(path.stem).kind is kind)
