"""What the simulator writes into registers is what the bridge's codec reads out of them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.fieldbus.modbus.codec import decode
from schemas.messages import Value
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.register import Point
from schemas.troubles import Trouble
from simulator.image import Image
from simulator.sunspec import BASE
from simulator.wishes import Wish

NAMES = sorted(path.stem for path in Path(PROFILES).glob("*.toml"))
RATED = 100_000.0


def rated(name: str) -> float:
    """A power in steps of 1 W in one register ends at 65 kW, with a sign at 32 kW: these are no larger."""
    profile = load_profile(name)
    steps = [
        one.type for one in (profile.points.get("p"), profile.commands.get("p_set")) if one and abs(one.scale) == 1
    ]
    scaled = profile.sunspec or not steps
    return RATED if scaled else RATED / 4 if "i16" in steps else RATED / 2 if "u16" in steps else RATED


def image(name: str) -> Image:
    return Image(load_profile(name), rated=rated(name))


def plausible(point: Point) -> st.SearchStrategy[Value]:
    if point.type == "text":
        return st.text("abcXYZ 019-", min_size=1, max_size=2 * point.words).map(str.strip).filter(bool)
    if point.enum is not None:
        return st.sampled_from(sorted(point.enum.values()))
    if point.first is not None:
        return st.sampled_from(sorted({*point.first.values(), point.otherwise}))
    if point.flags is not None:
        return st.lists(st.sampled_from(list(point.flags.values())), unique=True)
    edge = 250.0 if point.scale_register is not None else 32_000 * abs(point.scale)
    amounts = point.sign is not None and point.sign.amount is not None  # the negative one stands elsewhere
    low = 0.0 if amounts or point.type.startswith("u") else -edge
    return st.floats(
        low if point.low is None else max(low, point.low), edge if point.high is None else min(edge, point.high)
    )


def master(made: Image, profile: Profile, name: str, values: dict[str, Value]) -> Value | None:
    """A point as a bridge reads it: its registers, its scale register, its codec."""
    point, power = profile.points[name], 0
    function = point.function or profile.function
    if point.scale_register is not None:
        words = made.read(function, made.address(point.scale_register, point.model), 1, values)
        assert words is not None
        power = words[0] - 0x10000 if words[0] > 0x7FFF else words[0]
    words = made.read(function, made.address(point.register_, point.model), point.count, values)
    assert words is not None
    return decode(point, words, profile.word_order, power, profile.sunspec)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)  # for each of many profiles
@given(data=st.data())
def test_every_point_of_every_profile_comes_back(name: str, data: st.DataObject) -> None:
    profile, made = load_profile(name).rated(rated(name)), image(name)
    values = {point: data.draw(plausible(spec), label=point) for point, spec in profile.points.items()}
    signs = {spec.sign.register_ for spec in profile.points.values() if spec.sign is not None}
    for point, spec in profile.points.items():  # a direction is shown by the value that has it
        if spec.register_ in signs:
            del values[point]
    for point, wanted in values.items():
        spec, seen = profile.points[point], master(made, profile, point, values)
        if isinstance(wanted, float):
            step = abs(spec.scale) if spec.scale_register is None else 10 * abs(spec.scale)
            shown = abs(wanted) if spec.sign is not None else wanted  # its direction stands in another register
            shown = max(0.0, shown) if spec.less is not None else shown  # and the other amount of a difference
            assert seen == pytest.approx(shown, rel=1e-6, abs=0.51 * step), point
        elif isinstance(wanted, list):
            assert isinstance(seen, list)
            assert sorted(seen) == sorted(wanted), point
        else:
            assert seen == wanted, point


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_names_where_it_comes_from_and_stays_short(name: str) -> None:
    assert load_profile(name).source
    assert 15 <= len((PROFILES / f"{name}.toml").read_text(encoding="utf-8").splitlines()) <= 60


def test_registers_that_are_not_in_the_map_do_not_exist() -> None:
    made = image("sinexcel_pws2")
    assert made.read(3, 107, 1, {}) is not None
    assert made.read(3, 107, 2, {}) is None
    assert made.read(4, 107, 1, {}) is None


def test_a_gap_the_profile_allows_may_be_read() -> None:
    profile = load_profile("sinexcel_pws2").model_copy(update={"gap": 2})
    made = Image(profile, rated=RATED)
    assert made.read(3, 107, 4, {}) is None  # 108 to 109 may be read, 110 is far away from 122
    assert Image(profile.model_copy(update={"gap": 14}), rated=RATED).read(3, 107, 16, {"p": 5000.0}) == [0] * 15 + [
        500
    ]


def test_a_setpoint_in_watts_and_an_action_are_understood() -> None:
    made = image("sinexcel_pws2")
    assert made.write(6, 135, [(-300) & 0xFFFF]) == [Wish("p_set", -30_000.0)]
    assert made.write(6, 650, [1]) == [Wish("start", 1.0)]
    assert made.write(6, 650, [0]) == []
    assert made.write(6, 327, [10]) == [Wish("watchdog", 10.0)]


def test_what_the_map_does_not_let_write_is_not_written() -> None:
    made = image("sinexcel_pws2")
    assert made.write(16, 135, [5]) is None  # function 6 only
    assert made.write(6, 122, [5]) is None  # a measurement
    assert made.read(3, 122, 1, {}) == [0]


def test_a_sunspec_limit_goes_with_its_switch() -> None:
    made = image("sunspec_pv")
    assert made.write(16, made.address(5, 123), [555]) == [Wish("p_limit_pct", 55.5)]
    assert made.write(16, made.address(9, 123), [1]) == [Wish("p_limit_pct:enable", 1.0)]
    assert made.read(3, BASE, 2, {}) == [0x5375, 0x6E53]


@pytest.mark.parametrize(
    ("name", "point", "value", "words"),
    [
        ("janitza_umg96rme", "p", 1234.5, [0x449A, 0x5000]),
        ("sinexcel_pws2", "p", -50_000.0, [0x10000 - 5000]),
        ("sinexcel_pws2", "state", "running", [0b100]),
        ("pylontech_powercube_m2", "i", 20.0, [0xFFFF, 0x10000 - 2000]),  # discharging is negative there
        ("pylontech_powercube_m2", "dcl", 150.0, [0xFFFF, 0x10000 - 15_000]),
        ("pylontech_powercube_m2", "ccl", 150.0, [0, 15_000]),
        ("pylontech_powercube_m2", "soc", 55.5, [555]),
        ("sunspec_pv", "p", 42_000.0, [4200]),
    ],
)
def test_registers_worked_out_by_hand(name: str, point: str, value: Value, words: list[int]) -> None:
    made, spec = image(name), load_profile(name).points[point]
    assert made.read(3, made.address(spec.register_, spec.model), spec.count, {point: value}) == words


def test_a_value_too_large_stands_at_the_end_of_its_register() -> None:
    made = image("sinexcel_pws2")
    assert made.read(3, 122, 1, {"p": 9e9}) == [0x7FFF]


def test_a_rating_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Trouble, match="500000 W does not fit into its register for p "):
        Image(load_profile("sinexcel_pws2"), rated=500_000.0)
