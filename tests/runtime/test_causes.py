"""What troubles a part: said at once, or when it has lasted; over by itself, or when it is taken back."""

import logging

import pytest

from runtime import causes
from runtime.causes import Causes
from schemas.messages import Cause

WORDS = "words"


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(causes, "time", found)
    return found


@pytest.mark.parametrize(
    ("steps", "seconds", "told"),
    [
        ([{}], 0, True),
        ([{"after": 30}], 29, False),
        ([{"after": 30}], 30, True),
        ([{"after": 30}, {"after": 30}], 30, True),
        ([{"after": 30}, {}], 1, True),
        ([{"seconds": 10}], 9, True),
        ([{"seconds": 10}], 10, False),
        ([{"after": 30}, None, {"after": 30}], 30, False),
    ],
)
def test_it_is_told_from_then_until_then(
    clock: Clock, steps: list[dict[str, float] | None], seconds: float, told: bool
) -> None:
    """The steps are a second apart; the last row takes it back in between."""
    mine = Causes(logging.getLogger("test"))
    began = clock.now
    for step in steps:
        if step is None:
            mine.clear(Cause.DATABASE)
        else:
            mine.add(Cause.DATABASE, WORDS, **step)  # type: ignore[arg-type]
        clock.now += 1
    clock.now = began + seconds
    assert mine.names == ([Cause.DATABASE] if told else [])
    assert mine.words == (WORDS if told else "")
