"""Causes that come and go: a condition whose word is told seldom is not over before that word has come."""

from pathlib import Path

import pytest

from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.expression.scope import Scope
from consumers.alarms.watches import compiled
from schemas.messages import Cause
from schemas.site_file import load_site
from schemas.topics import COMMAND_TTL
from tests.consumers.test_alarms_panel import a_panel, at, say, words

DEMO = Path(__file__).parents[2] / "site.toml"
TOLD: dict[str, float] = {
    **dict.fromkeys(("plan_age", "prices_left"), 60.0),  # with each plan
    **dict.fromkeys(("billed_peak", "peak_target", "window", "window_closed", "target_closed"), 10.0),
    **dict.fromkeys(("outcome", "action", "unanswered"), COMMAND_TTL),  # who steers sends the next before the last ends
    "clock_offset": 60.0,  # the least of a minute
}
"""Seconds from one word to the next; what is not named is looked at once a second."""
TRIED_AGAIN: dict[str, float] = {Cause.LEFT_ALONE: COMMAND_TTL + 2.0}
"""Causes that are gone while the bridge tries whether they are: for so long."""
HOLDS = {
    ("plan_stale", "plan_age"): "it grows by itself: only the next plan ends it, and that is the end",
    ("pcs_action_not_obeyed", "action"): "the word on an action holds until the next action",
    ("pcs_action_failed", "action"): "the word on an action holds until the next action",
}
"""What is no sooner over for its off-delay, and why."""

RULE = '[[alarm]]\nname = "meter_silent"\nkind = "meter"\nsilent = 5\noff_delay = {}\n'


@pytest.mark.parametrize(
    ("poll", "every", "off", "over"),
    [
        pytest.param(1, 9, 5, False, id="one reading in nine polls is no end of a silence"),
        pytest.param(1, 9, 0, False, id="also where the rule has no off-delay"),
        pytest.param(1, 4, 5, False, id="one in four"),
        pytest.param(1, 1, 5, True, id="steady readings end it"),
        pytest.param(10, 60, 5, False, id="one in six, of a device that is read each 10 s"),
        pytest.param(10, 10, 5, True, id="steady ones of such a device"),
    ],
)
def test_one_silence_is_one_line(tmp_path: Path, poll: int, every: int, off: int, over: bool) -> None:
    """A device in the bridge's back-off is read each 9 s: with an off-delay of 5 s each such reading was a return."""
    panel = a_panel(tmp_path, RULE.format(off), poll=poll)
    panel.hear("grid", say(0, p=1.0), at(0))
    told: list[str] = []
    for second in range(1, 400):
        if second >= 100 and second % every == 0:
            panel.hear("grid", say(second, p=1.0), at(second))
        told += [word for name, word in words(panel.tick(at(second))).items() if name == "meter_silent-grid"]
    assert (told.count("unacknowledged"), "returned" in told) == (1, over)


def test_no_shipped_rule_is_over_before_the_next_word_on_its_condition() -> None:
    """Points are judged by their own readings alone, and a silence by `test_one_silence_is_one_line`."""
    catalog, site = load_catalog(), load_site(DEMO).model_copy(update={"alarm": []})
    scope, rules = Scope.of_site(site), watched(site, catalog).rules
    watches = [(rule, compiled(rule, scope.of(str(rule.device)))) for rule in rules.values()]
    watches += [(rule, compiled(rule, scope.of_service("part"))) for rule in catalog.services]
    reads = [
        (rule, word)
        for rule, one in watches
        for device, word in one.condition.reads
        if not _is_point(scope, device, word)
    ]
    assert {word for _, word in reads} >= {"causes", "link", "outcome", "action", "unanswered", "plan_age", "state"}
    seldom = {(rule.name, word): TRIED_AGAIN.get(str(rule.contains), TOLD.get(word, 1.0)) for rule, word in reads}
    early = {(rule.name, word) for rule, word in reads if rule.off_delay < seldom[rule.name, word]}
    assert early == HOLDS.keys()


def _is_point(scope: Scope, device: str, word: str) -> bool:
    return device in scope.devices and word in scope.devices[device].points


@pytest.mark.parametrize(
    ("ends", "raised"),
    [
        pytest.param(115, None, id="the pause is no silence"),
        pytest.param(None, 122, id="a bridge that died in its pause excuses nobody for ever"),
    ],
)
def test_a_pause_of_the_bridge(tmp_path: Path, ends: int | None, raised: int | None) -> None:
    """The watchdog of this PCS bites after 10 s: it is left alone for 15 s, and a poll may come later."""
    dog = "[watchdog]\nregister = 9\nseconds = 10\nfed_by = 'any'\n"
    panel = a_panel(tmp_path, "", pcs=dog)
    seen: dict[str, int] = {}
    for second in range(135):
        if second <= 100 or (ends is not None and second >= ends):
            panel.hear("pcs1", say(second, p=1.0), at(second))
        if second in (100, ends):
            causes = ["left_alone"] if second == 100 else []
            panel.note_causes("pcs1", causes, at(second), sure=second != 100)
        seen |= {name: second for name, word in words(panel.tick(at(second))).items() if word == "unacknowledged"}
    assert seen.get("pcs_silent-pcs1") == raised
