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


FAILS = "pcs_command_failed-pcs1"


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        pytest.param([(1, "c1", "failed"), (3, "c2", "failed"), (5, "c3", "failed")], 5, id="in a row"),
        pytest.param([(1, "c1", "failed"), (3, "c1", "failed"), (5, "c1", "failed")], None, id="one, delivered thrice"),
        pytest.param(
            [(1, "c1", "failed"), (2, "c1", "applied"), (3, "c2", "failed"), (4, "c2", "applied"), (5, "c3", "failed")],
            5,
            id="now and then",
        ),
        pytest.param([(1, "c1", "failed"), (30, "c2", "failed"), (61, "c3", "failed")], None, id="not within 60 s"),
        pytest.param([(s, f"c{s}", "applied") for s in range(9)], None, id="others do not count"),
        pytest.param(
            [(1, "c1", "failed"), (2, "c1", "superseded"), (3, "c2", "failed"), (5, "c3", "failed")], 5, id="between"
        ),
    ],
)
def test_each_command_that_fails_counts_once(
    tmp_path: Path, said: list[tuple[int, str, str]], raised: int | None
) -> None:
    """Three that failed in a row, with nothing between them, counted as one."""
    panel, seen = a_panel(tmp_path, ""), list[int]()
    for second in range(70):
        panel.hear("pcs1", say(second, p=1.0), at(second))
        changes = panel.tick(at(second))
        for _, command, word in (one for one in said if one[0] == second):
            changes += panel.note("pcs1", "outcome", word, at(second), f"why {command}", command=command)
        seen += [second for name, alarm in changes if name == FAILS and alarm.active]
    assert (seen[0] if seen else None) == raised


def test_a_count_goes_on_over_a_restart_and_says_why(tmp_path: Path) -> None:
    """What the last run has seen is not seen any more: it stands until a whole span was, also when nobody commands."""
    panel = a_panel(tmp_path, "")
    for number in range(3):
        panel.note("pcs1", "outcome", "failed", at(number), "no answer", command=f"c{number}")
    panel.note("pcs1", "outcome", "superseded", at(4), "by c4", command="c3")
    shown = panel.shown()[FAILS]
    assert (shown.state, shown.reason) == ("unacknowledged", "no answer"), "the next command is no reason"
    again = a_panel(tmp_path, "", second=10)
    again.restore({FAILS: shown}, at(10))
    told = [(10, "unacknowledged")]
    for second in range(11, 140):
        again.hear("pcs1", say(second, p=1.0), at(second))
        now = words(again.tick(at(second))).get(FAILS, told[-1][1])
        if now != told[-1][1]:  # that others came after it is told, too
            told.append((second, now))
    assert told[1:] == [(131, "returned")], "60 s that were seen, and the off-delay"


def test_a_count_of_points_counts_how_often_they_came(tmp_path: Path) -> None:
    rule = '[[alarm]]\nname = "flaps"\nkind = "bms"\nwhen = "count(soc < 5 %, 60 s) >= 2"\n'
    panel, seen = a_panel(tmp_path, rule), dict[str, int]()
    for second in range(40):
        low = 10 <= second < 20 or second >= 30  # for ten readings in a row: once
        changes = panel.hear("bms1", say(second, soc=4.0 if low else 50.0), at(second))
        seen |= {name: second for name, word in words(changes).items() if word == "unacknowledged"}
    assert seen["flaps-bms1"] == 30


@pytest.mark.parametrize(
    ("power", "grid", "raised"),
    [
        pytest.param(-5e3, "disconnected", True, id="it takes what PV brings, and no grid is there"),
        pytest.param(5e3, "disconnected", True, id="it feeds"),
        pytest.param(5e3, "connected", False, id="with a grid"),
        pytest.param(80.0, "disconnected", False, id="it stands"),
    ],
)
def test_a_pcs_that_feeds_an_island_it_has_no_word_for(tmp_path: Path, power: float, grid: str, raised: bool) -> None:
    words_of_grid = "grid_state = { register = 4, enum = { 0 = 'disconnected', 1 = 'connected' } }\n"
    panel, seen = a_panel(tmp_path, "", pcs=words_of_grid), set[str]()
    for second in range(10):
        seen |= words(panel.hear("pcs1", say(second, p=power, grid_state=grid), at(second))).keys()
    for second in range(10, 14):  # it stops: its breaker opens before its power is 0
        seen |= words(panel.hear("pcs1", say(second, p=2e3, grid_state="disconnected"), at(second))).keys()
    assert ("pcs_off_grid-pcs1" in seen) is raised
