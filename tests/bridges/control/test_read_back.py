"""A foreign hand is named only when our own value was seen in the register before."""

import math

import pytest

from bridges.control.read_back import ReadBack, Verdict

STORIES: dict[str, tuple[list[float | None], list[Verdict]]] = {
    "it holds": ([100, 100], [Verdict.HOLDS, Verdict.HOLDS]),
    "within the register's step": ([100.4], [Verdict.HOLDS]),
    "it never took it": ([50, 50], [Verdict.NEVER_HELD, Verdict.NEVER_HELD]),
    "somebody else": ([100, 50], [Verdict.HOLDS, Verdict.FOREIGN]),
    "once named is enough": ([100, 50, 50], [Verdict.HOLDS, Verdict.FOREIGN, Verdict.NEVER_HELD]),
    "a power cycle": ([100, 0], [Verdict.HOLDS, Verdict.FORGOTTEN]),
    "its enable fell": ([100, math.inf], [Verdict.HOLDS, Verdict.FORGOTTEN]),
    "never enabled": ([math.inf], [Verdict.NEVER_HELD]),
    "no number at all": ([100, math.nan], [Verdict.HOLDS, Verdict.FOREIGN]),
    "out of sight": ([100, None, 50], [Verdict.HOLDS, Verdict.NEVER_HELD]),
}


@pytest.mark.parametrize("story", STORIES)
def test_whose_value_it_is(story: str) -> None:
    told = ReadBack()
    told.wrote(100.0, 1.0)
    readings, verdicts = STORIES[story]
    said = []
    for reading in readings:
        if reading is None:
            told.out_of_sight()
        else:
            said.append(told.judge(float(reading), 1.0))
    assert said == verdicts
    assert told.astray == (verdicts[-1] is not Verdict.HOLDS)


def test_nothing_is_claimed_of_a_register_we_never_wrote() -> None:
    assert ReadBack().judge(5.0, 1.0) is Verdict.UNKNOWN
