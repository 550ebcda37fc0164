"""Requests are few, never longer than Modbus allows, and never touch what the map does not have."""

from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.modbus.blocks import MOST, Block, Located, Words, blocks, covered, locate, values
from schemas.profile import Profile
from schemas.profiles import load_profile
from schemas.register import Point


def point(address: int, type_: str = "u16") -> Located:
    return Located(f"p{address}", Point(register=address, type=type_), 3, address)  # type: ignore[arg-type]


def test_neighbours_share_a_request_and_gaps_part_them() -> None:
    assert blocks([point(1), point(2, "u32"), point(6)]) == [Block(3, 1, 3), Block(3, 6, 1)]
    assert blocks([point(1), point(2, "u32"), point(6)], gap=2) == [Block(3, 1, 6)]


@given(st.sets(st.integers(0, 2000), min_size=1), st.integers(0, 20))
def test_every_point_is_read_and_nothing_unmapped(addresses: set[int], gap: int) -> None:
    located = [point(address) for address in addresses]
    plan = blocks(located, gap)
    assert {one.name for block in plan for one in covered(located, block)} == {one.name for one in located}
    for block in plan:
        assert block.count <= MOST
        touched = range(block.start, block.start + block.count)
        assert touched[0] in addresses
        assert touched[-1] in addresses
        unmapped = 0
        for address in touched:
            unmapped = 0 if address in addresses else unmapped + 1
            assert unmapped <= gap


def test_what_was_not_read_is_absent() -> None:
    profile = load_profile("janitza_umg96rme")
    located = locate(profile, {})
    image: Words = {(3, 19026): 0x447A, (3, 19027): 0}
    assert values(located, image, profile) == {"p": 1000.0}


def test_a_scale_that_was_not_read_leaves_no_value() -> None:
    profile = Profile.model_validate(
        {
            "make": "A", "model": "B", "kind": "meter", "source": "test", "sunspec": True,
            "points": {"p": {"register": 2, "type": "i16", "model": 203, "scale_register": 9}},
        }
    )  # fmt: skip
    located = locate(profile, {203: 1000})
    assert values(located, {(3, 1002): 5}, profile) == {}
    assert values(located, {(3, 1002): 5, (3, 1009): 2}, profile) == {"p": 500.0}
    assert values(located, {(3, 1002): 5, (3, 1009): 0x8000}, profile) == {}, "not implemented is not 10^-32768"
