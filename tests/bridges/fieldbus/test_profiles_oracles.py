"""Two oracles for every shipped profile: the simulator's registers through a real server, and pysunspec2."""

import struct

import pytest
from sunspec2.device import Model, get_model_def
from sunspec2.mdef import ModelDefinitionError

from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.messages import Value
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.register import Point, Register
from schemas.site_device import Device as SiteDevice
from simulator.device import Device, Endpoint, Puppet
from simulator.image import Image

NAMES = sorted(path.stem for path in PROFILES.glob("*.toml"))
SUNSPEC = [name for name in NAMES if load_profile(name).sunspec]
RATED = 25_000.0
TYPES = {
    "uint16": "u16", "enum16": "u16", "bitfield16": "u16", "pad": "u16", "int16": "i16", "sunssf": "i16",
    "uint32": "u32", "acc32": "u32", "bitfield32": "u32", "enum32": "u32", "int32": "i32",
    "uint64": "u64", "acc64": "u64", "int64": "i64", "float32": "f32", "float64": "f64", "string": "text",
}  # fmt: skip
UNITS = {"Var": "var", "C": "degC", "Pct": "%", "%WHRtg": "%", "% WMax": "%", "PF": "", None: ""}

SIGNED = {("refustore_88k", "dc_i"), ("refustore_88k", "p_set")}
"""Unsigned in SunSpec; this maker, whose battery also charges, gives and takes them with a sign."""


def shown(name: str, point: Point, turn: int) -> Value:
    """A plausible value, another for each point; amounts with a sign register are negative."""
    if point.type == "text":
        return f"{name}"[: 2 * point.words]
    if point.enum is not None:
        return list(point.enum.values())[turn % len(point.enum)]
    if point.first is not None:
        return [*point.first.values(), point.otherwise][turn % (len(point.first) + 1)]
    if point.flags is not None:
        return list(point.flags.values())[turn % 2 :: 2]
    low = 1.0 if point.low is None else point.low
    high = 100.0 if point.high is None else point.high
    value = low + (high - low) * (0.2 + 0.6 * (turn % 7) / 7)
    return -value if point.sign else value


def puppet(profile: Profile) -> tuple[Image, dict[str, Value]]:
    made = Image(profile, rated=RATED)
    values = {name: shown(name, point, turn) for turn, (name, point) in enumerate(profile.points.items())}
    for sign in [point.sign for point in profile.points.values() if point.sign]:
        for name, point in profile.points.items():
            if point.register_ == sign.register_ and point.enum:  # the same register says the sign
                values[name] = point.enum[str(sign.negative[0])]
    return made, values


@pytest.mark.parametrize("name", NAMES)
async def test_the_bridge_reads_what_the_device_shows(name: str) -> None:
    profile = load_profile(name).rated(RATED)
    made, values = puppet(profile)
    async with Endpoint("127.0.0.1", 0, {1: Device(name, made, Puppet(values))}) as endpoint:
        site_device = SiteDevice(name="one", profile=name, address=f"tcp://127.0.0.1:{endpoint.port}")
        line = Connection(site_device.address)
        field = ModbusDevice(site_device, profile, line)
        await field.connect()
        read: dict[str, Value] = {}
        for _ in range(max(1, len(field.slow))):  # the slow ones come in turn
            read |= (await field.read()).values
        line.close()
    wanted = made.seen(values)
    wanted |= {
        key: -abs(value) for key, value in wanted.items() if profile.points[key].sign and isinstance(value, float)
    }
    assert read == wanted
    assert read.keys() == profile.points.keys()


async def test_a_slow_point_whose_scale_stands_in_the_block_of_another_turn() -> None:
    profile = load_profile("sunspec_pv_701").model_copy(update={"gap": 0})
    made, values = puppet(profile)
    async with Endpoint("127.0.0.1", 0, {1: Device("one", made, Puppet(values))}) as endpoint:
        site_device = SiteDevice(name="one", profile="x", address=f"tcp://127.0.0.1:{endpoint.port}")
        line = Connection(site_device.address)
        field = ModbusDevice(site_device, profile, line)
        await field.connect()
        assert len(field.slow) > 1
        read: dict[str, Value] = {}
        for _ in range(2 * len(field.slow)):
            read |= (await field.read()).values
        line.close()
    assert read["e_inj_total"] == made.seen(values)["e_inj_total"]
    assert read.keys() == profile.points.keys()


@pytest.mark.parametrize("name", SUNSPEC)
def test_pysunspec2_reads_the_same_values(name: str) -> None:
    profile = load_profile(name).rated(RATED)
    made, values = puppet(profile)
    seen = made.seen(values)
    checked = 0
    for number in sorted({point.model for point in profile.points.values() if point.model}):
        theirs = oracle(made, number, values)
        for key, point in profile.points.items():
            if theirs is not None and point.model == number:
                agree(key, point, seen[key], theirs, "iu" if (name, key) in SIGNED else "")
                checked += 1
    assert checked >= 9


def oracle(made: Image, number: int, values: dict[str, Value]) -> Model | None:
    """The model as pysunspec2 decodes its registers; None for a maker's own."""
    try:
        get_model_def(number)
    except ModelDefinitionError:
        return None
    base = made.address(0, number)
    head = made.read(3, base, 2, {})
    assert head is not None
    words = made.read(3, base, head[1] + 2, values)
    assert words is not None
    return Model(number, data=struct.pack(f">{len(words)}H", *words), model_len=head[1])


def agree(key: str, point: Point, ours: Value, theirs: Model, loose: str = "") -> None:
    """pysunspec2 has a point at that offset with that type, unit and scale, and reads the same."""
    at = {one.offset: one for one in theirs.points.values()}
    for parts in theirs.groups.values():
        for part in parts if isinstance(parts, list) else [parts]:
            at |= {one.offset: one for one in part.points.values()}
    other = at[point.register_]
    assert TYPES[other.pdef["type"]].lstrip(loose) == point.type.lstrip(loose), key
    scale = at[point.scale_register].pdef["name"] if point.scale_register is not None else None
    assert other.pdef.get("sf") == scale, key
    unit = other.pdef.get("units")
    if point.unit and unit not in (None, "%", "Pct", "% WMax", "% AhrRtg", "% WDisChaMax", " % WChaMax"):
        assert UNITS.get(unit, unit).lower() == point.unit.lower(), key
    if point.enum is not None:
        assert point.enum[str(other.value)] == ours, key
    elif point.flags is not None:
        assert [name for bit, name in point.flags.items() if other.value >> int(bit) & 1] == ours, key
    elif point.type == "text":
        assert other.value == ours, key
    else:
        assert other.cvalue * point.scale == pytest.approx(ours, rel=1e-6), key


@pytest.mark.parametrize("name", SUNSPEC)
def test_every_command_writes_a_register_that_sunspec_lets_write(name: str) -> None:
    profile = load_profile(name)
    places: list[tuple[int | None, int]] = [(one.model, one.register_) for one in profile.commands.values()]
    places += [(one.model, one.enable) for one in profile.commands.values() if one.enable is not None]
    places += [(step.model, step.register_) for steps in profile.actions.values() for step in steps]
    made = Image(profile.model_copy(update={"points": profile.points | _whole(places)}), rated=RATED)
    for model, register in places:
        theirs = None if model is None else oracle(made, model, {})
        if theirs is not None:
            point = next(one for one in theirs.points.values() if one.offset == register)
            assert point.pdef.get("access") == "RW", (model, register)


def _whole(places: list[tuple[int | None, int]]) -> dict[str, Point]:
    """Points that make the image hold the models of the actions, too."""
    return {f"x{model}": Point(register=0, model=model) for model, _ in places if model is not None}


def test_a_register_is_not_what_the_oracle_would_accept_anywhere() -> None:
    """The oracle itself can fail: one register further is another quantity."""
    profile = load_profile("sunspec_pv")
    made, values = puppet(profile)
    theirs = oracle(made, 103, values)
    assert theirs is not None
    moved = profile.points["p"].model_copy(update={"register_": 16})
    with pytest.raises(AssertionError):
        agree("p", moved, made.seen(values)["p"], theirs)
    assert isinstance(moved, Register)
