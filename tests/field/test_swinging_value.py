"""A value that swings around its limit does not fill a log, nor wake anybody twice.

Case 35: https://github.com/netdata/netdata/issues/945: 69.9 and 70.1 in turn, each ten seconds.
"""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.alarms.catalog import load_catalog
from consumers.alarms.expression.topmost import Look
from consumers.alarms.rules import Memory, Now, follow
from schemas.site_alarm import AlarmRule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NUMERIC = {rule.name: rule for rule in load_catalog().rules if rule.above is not None or rule.below is not None}


def changes(rule: AlarmRule, pace: float) -> int:
    """How often its state changes in an hour in which each second reading is on the other side of its limit."""
    memory, found = Memory(), 0
    limit = rule.above if rule.above is not None else rule.below
    assert limit is not None
    for turn in range(int(3600 / pace)):
        before, now = memory.state, Now(turn * pace, NOON + timedelta(seconds=turn * pace))
        value = limit + max(abs(limit), 1.0) * 0.0015 * (1 if turn % 2 else -1)
        over = rule.clear if memory.active else limit
        assert over is not None
        wrong = value > over if rule.above is not None else value < over
        memory = follow(rule, memory, Look(wrong, value, limit, ""), now)
        found += memory.state != before
    return found


@pytest.mark.parametrize(
    ("more", "most"), [({"clear": 68.0}, 1), ({"off": 60.0}, 1), ({"hold": 30.0}, 0), ({"hold": 5.0, "clear": 68.0}, 1)]
)
def test_clear_off_or_hold_makes_one_alarm_of_it_or_none(more: dict[str, float], most: int) -> None:
    rule = AlarmRule.model_validate({"name": "hot", "device": "bms", "point": "t", "above": 70.0} | more)
    assert changes(rule, 10.0) <= most


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("pace", [1.0, 10.0])
def test_no_shipped_rule_flaps(name: str, pace: float) -> None:
    assert changes(NUMERIC[name], pace) <= 1
