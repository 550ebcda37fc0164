"""The quick way to decode a block says what the slow one says, for every profile and every content."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.fieldbus.modbus.blocks import blocks, covered, locate, values
from bridges.fieldbus.modbus.decoder import Decoder
from schemas.profiles import PROFILES, load_profile

SPECIAL = [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0xFFFE, 0x7FC0, 0x7F80, 2]


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.toml")))
@settings(max_examples=20)  # for each of many profiles
@given(chance=st.randoms(use_true_random=True))  # drawing 125 words one by one takes longer than the test
def test_both_ways_agree(name: str, chance: random.Random) -> None:
    profile = load_profile(name)
    models = {point.model for point in profile.points.values() if point.model is not None}
    points = locate(profile, {model: 1000 * place for place, model in enumerate(sorted(models), 1)})
    for block in blocks(points, profile.gap):
        words = [chance.choice([chance.choice(SPECIAL), chance.randrange(0x10000)]) for _ in range(block.count)]
        decoder = Decoder(block, points, profile)
        image = {(block.function, block.start + place): word for place, word in enumerate(words)}
        slow = values(covered(points, block), image, profile)
        crossing = {one.name for one in decoder.crossing}
        assert decoder(words) == {name: value for name, value in slow.items() if name not in crossing}
