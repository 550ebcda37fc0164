"""One automatic reset a minute after a trip; the second trip waits for a person, who is named."""

from pathlib import Path

import pytest

from consumers.dispatch.kept import Stored
from consumers.dispatch.resets import AFTER, BECAME, LOCKOUTS, Advice, Resets, Tried
from schemas.messages import Action, Authority, Cause, Mode, Outcome, OutcomeState
from tests.consumers.test_dispatch_desk import Story, plant_site

WAIT, RESET, FINE, AGAIN = Advice.WAIT, Advice.RESET, Advice.FINE, Advice.AGAIN


@pytest.mark.parametrize(
    ("story", "ends"),
    [
        ([(0, "running"), (1, "fault"), (59, "fault")], WAIT),
        ([(0, "fault"), (60, "fault")], RESET),
        ([(0, "fault"), (60, "fault"), (100, "fault")], WAIT),
        ([(0, "fault"), (60, "fault"), (121, "fault")], Advice.IN_VAIN),
        ([(0, "fault"), (60, "fault"), (62, "running"), (500, "fault"), (561, "fault")], AGAIN),
        ([(0, "fault"), (60, "fault"), (62, "running"), (4000, "fault"), (4061, "fault")], RESET),
        ([(0, "fault"), (30, "off"), (40, "fault"), (70, "fault")], WAIT),
        ([(0, "fault"), (60, "fault"), (62, "off")], FINE),
        ([(0, "fault"), (60, "fault"), (62, ""), (121, "fault")], Advice.IN_VAIN),
        ([(0, "fault"), (30, ""), (60, "fault")], RESET),
    ],
    ids=[
        "a minute",
        "then once",
        "it takes time",
        "in vain",
        "trips again",
        "much later",
        "a new trip",
        "it helped",
        "silence is no recovery",
        "nor the end of a trip",
    ],
)
def test_a_story(story: list[tuple[float, str]], ends: Advice) -> None:
    resets = Resets()
    for second, state in story:
        advice = resets.advise(state, second)
        if advice is RESET:
            resets.done(second)
    assert advice is ends


def test_a_reset_that_was_never_sent_is_not_claimed() -> None:
    """The broker was away, or the site is only watched: it is advised as long as it is not done."""
    resets = Resets()
    assert [resets.advise("fault", second) for second in (0, 60, 120, 900)] == [WAIT, RESET, RESET, RESET]


def test_a_pcs_that_cannot_be_reset_is_not_said_to_have_been() -> None:
    resets = Resets()
    assert resets.advise("fault", 0, able=False) is WAIT
    assert resets.advise("fault", 61, able=False) is Advice.CANNOT


def test_every_end_has_its_words() -> None:
    assert AFTER.keys() == set(Tried)
    assert LOCKOUTS.keys() == {*AFTER.values(), Advice.CANNOT}
    assert set(Advice) == LOCKOUTS.keys() | {WAIT, RESET, FINE}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(plant_site(tmp_path))


def ordered(story: Story, state: str, second: float) -> tuple[Action | None, Authority | None]:
    story.second = second
    story.hear_all(state=state)
    order = story.order()
    return (order.action, order.wanted.authority) if order else (None, None)


def test_the_second_trip_is_a_lockout_that_a_person_ends(story: Story) -> None:
    assert ordered(story, "running", 100)[0] is None
    assert ordered(story, "fault", 101)[0] is None
    assert ordered(story, "fault", 162) == (Action.RESET, Authority.SELF_CONSUMPTION)
    ordered(story, "fault", 223)
    assert story.desk.control is not None
    mode = story.desk.control.mode
    assert (mode.mode, mode.cause, mode.who) == (Mode.LOCKOUT, Cause.TRIPPED, "dispatch")
    assert mode.why == "the PCS has tripped and its reset did not help"
    for second in range(224, 500, 20):
        assert ordered(story, "fault", second) == (None, None), "it waits, for ever"
    story.ask("auto", who="ada", why="fan changed")
    assert ordered(story, "fault", 501) == (Action.RESET, Authority.OPERATOR)
    assert story.desk.control.mode.who == "ada"
    assert ordered(story, "fault", 503)[0] is None, "once"
    assert ordered(story, "off", 505)[0] is Action.START, "it ran before its trip"


ENDS: dict[str, tuple[list[OutcomeState], str]] = {
    "the bridge is silent": ([], "did not help"),
    "it is written, and nothing comes of it": ([OutcomeState.APPLIED, OutcomeState.NOT_OBEYED], "did not help"),
    "it runs out": ([OutcomeState.ACCEPTED, OutcomeState.EXPIRED], "did not help"),
    "it is refused": ([OutcomeState.REFUSED], "was refused"),
    "it cannot be written": ([OutcomeState.FAILED], "failed"),
}


@pytest.mark.parametrize("end", ENDS)
def test_it_says_what_became_of_the_reset(story: Story, end: str) -> None:
    """`its reset was refused` was said of one that was applied, and not obeyed."""
    states, words = ENDS[end]
    ordered(story, "fault", 101)
    assert ordered(story, "fault", 162)[0] is Action.RESET
    for state in states:
        said = Outcome(id=list(story.desk.commands.sent)[-1], at=story.now, state=state, reason="as it is")
        story.desk.hear_outcome(said, story.now, story.second)
    ordered(story, "fault", 223)
    assert story.desk.control is not None
    assert story.desk.control.mode.why == f"the PCS has tripped and its reset {words}"


def test_each_word_of_the_bridge_is_weighed() -> None:
    assert BECAME.keys() == set(OutcomeState)


def test_the_bridge_refuses_the_reset(story: Story) -> None:
    ordered(story, "fault", 101)
    assert ordered(story, "fault", 162)[0] is Action.RESET
    name = list(story.desk.commands.sent)[-1]
    refused = Outcome(id=name, at=story.now, state=OutcomeState.REFUSED, cause=Cause.INTERLOCK, reason="door open")
    story.desk.hear_outcome(refused, story.now, story.second)
    ordered(story, "fault", 223)
    assert story.desk.control is not None
    assert story.desk.control.mode.why == "the PCS has tripped and its reset was refused"


def test_a_restart_forgets_no_reset(story: Story, tmp_path: Path) -> None:
    ordered(story, "running", 100)
    ordered(story, "fault", 101)
    assert ordered(story, "fault", 162)[0] is Action.RESET
    kept = story.desk.keep(story.now, story.second)
    assert kept is not None
    next_run = Story(plant_site(tmp_path))
    next_run.second = 10.0  # another monotonic clock
    next_run.ahead = 170.0 - 10.0
    next_run.desk.begin(Stored(kept.mode, kept=kept), Stored(), next_run.now, next_run.second)
    assert ordered(next_run, "running", 12)[0] is None
    assert ordered(next_run, "fault", 30)[0] is None
    assert ordered(next_run, "fault", 95)[0] is None
    assert next_run.desk.control is not None
    assert next_run.desk.control.mode.why == "the PCS has tripped again after its reset"


@pytest.mark.parametrize("cause", [Cause.METER_POLARITY, Cause.SWINGING, Cause.REVERSED])
def test_a_doubt_of_the_bridge_ends_with_a_reset(story: Story, cause: Cause) -> None:
    assert ordered(story, "running", 101)[0] is None
    name = list(story.desk.commands.sent)[-1]
    doubts = Outcome(id=name, at=story.now, state=OutcomeState.REFUSED, cause=cause, reason="look at it")
    story.desk.hear_outcome(doubts, story.now, story.second)
    assert story.desk.control is not None
    assert (story.desk.control.mode.mode, story.desk.control.mode.cause) == (Mode.LOCKOUT, cause)
    story.second = 106
    story.ask("auto", who="ada", why="turned")
    assert ordered(story, "running", 107) == (Action.RESET, Authority.OPERATOR)
    # what is still said of the commands from before has been settled by her
    story.desk.hear_outcome(doubts, story.now, story.second)
    assert story.desk.control.mode.mode is Mode.AUTO
    assert ordered(story, "running", 109)[0] is None


@pytest.mark.parametrize("why", ["", "meter_sign_suspect", "meter_polarity: typed by somebody"])
def test_any_other_lockout_ends_without_a_reset_whatever_its_reason_says(story: Story, why: str) -> None:
    ordered(story, "running", 101)
    story.ask("lockout", why=why)
    story.second = 102
    story.ask("auto", why=why)
    assert ordered(story, "running", 103)[0] is None
