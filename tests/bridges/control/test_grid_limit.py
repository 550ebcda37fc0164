"""The network operator's limit: kept by silence, beside a protection's, and beyond a restart."""

import json
from pathlib import Path

import pytest

from bridges.control.device_memory import DeviceMemory
from bridges.control.grid_limit import GridLimit
from runtime.memory import Memory
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


@pytest.mark.parametrize("kept", [{}, {"stranger": 5.0}])
def test_what_nobody_said_limits_nothing(kept: dict[str, float]) -> None:
    held = GridLimit(40.0)
    held.recall(kept, 0.0)
    assert held.limit(0.0) == 40.0


@pytest.mark.parametrize("kept", [{"dso": "x"}, {"dso": 101}, {"dso": -1}, {"dso": None}, {"dso": float("nan")}])
def test_what_was_damaged_on_the_disk_is_taken_for_the_narrowest(kept: dict[str, float]) -> None:
    held = GridLimit(40.0)
    held.recall(kept, 0.0)
    assert (held.limit(0.0), held.lost) == (0.0, {DSO})
    held.hear(DSO, 70.0, 10.0)
    assert (held.limit(0.0), held.lost) == (70.0, set())


def remembered(path: Path, *sources: Authority) -> DeviceMemory:
    found = DeviceMemory(Memory(path), GridLimit(), sources)
    found.recall(0.0)
    return found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"limits": 7}', '{"limits": {"protection": -1}}'])
def test_a_damaged_file_limits_until_those_who_may_have_spoken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "control-plant-pcs.json"
    path.write_text(text, encoding="utf-8")
    first = remembered(path, PROTECTION, Authority.OPERATOR)
    assert first.limit.limit(0.0) == 0.0
    assert "0 % until protection says anew" in first.trouble
    again = remembered(path, PROTECTION, Authority.OPERATOR)
    assert (again.limit.limit(0.0), again.trouble) == (0.0, first.trouble), "a restart makes it no better"
    again.limit.hear(PROTECTION, 100.0, 10.0)
    again.keep()
    last = remembered(path, PROTECTION, Authority.OPERATOR)
    assert (last.limit.limit(0.0), last.trouble) == (100.0, "")


def test_where_nobody_may_limit_a_damaged_file_limits_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control-plant-pcs.json"
    path.write_text("", encoding="utf-8")
    assert remembered(path, Authority.OPERATOR).limit.limit(0.0) is None
