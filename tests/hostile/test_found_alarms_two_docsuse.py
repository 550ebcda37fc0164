"""What somebody met who knew the documents alone: words that lead nowhere, and a history that told one act twice."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from consumers.alarms.expression.scope import DEVICE_WORDS, SERVICE_WORDS, SITE_VALUES, patience
from consumers.alarms.expression.watch import watch_text
from consumers.alarms.expression.words import EXPRESSIONS
from consumers.alarms.expression.wrong import Wrong
from consumers.alarms.parents import Named, unsound
from consumers.alarms.requests import Refusal, request
from consumers.alarms.rules import Memory, Now
from consumers.notify.words import Words
from joulebus.alarm.history import words
from joulebus.pages import alarms
from runtime.alarm_history import Asked, without_repeats
from schemas.messages import AlarmRequest
from schemas.register import Point
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_file import load_site
from schemas.troubles import mistakes_of
from tests.consumers.alarm_journal import BEGIN, S, change
from tests.consumers.test_alarms_expression import NOON, SITE


@pytest.mark.parametrize(
    ("text", "leads_on"),
    [
        ("cell_t_max > 120 degF", "write it in degC"),  # was: did you mean 'deg'?
        ("rate(cell_t_max, 60 s) > 5 degC/min", "did you mean 'K/min'?"),  # was: bms-1 has no 'min'
        ("rate(cell_t_max, 60 s) > 5 K / min", "a slash in it without blanks: 5 K/min"),
        ("count(outcome, 60 s) > 3", "such as outcome == 'accepted'"),  # was: 'fault', which not each point can say
        ("spread(soc) > 5 %", "write spread(bms.soc)"),  # was taken, and could never be raised
        ("rate(soc) > 5", "rate takes 2"),
    ],
)
def test_what_is_refused_says_what_to_write(text: str, leads_on: str) -> None:
    with pytest.raises(Wrong) as refused:
        watch_text(text, SITE.of("bms-1"))
    assert leads_on in str(refused.value)


def test_a_wrong_name_is_not_answered_with_a_list_of_hundreds() -> None:
    wrong = rule(name="t", suppressed_by=["nix"])
    found = {("t", "bms"): wrong} | {(f"a{number}", "bms"): rule(name=f"a{number}") for number in range(300)}
    [(_, key, said)] = unsound(found, {("t", "bms"): 0}, Named())
    assert key == ".suppressed_by"
    assert "'nix' does not exist; name a rule of the same device, such as 't'" in said
    assert len(said) < 250


def test_one_word_where_a_list_belongs_is_shown_as_a_list() -> None:
    with pytest.raises(ValueError, match="list") as refused:
        rule(effect="stop")
    assert mistakes_of(refused.value, AlarmRule) == [("effect", 'needs a list: ["stop"]')]  # type: ignore[arg-type]


def test_the_gap_behind_which_a_delay_begins_anew_is_written_as_it_is() -> None:
    """It said 2.5 polls alone: of a device that is read twice a second that is 1.25 s, and it is 5 s."""
    fast, slow = Point(register=0), Point(register=0, rate="slow")
    assert (patience(fast, 0.5), patience(slow, 0.5)) == (5.0, 150.0)
    assert (patience(fast, 10.0), patience(slow, 10.0)) == (25.0, 200.0)
    text = " ".join(alarms().split())
    assert "for 2.5 polls, and 5 s at least, a delay begins anew (20 polls and 150 s for a point that is" in text


def test_a_comment_is_no_second_acknowledgement() -> None:
    raised = change("hot", BEGIN, S.UNACKNOWLEDGED)
    acked = change("hot", BEGIN + timedelta(minutes=1), S.ACKNOWLEDGED, since=BEGIN, by="erik", why="seen")
    said, later = "root: the fan is ordered", BEGIN + timedelta(minutes=2)
    commented = change("hot", later, S.ACKNOWLEDGED, since=BEGIN, by="erik", why="seen")
    commented = commented[0], commented[1].model_copy(update={"comment": said, "value": 3.7})
    acked = acked[0], acked[1].model_copy(update={"value": 3.7, "unit": "V"})
    came = without_repeats([raised, acked, commented, commented])
    assert [(one.by, one.why) for _, one in came] == [("", ""), ("erik", "seen"), ("", said)]
    lines = words(came, [Asked(later, "hot", "root", "comment", "the fan is ordered", followed=True)], site())
    assert [line.split("hot: ")[1] for line in lines[1:]] == ["acknowledged by erik: seen; 3.7 V", f"comment by {said}"]


@pytest.mark.parametrize(
    ("condition", "value", "unit", "reads"),
    [
        ("cell_t_max > 55 degC", 56.0, "degC", "Highest cell temperature 56 degC"),
        ("rate(cell_t_max, 60 s) >= 0.1 K/s", 0.561219, "K/s", "0.561 K/s"),  # was: cell_t_max 0.561219 K/s
        ("cell_t_max - cell_t_min > 10 K", 12.5, "K", "12.5 K"),
        ("p > 450 kW", 460e3, "W", "Power 460 kW"),
    ],
)
def test_a_message_calls_a_value_what_it_is(condition: str, value: float, unit: str, reads: str) -> None:
    point = "p" if unit == "W" else "cell_t_max"
    told = {"point": point, "condition": condition, "value": value, "unit": unit, "limit": None}
    _, one = change("hot", BEGIN, S.UNACKNOWLEDGED)
    line = Words("Plant", ZoneInfo("UTC")).line("hot", one.model_copy(update=told))
    assert line.endswith(f"({reads})")


def test_each_name_that_an_expression_may_say_is_explained() -> None:
    """The sentences stood in the code, and the page said `a number in W` of most. `age` of a part was never told."""
    rows = [
        line for line in EXPRESSIONS.splitlines() if " of a device" in line or "`site." in line or " of a part" in line
    ]
    rows = [line for line in rows if line.startswith("| `")]
    assert len(rows) >= len(SITE_VALUES) + len(DEVICE_WORDS) + len(SERVICE_WORDS)
    assert [line for line in rows if not line.endswith(". |")] == []
    assert "Until the first price that is not published yet." in EXPRESSIONS
    assert "age" not in SERVICE_WORDS


@pytest.mark.parametrize(
    ("late", "says"),
    [
        (timedelta(minutes=5), "it was sent at 11:55:00 and now is 12:00:00 UTC: too far apart"),
        (
            timedelta(days=1),
            "it was sent at 2026-05-31 12:00:00 and now is 2026-06-01 12:00:00 UTC",
        ),  # was: 12:00:00 both
    ],
)
def test_a_clock_that_is_a_day_behind_is_told_so(late: timedelta, says: str) -> None:
    wish = AlarmRequest(id="x", at=NOON - late, action="ack", who="scada")
    with pytest.raises(Refusal) as refused:
        request(rule(), Memory(state=S.UNACKNOWLEDGED), wish, Now(100.0, NOON))
    assert says in str(refused.value)


def rule(**given: object) -> AlarmRule:
    return AlarmRule.model_validate({"name": "t", "device": "bms", "point": "soc", "above": 50.0, **given})


def site() -> Site:
    return load_site(Path(__file__).parents[2] / "site.toml")
