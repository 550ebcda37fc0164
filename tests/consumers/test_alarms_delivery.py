"""A broker that stands still silences everybody, and nobody is blamed for it."""

import pytest

from consumers.alarms.delivery import FROZEN, GRACE, Delivery


def missed(answers: list[float], ticks: list[float]) -> float:
    """Seconds that do not count, of a story in which the broker answers and the clock ticks."""
    delivery, total, last = Delivery(0.0), 0.0, 0.0
    for moment, answer in sorted([(at, True) for at in answers] + [(at, False) for at in ticks]):
        if answer:
            delivery.answered(moment)
        elif (gap := delivery.missed(moment)) is not None:
            assert gap[0] >= last, "no second twice"
            last = gap[1]
            total += gap[1] - gap[0]
    return total


STEADY = [half / 2 for half in range(1, 200)]
TICKS = [float(second) for second in range(1, 100)]


@pytest.mark.parametrize(
    ("begin", "end", "lost"),
    [(20.0, 20.0, 0.0), (20.0, 22.5, 0.0), (20.0, 34.0, 14.0 + GRACE), (20.0, 90.0, 70.0 + GRACE)],
)
@pytest.mark.parametrize("process", [False, True])
def test_what_stands_still_counts_for_nobody(begin: float, end: float, lost: float, process: bool) -> None:
    """`process`: it is ours that stands still, and not the broker."""
    answers = [at for at in STEADY if not begin < at < end]
    ticks = [at for at in TICKS if not (process and begin < at < end)]
    assert missed(answers, ticks) == pytest.approx(lost, abs=1.0)


def test_an_answer_that_is_late_by_little_proves_that_it_delivers() -> None:
    assert missed([0.9 * FROZEN * number for number in range(1, 30)], TICKS[:75]) == 0
