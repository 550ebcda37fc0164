"""The life of a command: every pair that may happen is in the table, and leads where it should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.command_life import DONE, ENDED, NEXT, Event, Stage, diagram
from schemas.messages import OutcomeState

STORIES: dict[str, tuple[list[Event], list[str]]] = {
    "obeyed": ([Event.WRITTEN, Event.FOLLOWED, Event.WRITTEN, Event.NEWER], ["applied", "verified"]),
    "limited": ([Event.WRITTEN, Event.FOLLOWED_LIMITED, Event.NEWER], ["applied", "limited"]),
    "superseded before it was proven": ([Event.WRITTEN, Event.NEWER], ["applied", "superseded"]),
    "waits for the budget": (
        [Event.HELD_BACK, Event.HELD_BACK, Event.WRITTEN, Event.FOLLOWED],
        ["accepted", "applied", "verified"],
    ),
    "nobody answers, then it works": (
        [Event.WRITE_FAILED, Event.WRITE_FAILED, Event.WRITTEN, Event.FOLLOWED],
        ["failed", "applied", "verified"],
    ),
    "a register that does not hold is said once": (
        [Event.WRITTEN, Event.READ_BACK_DIFFERS, Event.WRITTEN, Event.READ_BACK_DIFFERS, Event.WRITTEN],
        ["applied", "failed"],
    ),
    "a power that does not follow, and then does": (
        [Event.WRITTEN, Event.NOT_FOLLOWED, Event.NOT_FOLLOWED, Event.FOLLOWED],
        ["applied", "not_obeyed", "verified"],
    ),
    "a power that leaves again": (
        [Event.WRITTEN, Event.FOLLOWED, Event.NOT_FOLLOWED, Event.RAN_OUT],
        ["applied", "verified", "not_obeyed", "expired"],
    ),
    "a foreign hand": (
        [Event.WRITTEN, Event.FOLLOWED, Event.FOREIGN_WRITE, Event.RAN_OUT],
        ["applied", "verified", "foreign_change", "expired"],
    ),
    "a start": ([Event.HELD_BACK, Event.FOLLOWED], ["accepted", "verified"]),
    "a start that does not end": ([Event.HELD_BACK, Event.NOT_FOLLOWED], ["accepted", "not_obeyed"]),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story(story: str) -> None:
    events, said = STORIES[story]
    stage, heard = Stage.TAKEN, []
    for event in events:
        stage, word = NEXT[stage, event]
        heard += [word.value] if word else []
    assert heard == said


def test_the_table_has_every_pair_of_a_command_that_lives() -> None:
    living = set(Stage) - ENDED
    assert set(NEXT) == {(stage, event) for stage in living for event in Event}
    assert {after for after, _ in NEXT.values()} <= set(Stage)


@given(st.lists(st.sampled_from(list(Event)), max_size=40))
def test_whatever_happens_a_command_is_never_said_to_be_proven_that_was_not_written(events: list[Event]) -> None:
    stage, failed = Stage.TAKEN, False
    for event in events:
        if stage in ENDED:
            break
        after, said = NEXT[stage, event]
        failed = event is Event.WRITE_FAILED or (failed and event is not Event.WRITTEN)
        if stage is Stage.FAILED and said in (OutcomeState.VERIFIED, OutcomeState.LIMITED):
            raise AssertionError("a power that happens to be right proves nothing")
        assert said is None or event is Event.FOREIGN_WRITE or after is not stage
        stage = after


def test_the_diagram_shows_every_change() -> None:
    drawn = diagram()
    assert drawn.startswith("stateDiagram-v2")
    for (stage, _), (after, _) in NEXT.items():
        assert stage is after or f"{stage.value} --> {after.value}: " in drawn
    assert set(Stage) >= DONE
