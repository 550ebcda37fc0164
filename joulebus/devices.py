"""The generated page about devices: what the shipped profiles read and write."""

from joulebus.words import page, table
from schemas.labels import label
from schemas.profile import Grade, LineTiming, Profile
from schemas.profiles import PROFILES, load_profile
from schemas.register import Point, Register, Setpoint

GRADES = {
    Grade.LISTED: "written from the manual, or from a project that uses the device",
    Grade.RECORDED: "decodes registers of a real unit, kept with their source in `tests/recordings/`, to known values",
    Grade.PROVEN: "run on a site",
}

FED = {"any": "any request", "write": "a write", "setpoint": "the setpoint again"}


def devices() -> str:
    """docs/devices.md"""
    profiles = {path.stem: load_profile(path.stem) for path in sorted(PROFILES.glob("*.toml"))}
    head = ["profile", "kind", "make and model", "grade", "points", "commands", "actions", "own watchdog"]
    return page(
        "# Devices",
        "A device is data: a file of registers in `bridges/profiles/`, or in `profiles/` beside your site file. "
        "[Add one](add-a-device.md).",
        table(head, [_summary(name, profile) for name, profile in profiles.items()]),
        "The grade says how far a profile has been proven:",
        table(["grade", "means", "profiles"], [_grade(grade, list(profiles.values())) for grade in GRADES]),
        "Whatever its grade, every profile is read back from the simulator's registers through a real Modbus server, "
        "and the SunSpec ones are compared with the definitions and the decoding of pysunspec2. For a device that "
        "speaks SunSpec, `joulebus scan tcp://192.0.2.10:502` says which profile fits. Before a `listed` profile "
        "commands anything, compare its values and their signs with the device's own display.",
        *(section for name, profile in profiles.items() for section in _sections(name, profile)),
    )


def _grade(grade: Grade, profiles: list[Profile]) -> list[str]:
    return [f"**{grade}**", GRADES[grade], str(sum(profile.grade is grade for profile in profiles))]


def _summary(name: str, profile: Profile) -> list[str]:
    dog = profile.watchdog
    return [
        f"[`{name}`](#{name})",
        profile.kind,
        f"{profile.make} {profile.model}",
        profile.grade,
        str(len(profile.points)),
        ", ".join(profile.commands) or "none",
        ", ".join(profile.actions) or "none",
        f"{dog.seconds:g} s, fed by {FED[dog.fed_by]}" if dog else "none",
    ]


def _sections(name: str, profile: Profile) -> list[str]:
    grade = f"Grade {profile.grade}: {GRADES[profile.grade]}."
    found = [f"## {name}", f"{profile.make} {profile.model}. {grade} Source: {profile.source}.", profile.notes]
    found += [_needs(profile)]
    found += [
        table(
            ["point", "name", "unit", "register", "type", "scale", "rate", "what it tells"],
            [
                [
                    _name(key, profile),
                    label(key),
                    point.unit,
                    _place(point),
                    point.type,
                    _scale(point),
                    point.rate,
                    _tells(point),
                ]
                for key, point in profile.points.items()
                if point.repeats is None
            ],
        )
    ]
    if profile.commands:
        rows = [
            [f"`{key}`", one.unit, _written(one), one.type, _scale(one), *_ends(one), one.memory]
            for key, one in profile.commands.items()
        ]
        note = "Limits and fallback of `p_set` and `q_set` are per unit of the rated power."
        found += [table(["command", "unit", "register", "type", "scale", "limits", "fallback", "memory"], rows), note]
    return [part for part in found if part]


def _ends(setpoint: Setpoint) -> list[str]:
    fallback = "the site file's" if setpoint.fallback is None else f"{setpoint.fallback:g}"
    return [f"{setpoint.low:g} to {setpoint.high:g}", fallback]


def _needs(profile: Profile) -> str:
    """What it needs of its line, where that is unusual."""
    line, usual = profile.line, LineTiming()
    needs: dict[str, float] = {
        "answers within {:g} s": line.timeout if line.timeout != usual.timeout else 0.0,
        "hears nothing in the first {:g} s of a connection": line.connect_pause,
        "hears nothing within {:g} s of its last answer": line.request_pause,
    }
    needs["answers no request for more than {:g} registers"] = line.most_registers % usual.most_registers
    needs["answers one point a request"] = line.one_point
    needs["writes registers by function {:g} alone"] = line.write or 0
    said = ", ".join(words.format(need) for words, need in needs.items() if need)
    return f"On its line it {said}." if said else ""


def _name(key: str, profile: Profile) -> str:
    """Of points that repeat the first, and how many there may be."""
    second = profile.points.get(f"{key.removesuffix('_1')}_2") if key.endswith("_1") else None
    several = None if second is None else second.repeats
    return f"`{key}`" if several is None else f"`{key}` to `_{several.most}`"


def _place(register: Register) -> str:
    less = register.less if isinstance(register, Point) else None
    own = f"{register.register_}" if less is None else f"{register.register_} less {less}"
    return own if register.model is None else f"model {register.model} + {own}"


def _written(setpoint: Setpoint) -> str:
    """Where a setpoint goes, with what goes beside it."""
    modes = setpoint.modes
    if modes is None:
        enable = "" if setpoint.enable is None else f"; {setpoint.enable} = 1"
        enable += "" if setpoint.opposite is None else f"; {setpoint.opposite} = its opposite"
        enable += "; cannot be read back" if setpoint.unseen else ""
        beside = "".join(f"; {one.register_} = {one.value}" for one in setpoint.companions)
        return f"{_place(setpoint)}{beside}{enable}"
    amount = _place(setpoint) if modes.amount is None else f"{_place(setpoint)}, negative {modes.amount}"
    words = f"mode {modes.register_}: + {modes.positive}, - {modes.negative}, 0 {modes.zero}"
    beside = "".join(f"; {one.register_} = {one.value}" for one in setpoint.companions)
    return f"amount {amount}; {words}{beside}"


def _scale(register: Register) -> str:
    scale = f"{register.scale:g}" if register.scale != 1 else ""
    power = f"10^[{register.scale_register}]" if register.scale_register is not None else ""
    rated = "% of the rated power" if register.of_rated else ""
    return " × ".join(part for part in (scale, power, rated) if part)


def _tells(point: Point) -> str:
    if point.enum is not None:
        return ", ".join(dict.fromkeys(point.enum.values()))
    if point.first is not None:
        return ", ".join(dict.fromkeys([*point.first.values(), point.otherwise]))
    if point.flags is not None:
        return f"any of: {', '.join(point.flags.values())}"
    if point.low is not None and point.high is not None:
        return f"{point.low:g} to {point.high:g}"
    return ""
