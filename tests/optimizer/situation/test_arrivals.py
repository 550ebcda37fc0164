"""Which samples tell of now, whatever the clocks say and whatever a single one says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.situation.arrivals import Arrivals
from schemas.messages import Telemetry

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2199, 12, 30, 23, 59, 59, tzinfo=UTC)


def sample(second: float, seq: int, *, epoch: str = "0", at: datetime | None = None, late: bool = False) -> Telemetry:
    moment = at or NOON + timedelta(seconds=second)
    return Telemetry(at=moment, epoch=epoch * 16, seq=seq, historical=late, values={"p": 1.0})


def timely(story: list[tuple[float, Telemetry]]) -> list[bool]:
    arrivals = Arrivals()
    return [arrivals.timely("meter", one, mono) for mono, one in story]


@pytest.mark.parametrize(
    ("story", "verdicts"),
    [
        ([(0, sample(0, 1)), (1, sample(1, 2)), (2, sample(2, 3))], "yyy"),
        ([(0, sample(0, 1)), (1, sample(1, 2)), (2, sample(1, 2))], "yyn"),
        ([(0, sample(0, 5)), (1, sample(1, 6)), (2, sample(-9, 3)), (3, sample(3, 7))], "yyny"),
        ([(0, sample(0, 5)), (1, sample(1, 6)), (2, sample(-60, 7)), (3, sample(3, 8))], "yyny"),
        ([(0, sample(0, 1)), (1, sample(1, 2, late=True)), (2, sample(2, 3))], "yny"),
        ([(0, sample(0, 99)), (1, sample(1, 1, epoch="1")), (2, sample(2, 2, epoch="1"))], "yyy"),
        ([(0, sample(0, 1)), (1, sample(1, 2**62)), (2, sample(2, 2)), (3, sample(3, 3))], "yyyy"),
        ([(0, sample(0, 1)), (1, sample(1, 2, at=LAST)), (2, sample(2, 3)), (3, sample(3, 4))], "ynyy"),
        ([(0, sample(0, 1, at=FIRST)), (1, sample(1, 2)), (2, sample(2, 3)), (3, sample(3, 4))], "ynyy"),
        (
            [(n, sample(n, n + 1)) for n in range(6)] + [(6 + n / 99, sample(n, n + 1)) for n in range(6)],
            "y" * 6 + "n" * 6,
        ),
        ([(n, sample(s, s + 1)) for n, s in enumerate((0, 1, 2, 4, 3, 5))], "yyyyny"),
        ([(0, sample(0, 9, epoch="a")), (1, sample(1, 1)), (2, sample(0, 9, epoch="a")), (3, sample(3, 2))], "yyny"),
        ([(0, sample(0, 7)), (0, sample(9, 99)), *((n, sample(n, n + 7)) for n in range(1, 6))], "yynnyyy"),
        ([(n, sample(n + 86400.0 * (n > 2), n + 1)) for n in range(8)], "yyynnyyy"),
        ([(n, sample(n - 86400.0 * (n > 2), n + 1)) for n in range(8)], "yyynnyyy"),
    ],
    ids=[
        "one after the other",
        "twice",
        "an older one among them",
        "one that took a minute",
        "sent late",
        "another outbox begins anew",
        "a number that cannot be",
        "the end of the calendar",
        "its beginning",
        "all of them again after a reconnect",
        "two that change places",
        "one of an earlier run",
        "one that is ahead in all: those after it are believed soon",
        "a clock set ahead by a day",
        "a clock set back by a day",
    ],
)
def test_a_story(story: list[tuple[float, Telemetry]], verdicts: str) -> None:
    assert ["y" if one else "n" for one in timely(story)] == list(verdicts)


@given(
    where=st.integers(0, 20),
    many=st.integers(1, 2),
    at=st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)),
    seq=st.integers(1, 2**63 - 1),
    skew=st.floats(-1e9, 1e9),
)
def test_no_single_sample_keeps_those_after_it_from_being_believed(
    *, where: int, many: int, at: datetime, seq: int, skew: float
) -> None:
    """Also where the clocks of both machines differ by years."""
    story = [(float(second), sample(second + skew, 1000 + second)) for second in range(30)]
    story[where:where] = [(float(where), sample(0, seq, at=at))] * many
    verdicts = timely(story)
    assert all(verdicts[where + many + 3 :])
