"""Which way each shipped device counts; joulebus counts what flows out of a device, into the site, positive."""

import struct

import pytest

from bridges.fieldbus.modbus.blocks import Located, Words, locate, values
from schemas.messages import Value
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile

NAMES = sorted(path.stem for path in PROFILES.glob("*.toml"))
PHASES = "grid_p_l1 grid_p_l2 grid_p_l3"
TURNED = {
    "bmw_battery": ("ccl", "gives its charge limit as a negative number"),
    "fenecon_commercial40": ("p_max_abs", "gives what it may charge as a negative number"),
    "foxess_h3": (PHASES, "its meter counts export positive"),
    "foxess_h3_pro": (f"grid_p {PHASES}", "its meter counts export positive"),
    "fronius_gen24": ("p_set_least", "the least it may discharge stands as the most it may charge"),
    "goodwe_et": (f"grid_p {PHASES}", "its meter counts export positive"),
    "huawei_sun2000_luna": ("p dc_i grid_p", "a charging battery and an export are positive"),
    "pylontech_powercube_m2": ("i dcl", "a charging current is positive, and the discharge limit a negative number"),
    "sma_sunny_island": ("q_l1 q_l2 q_l3", "counts reactive power the other way"),
    "solaredge_meter": ("p p_l1 p_l2 p_l3 q q_l1 q_l2 q_l3", "counts export positive, against SunSpec"),
    "solaredge_storage": ("p", "a charging battery is positive in its power, and negative in its current"),
    "solis_hybrid": (f"grid_p {PHASES}", "its meter counts export positive"),
    "solis_string": ("grid_p", "its meter counts export positive"),
    "sungrow_sh": ("grid_p", "its meter counts export positive"),
    **dict.fromkeys(
        (f"sunspec_pv{kind}" for kind in ("", "_101", "_102", "_111", "_112", "_113")),
        ("pf_set", "model 123 counts a power factor by the EEI: over-excited is negative"),
    ),
    "victron_gx": ("p dc_i", "a charging battery is positive"),
}  # fmt: skip
"""Every other device counts producing, discharging and importing positive, as joulebus does."""

RAW = 100
FORMAT = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}


def words(type_: str, order: str) -> list[int]:
    """A positive raw value in its registers."""
    raw = struct.pack(f">{FORMAT[type_]}", RAW)
    found = list(struct.unpack(f">{len(raw) // 2}H", raw))
    return found if order == "big" else found[::-1]


def shown(profile: Profile, one: Located, direction: int) -> Value | None:
    """What a master makes of it while its direction register, where it has one, holds this."""
    held = words(one.point.type, profile.word_order)
    image: Words = {}
    for start in one.amounts if one.point.less is None else [one.address]:
        image |= {} if start is None else {(one.function, start + place): word for place, word in enumerate(held)}
    if one.less_address is not None:
        image |= {(one.function, one.less_address + place): 0 for place in range(one.point.count)}
    image |= {} if one.scale_address is None else {(one.function, one.scale_address): 0}
    image |= {} if one.sign_address is None else {(one.function, one.sign_address): direction}
    return values([one], image, profile).get(one.name)


def numbers(name: str) -> tuple[Profile, list[Located]]:
    profile = load_profile(name).rated(10_000.0)
    models = sorted({point.model for point in profile.points.values() if point.model is not None})
    found = locate(profile, {model: 1000 * (place + 1) for place, model in enumerate(models)})
    named = [one for one in found if not (one.point.enum or one.point.first or one.point.flags)]
    return profile, [one for one in named if one.point.type != "text"]


@pytest.mark.parametrize("name", NAMES)
def test_a_device_is_turned_round_where_it_counts_the_other_way_and_nowhere_else(name: str) -> None:
    profile, points = numbers(name)
    negative = set()
    for one in points:
        value = shown(profile, one, direction=99)  # none that any device has for negative
        assert isinstance(value, float), one.name
        negative |= {one.name} if value < 0 else set()
    assert negative == set(TURNED.get(name, ("", ""))[0].split())


def test_no_device_is_in_the_table_that_does_not_exist() -> None:
    assert TURNED.keys() <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_amount_is_negative_while_its_direction_says_so(name: str) -> None:
    profile, points = numbers(name)
    for one in points:
        for direction in one.point.sign.negative if one.point.sign else ():
            value = shown(profile, one, direction)
            assert isinstance(value, float)
            assert value < 0, one.name


@pytest.mark.parametrize("name", [name for name in NAMES if any(p.less for p in load_profile(name).points.values())])
def test_a_difference_is_negative_while_its_second_amount_is_the_larger(name: str) -> None:
    """What is taken away is the charge of a battery, or the export at a meter."""
    profile, points = numbers(name)
    for one in points:
        if one.less_address is None:
            continue
        amounts = {one.address: [0] * one.point.count, one.less_address: words(one.point.type, profile.word_order)}
        image = {(one.function, at + place): word for at, held in amounts.items() for place, word in enumerate(held)}
        image |= {} if one.scale_address is None else {(one.function, one.scale_address): 0}
        value = values([one], image, profile)[one.name]
        assert isinstance(value, float)
        assert value < 0, one.name


@pytest.mark.parametrize("name", NAMES)
def test_a_command_writes_what_its_point_reads(name: str) -> None:
    """A setpoint of another sign or scale would be taken for obeyed."""
    profile = load_profile(name)
    seen = {key: one for key, one in profile.commands.items() if not one.unseen}
    for key, one in seen.items():
        point = profile.points[key]
        assert (one.scale, one.scale_register, one.type) == (point.scale, point.scale_register, point.type), key
        assert (one.register_, one.model, one.of_rated) == (point.register_, point.model, point.of_rated), key
        assert (point.function or profile.function) == 3, key
