"""What is known of a device, and whether it is written to."""

import pytest

from bridges.control.device_life import NEXT, WRITES, Life, Turn, diagram

STORIES: dict[str, tuple[list[Turn], Life]] = {
    "read": ([Turn.READ], Life.KNOWN),
    "no command comes": ([Turn.READ, Turn.RAN_OUT], Life.FALLBACK),
    "it is commanded again": ([Turn.READ, Turn.RAN_OUT, Turn.COMMAND], Life.KNOWN),
    "silent": ([Turn.READ, Turn.SILENT], Life.OFFLINE),
    "silent, and no command is left: what is safe is written all the same": (
        [Turn.READ, Turn.COMMAND, Turn.SILENT, Turn.RAN_OUT],
        Life.FALLBACK,
    ),
    "never read": ([Turn.SILENT, Turn.RAN_OUT], Life.FALLBACK),
    "a person at its panel": ([Turn.READ, Turn.TAKEN_OVER, Turn.RAN_OUT, Turn.COMMAND, Turn.SILENT], Life.LOCAL),
    "given back it waits at its fallback": ([Turn.READ, Turn.TAKEN_OVER, Turn.READ], Life.FALLBACK),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story(story: str) -> None:
    turns, ends = STORIES[story]
    life = Life.UNKNOWN
    for turn in turns:
        life = NEXT[life, turn]
    assert life is ends


def test_every_pair_is_in_the_table() -> None:
    assert set(NEXT) == {(life, turn) for life in Life for turn in Turn}
    assert set(WRITES) == set(Life)
    assert not WRITES[Life.LOCAL]


def test_the_diagram() -> None:
    assert "known --> fallback: ran_out" in diagram()
