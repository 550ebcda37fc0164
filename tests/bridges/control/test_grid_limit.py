"""The network operator's limit: kept by silence, beside a protection's, and beyond a restart."""

import json

import pytest

from bridges.control.grid_limit import GridLimit
from schemas.messages import Authority

DSO, PROTECTION = Authority.DSO, Authority.PROTECTION


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
    held = GridLimit(safe)
    if said is not None:
        held.hear(DSO, *said)
    assert held.limit(now) == limit


def test_a_protection_is_not_overwritten_by_the_operator() -> None:
    held = GridLimit()
    held.hear(PROTECTION, 0.0, 10.0)
    held.hear(DSO, 100.0, 20.0)
    assert (held.limit(5.0), held.strongest(5.0)) == (0.0, PROTECTION)
    held.hear(PROTECTION, 100.0, 30.0)
    held.hear(DSO, 60.0, 30.0)
    assert (held.limit(6.0), held.strongest(6.0)) == (60.0, DSO)


@pytest.mark.parametrize(
    ("authority", "said", "then"), [(DSO, 30.0, 60.0), (PROTECTION, 30.0, 30.0), (PROTECTION, 100.0, 60.0)]
)
def test_what_was_limited_outlives_a_restart_and_then_its_hold(authority: Authority, said: float, then: float) -> None:
    """A protection's last word is never widened by silence."""
    before = GridLimit(60.0, hold=900.0)
    before.hear(authority, said, 10.0)
    after = GridLimit(60.0, hold=900.0)
    after.recall(json.loads(json.dumps(before.kept())), 1000.0)
    assert (after.limit(1000.0), after.limit(1899.0), after.limit(1901.0)) == (said, said, then)


@pytest.mark.parametrize("kept", [{}, {"dso": "x"}, {"dso": 101}, {"dso": -1}, {"stranger": 5.0}, {"dso": None}])
def test_what_was_damaged_on_the_disk_limits_nothing(kept: dict[str, float]) -> None:
    held = GridLimit(40.0)
    held.recall(kept, 0.0)
    assert held.limit(0.0) == 40.0
