"""A stopped PCS is started again when it was we who stopped it, or when a person asks for it; else it is left alone."""

from pathlib import Path

import pytest

from consumers.dispatch.kept import Stored
from schemas.messages import Action, Cause, Mode
from tests.consumers.test_dispatch_desk import Story, plant_site


def tell(story: Story, events: str) -> list[str]:
    """Runs through events: a state of the PCS each 2 s, a mode that a person asks for, or a restart; gives the
    actions that went out."""
    actions = []
    for event in events.split():
        story.second += 2
        if event in set(Mode):
            story.ask(event)
        elif event == "restart":
            kept = story.desk.keep(story.now, story.second)
            assert kept is not None
            story = _again(story, kept)
        else:
            story.hear_all(state=event)
        order = story.order()
        if order is not None and order.action is not None:
            actions.append(order.action.value)
    return actions


def _again(story: Story, kept: object) -> Story:
    other = Story(story.desk.site)
    other.second, other.seq, other.ahead = 7.0, story.seq, story.second + story.ahead + 5 - 7.0
    other.desk.begin(Stored(getattr(kept, "mode", None), kept=kept), Stored(), other.now, other.second)  # type: ignore[arg-type]
    return other


@pytest.mark.parametrize(
    ("events", "actions"),
    [
        ("running off off off", []),
        ("running standby standby standby standby standby standby", []),
        ("off off off", []),
        ("off auto", ["start"]),
        ("running lockout running running off off auto", ["stop", "start"]),
        ("running lockout running running auto running off off", ["stop", "start"]),
        ("running lockout running running off auto starting running off off", ["stop", "start"]),
        ("running off lockout off auto off", ["start"]),
        ("running local off off", []),
        ("running auto running off off", []),
        ("running off restart off off", []),
        ("running lockout running running off restart auto off", ["stop", "start"]),
        ("off auto restart off", ["start"]),
    ],
    ids=[
        "stopped at its panel",
        "or asleep",
        "stopped before we came",
        "a person asks for it",
        "we stopped it and a person has ended the lockout",
        "it had not stopped yet",
        "stopped at its panel after our start",
        "a lockout of a PCS that stands, and its end",
        "operated at the device",
        "an old wish for auto is no wish to start it",
        "a restart starts nothing",
        "a restart forgets no stop of ours",
        "nor who asked: the next try comes later",
    ],
)
def test_a_story(tmp_path: Path, events: str, actions: list[str]) -> None:
    assert tell(Story(plant_site(tmp_path)), events) == actions


def test_what_is_not_started_is_told(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    assert tell(story, "running off off") == []
    assert story.order() is None
    who = "it was not we who stopped it (a person, its supply or an interlock)"
    says = f"auto: pcs1 is off, and {who}: start it at its panel, or ask for auto"
    assert story.desk.detail == says


def test_in_manual_it_says_how_manual_starts_it(tmp_path: Path) -> None:
    """`ask for auto` was said to a person who holds manual."""
    story = Story(plant_site(tmp_path))
    story.ask("manual", power=10e3, until=story.now.replace(hour=12))
    assert tell(story, "running off off") == []
    story.order()
    assert story.desk.detail.endswith("start it at its panel, or ask for manual again")
    story.ask("manual", power=10e3, until=story.now.replace(hour=12))
    assert story.action() is Action.START


def test_a_site_may_want_it_started_always(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path, battery=', start = "always"'))
    started = []
    for _ in range(400):
        story.second += 1
        story.hear_all(state="standby")
        if story.action() is Action.START:
            started.append(story.second - 101)
    assert started == [0, 10, 30, 70, 150, 310], "each time later: contactors and soft-start resistors wear"
    story.hear_all(state="running")
    assert story.power() == 30e3
    story.hear_all(state="off")
    assert story.action() is Action.START  # it ran in between: the count begins anew


def test_a_pcs_that_was_reset_after_its_trip_is_started_if_it_ran(tmp_path: Path) -> None:
    for ran, starts in (("running", ["reset", "start", "start"]), ("off", ["reset"])):
        story = Story(plant_site(tmp_path))
        story.hear_all(state=ran)
        story.order()
        actions = []
        for second in range(101, 180, 2):
            story.second = second
            story.hear_all(state="fault" if "reset" not in actions else "off")
            order = story.order()
            actions += [order.action.value] if order and order.action else []
        assert actions == starts, ran


def test_a_trip_that_cannot_be_reset_from_here_waits_for_a_person(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path))
    pcs = story.desk.site.profiles["pcs1"]
    actions = {name: todo for name, todo in pcs.actions.items() if name != "reset"}
    story.desk.site.profiles["pcs1"] = pcs.model_copy(update={"actions": actions})
    for second in (100, 162, 164):
        story.second = second
        story.hear_all(state="fault")
        assert story.action() is None
    assert story.desk.control is not None
    mode = story.desk.control.mode
    assert (mode.cause, mode.why) == (Cause.TRIPPED, "the PCS has tripped and cannot be reset from here")
