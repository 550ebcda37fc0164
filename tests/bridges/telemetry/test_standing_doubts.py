"""What is said of doubted values: what flickers is one word that stands, and no flood of them."""

from itertools import pairwise

import pytest

from bridges.telemetry.standing_doubts import LASTS, Doubted, StandingDoubts
from schemas.messages import Cause

A, B = (Doubted(Cause.DOUBTED_VALUES, point, "implausible") for point in ("e_import", "e_export"))


def told(seen: list[list[Doubted]], poll: float = 0.5) -> list[list[Doubted]]:
    doubts = StandingDoubts(poll)
    return [doubts.see(one, number * poll) for number, one in enumerate(seen)]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([[], [A], [A], []], [[], [A], [A], []]),
        ([[A], [], []], [[A], [], []]),
        ([[A, B], [A], [B], [A], [A]], [[A, B], [A], [B], [A, B], [A, B]]),
    ],
    ids=["what lasts ends when it ends", "once is once", "what comes back stands"],
)
def test_what_is_said_is_what_is_seen(seen: list[list[Doubted]], said: list[list[Doubted]]) -> None:
    found = told(seen)
    assert [set(one) for one in found] == [set(one) for one in said]


@pytest.mark.parametrize("poll", [0.5, 10.0])
def test_two_that_are_doubted_in_turn_are_one_word(poll: float) -> None:
    """A turned meter said it twice a second, for minutes: each time retained, and archived."""
    found = told([[A], [B]] * 100, poll)
    assert found[3:] == [[A, B]] * 197


def test_one_that_comes_and_goes_stands_and_is_over_after_a_while() -> None:
    calm = int(LASTS / 0.5)
    found = told([[A], []] * 20 + [[]] * (calm + 5))
    assert found[2:40] == [[A]] * 38
    changes = sum(1 for before, after in pairwise(found) if before != after)
    assert (found[-1], changes) == ([], 3)
