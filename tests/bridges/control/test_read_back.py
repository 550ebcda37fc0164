"""A foreign hand is named only when our own value was seen in the register before."""

import pytest

from bridges.control.grid_limit import GridLimit
from bridges.control.read_back import Ownership, Verdict

STORIES: dict[str, tuple[list[float | None], list[Verdict]]] = {
    "it holds": ([100, 100], [Verdict.HOLDS, Verdict.HOLDS]),
    "within the register's step": ([100.4], [Verdict.HOLDS]),
    "it never took it": ([50, 50], [Verdict.NEVER_HELD, Verdict.NEVER_HELD]),
    "somebody else": ([100, 50], [Verdict.HOLDS, Verdict.FOREIGN]),
    "once named is enough": ([100, 50, 50], [Verdict.HOLDS, Verdict.FOREIGN, Verdict.NEVER_HELD]),
    "a power cycle": ([100, 0], [Verdict.HOLDS, Verdict.FORGOTTEN]),
    "out of sight": ([100, None, 50], [Verdict.HOLDS, Verdict.NEVER_HELD]),
}


@pytest.mark.parametrize("story", STORIES)
def test_whose_value_it_is(story: str) -> None:
    owned = Ownership()
    owned.wrote(100.0, 1.0)
    readings, verdicts = STORIES[story]
    said = []
    for reading in readings:
        if reading is None:
            owned.out_of_sight()
        else:
            said.append(owned.judge(float(reading), 1.0))
    assert said == verdicts
    assert owned.astray == (verdicts[-1] is not Verdict.HOLDS)


def test_nothing_is_claimed_of_a_register_we_never_wrote() -> None:
    assert Ownership().judge(5.0, 1.0) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("safe", "said", "now", "limit"),
    [
        (None, None, 0.0, None),
        (60.0, None, 0.0, 60.0),
        (60.0, (30.0, 10.0), 5.0, 30.0),
        (60.0, (30.0, 10.0), 909.0, 30.0),
        (60.0, (30.0, 10.0), 911.0, 60.0),
        (None, (30.0, 10.0), 1e6, 30.0),
    ],
    ids=["no operator", "not known yet", "it holds", "lost: the last", "lost for long: the safe one", "never free"],
)
def test_the_operators_limit(
    safe: float | None, said: tuple[float, float] | None, now: float, limit: float | None
) -> None:
    relay = GridLimit(safe)
    if said is not None:
        relay.hear(*said)
    assert relay.limit(now) == limit
