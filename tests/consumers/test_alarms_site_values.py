"""What alarms look at beside points: told from what the parts say, as tables."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.alarms.beside import Beside, Words
from consumers.alarms.delivery import Delivery
from consumers.alarms.rules import Now
from consumers.alarms.seen.plan import PATIENCE
from consumers.alarms.site_values import SiteValues
from consumers.alarms.site_words import DEVICE, LIMITING, SITE
from schemas.billing import BilledComponent, Billing
from schemas.messages import (
    Action,
    Authority,
    Command,
    ControlLimits,
    HeldLimit,
    Outcome,
    OutcomeState,
    Plan,
    Telemetry,
)
from schemas.messages.plan import Step
from schemas.site_file import load_site
from tests.consumers.test_alarms_catalog import small_site

NUMBERS = {"power", "soc", "grid", "load", "pv", "price_import", "price_export", "marginal_value"}
T0 = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)


def at(seconds: float, *, set_by: float = 0.0) -> Now:
    """`set_by`: the wall clock was set ahead by so much."""
    return Now(1000.0 + seconds, T0 + timedelta(seconds=seconds + set_by))


@pytest.fixture
def values(tmp_path: Path) -> SiteValues:
    return SiteValues(load_site(small_site(tmp_path)), at(0))


def plan(made: float, *, until: float = 3600, prices: float | None = None, peak: float | None = None) -> Plan:
    zeros = dict.fromkeys(NUMBERS, 0.0) | {"seconds": 3600.0}
    steps = [Step.model_validate({**zeros, "at": T0 + timedelta(hours=hour), "reason": ""}) for hour in range(24)]
    known = None if prices is None else T0 + timedelta(seconds=prices)
    begin, end = T0 + timedelta(seconds=made), T0 + timedelta(seconds=until)
    return Plan(
        id="p", at=begin, until=end, currency="EUR", prices_until=known, steps=steps, peak=peak, cost=0.0, cost_idle=0.0
    )  # fmt: skip


def billing(
    said: float,
    number: int,
    mean: float | None = 0.0,
    *,
    covered: float = 890.0,
    peak: float | None = None,
    **more: Any,
) -> Billing:
    """Of the quarter of an hour of this number."""
    start = T0 + timedelta(minutes=15 * number)
    one = BilledComponent(
        name="demand", minutes=15, window_start=start, window_end=start + timedelta(minutes=15), imported=0.0,
        covered=covered, mean=mean, peak=peak, per="month", period_start=T0, period_end=T0 + timedelta(days=1),
        price=1.0, currency="EUR", **more,
    )  # fmt: skip
    when = T0 + timedelta(seconds=said)
    return Billing(at=when, until=when + timedelta(seconds=30), components=[one])


def command(name: str, sent: float, action: Action | None = None) -> Command:
    when = T0 + timedelta(seconds=sent)
    wish: dict[str, Any] = {"action": action} if action else {"values": {"p_set": 0.0}}
    return Command(
        id=name,
        at=when,
        until=when + timedelta(seconds=10),
        source="dispatch",
        authority=Authority.PLAN,
        reason="",
        **wish,
    )


def outcome(name: str, state: OutcomeState = OutcomeState.APPLIED) -> Outcome:
    return Outcome(id=name, at=T0, state=state)


def sample(made: float, *, historical: bool = False) -> Telemetry:
    when = T0 + timedelta(seconds=made)
    return Telemetry(at=when, epoch="0" * 16, seq=1, historical=historical, values={"p": 1.0})


def limits(*held: tuple[Authority, float | None], draw: float = 50e3) -> ControlLimits:
    return ControlLimits(
        at=T0, import_limit=draw, export_limit=0.0,
        held=[
            HeldLimit(
                direction="consumption", scope="connection_point", power=draw, authority=who, source="x", since=T0,
                until=None if end is None else T0 + timedelta(seconds=end), cause="asked",
            )
            for who, end in held
        ],
    )  # fmt: skip


SITE_TABLE: list[tuple[str, list[tuple[float, Any]], Now, dict[str, Any]]] = [
    ("a plan that never came is not known at first", [], at(PATIENCE - 1), {"plan_age": None}),
    ("and as old as the start then", [], at(3600), {"plan_age": 3600.0}),
    ("a stored plan is as old as it says", [(5, plan(-100))], at(10), {"plan_age": 110.0}),
    ("a clock that is set makes it no older", [(5, plan(5))], at(65, set_by=7200), {"plan_age": 60.0}),
    ("a newer one counts", [(5, plan(5)), (65, plan(62))], at(66), {"plan_age": 4.0}),
    ("prices end", [(0, plan(0, prices=7200))], at(60), {"prices_left": 7140.0}),
    ("all are published", [(0, plan(0))], at(60), {"prices_left": 24 * 3600 - 60.0}),
    (
        "no valid plan",
        [(0, plan(0, until=50, prices=99, peak=7e3))],
        at(60),
        {"prices_left": None, "peak_target": None},
    ),
    ("the peak of the plan", [(0, plan(0, peak=80e3))], at(9), {"peak_target": 80e3, "billed_peak": None}),
    (
        "what is billed already costs nothing more",
        [(0, plan(0, peak=80e3)), (1, billing(1, 0, peak=90e3))],
        at(9),
        {"peak_target": 90e3, "billed_peak": 90e3},
    ),
    ("so much is billed at least", [(0, billing(0, 0, floor=20e3))], at(9), {"billed_peak": 20e3, "peak_target": 20e3}),
    ("another month", [(0, billing(0, 0, peak=90e3))], at(86_400), {"billed_peak": None, "window": None}),
    ("the window that runs", [(0, billing(0, 0, 55e3))], at(20), {"window": 55e3, "window_closed": None}),
    ("it is not followed any more", [(0, billing(0, 0, 55e3))], at(31), {"window": None}),
    ("it closed", [(895, billing(895, 0, 60e3)), (905, billing(905, 1))], at(906), {"window_closed": 60e3}),
    (
        "it was meant to be lower, and is the peak now",
        [
            (0, plan(0, peak=50e3)),
            (1, billing(1, 0, peak=50e3)),
            (890, plan(889, peak=60e3)),
            (895, billing(895, 0, 60e3, peak=50e3)),
            (905, billing(905, 1, peak=60e3)),
        ],
        at(906),
        {"window_closed": 60e3, "target_closed": 50e3, "peak_target": 60e3},
    ),
    (
        "it was hardly seen",
        [(895, billing(895, 0, 60e3, covered=700.0)), (905, billing(905, 1))],
        at(906),
        {"window_closed": None},
    ),
    ("its end was not seen", [(800, billing(800, 0, 60e3)), (905, billing(905, 1))], at(906), {"window_closed": None}),
    ("one was missed", [(895, billing(895, 0, 60e3)), (1805, billing(1805, 2))], at(1806), {"window_closed": None}),
    (
        "its hours are not billed",
        [(895, billing(895, 0, 60e3, counts=False)), (905, billing(905, 1))],
        at(906),
        {"window_closed": None},
    ),
    (
        "nobody tells of the next one",
        [(895, billing(895, 0, 60e3)), (905, billing(905, 1))],
        at(1900),
        {"window_closed": None},
    ),
    ("the site file's limits hold", [], at(1), {"import_limit": 100e3, "limits": None}),
    ("nobody limits", [(0, limits())], at(1), {"import_limit": 50e3, "limits": []}),
    (
        "two limit, and one of them is over",
        [(0, limits((Authority.OPERATOR, 5), (Authority.DSO, None), (Authority.PROTECTION, 99)))],
        at(6),
        {"limits": ["dso", "protection"]},
    ),
]


@pytest.mark.parametrize(
    ("said", "now", "expected"), [row[1:] for row in SITE_TABLE], ids=[row[0] for row in SITE_TABLE]
)
def test_values_of_the_site(
    values: SiteValues, said: list[tuple[float, Any]], now: Now, expected: dict[str, Any]
) -> None:
    for when, message in said:
        values.hear(message, at(when))
    found = values.of_site(now)
    assert {name: found[name] for name in expected} == expected
    assert found.keys() == SITE.keys()


A, F = Action.GRID_FORMING, Action.GRID_FOLLOWING
DEVICE_TABLE: list[tuple[str, list[tuple[float, Any]], Now, dict[str, Any]]] = [
    ("nothing was said", [], at(5), {"unanswered": 0.0, "clock_offset": None, "grid_mode": "grid_following"}),
    ("none answered", [(0, command("1", 0)), (2, command("2", 2)), (4, command("3", 4))], at(5), {"unanswered": 5.0}),
    (
        "all answered",
        [(0, command("1", 0)), (0.3, outcome("1")), (2, command("2", 2)), (2.2, outcome("2"))],
        at(3),
        {"unanswered": 0.0},
    ),
    (
        "a later one answered",
        [(0, command("1", 0)), (2, command("2", 2)), (4, outcome("2")), (4.5, command("3", 4))],
        at(5),
        {"unanswered": 0.5},
    ),
    (
        "superseded is an answer",
        [(0, command("1", 0)), (2, outcome("1", OutcomeState.SUPERSEDED))],
        at(5),
        {"unanswered": 0.0},
    ),
    ("another one's outcome", [(0, command("1", 0)), (2, outcome("x"))], at(5), {"unanswered": 5.0}),
    (
        "a bridge that is back",
        [*((2.0 * n, command(str(n), 2.0 * n)) for n in range(200)), (399, outcome("199"))],
        at(400),
        {"unanswered": 0.0},
    ),
    (
        "a bridge that is away",
        [(2.0 * n, command(str(n), 2.0 * n)) for n in range(200)],
        at(400),
        {"unanswered": 400.0},
    ),
    ("nobody steers it any more", [(0, command("1", 0))], at(71), {"unanswered": 0.0}),
    ("a slow line delays", [(1, sample(0.2)), (2, sample(1.9)), (3, sample(0.5))], at(4), {"clock_offset": 0.1}),
    ("the bridge is ahead", [(1, sample(3)), (2, sample(3.5))], at(4), {"clock_offset": -2.0}),
    ("the past says nothing", [(1, sample(-900, historical=True))], at(4), {"clock_offset": None}),
    ("a minute later", [(1, sample(1)), (50, sample(49.5))], at(62), {"clock_offset": 0.5}),
    ("asked for an island", [(0, command("1", 0, A))], at(1), {"grid_mode": "grid_forming"}),
    (
        "and did",
        [(0, command("1", 0, A)), (9, outcome("1", OutcomeState.VERIFIED))],
        at(99),
        {"grid_mode": "grid_forming"},
    ),
    (
        "and did not",
        [(0, command("1", 0, A)), (1, outcome("1", OutcomeState.REFUSED))],
        at(2),
        {"grid_mode": "grid_following"},
    ),
    (
        "did, and did not come back",
        [
            (0, command("1", 0, A)),
            (1, outcome("1", OutcomeState.VERIFIED)),
            (2, command("2", 2, F)),
            (3, outcome("2", OutcomeState.NOT_OBEYED)),
        ],
        at(4),
        {"grid_mode": "grid_forming"},
    ),
    ("nobody took it", [(0, command("1", 0, A))], at(200), {"grid_mode": "grid_following"}),
    (
        "nobody took it, nor what took it back",
        [(0, command("1", 0, A)), (2, command("2", 2, F)), (3, outcome("2", OutcomeState.REFUSED))],
        at(4),
        {"grid_mode": "grid_following"},
    ),
]


@pytest.mark.parametrize(
    ("said", "now", "expected"), [row[1:] for row in DEVICE_TABLE], ids=[row[0] for row in DEVICE_TABLE]
)
def test_values_of_a_device(
    values: SiteValues, said: list[tuple[float, Any]], now: Now, expected: dict[str, Any]
) -> None:
    for when, message in said:
        values.hear(message, at(when), "pcs1")
        values.hear(message, at(when), "a-stranger")
    found = values.of_device("pcs1", now)
    assert {name: found[name] for name in expected} == {
        name: pytest.approx(value) if isinstance(value, float) else value for name, value in expected.items()
    }
    assert found.keys() == DEVICE.keys()
    assert values.of_device("bms1", now) == {
        "unanswered": 0.0,
        "clock_offset": None,
        "grid_mode": "grid_following",
    }


def test_what_was_answered_while_we_were_deaf_is_not_waited_for(values: SiteValues) -> None:
    values.hear(command("1", 0), at(0), "pcs1")
    values.deaf()
    assert values.of_device("pcs1", at(20))["unanswered"] == 0.0


@pytest.mark.parametrize(
    ("slow", "dead", "most"),
    [
        pytest.param(0.01, False, 2.0, id="a broker and a bridge that are well"),
        pytest.param(3.1, False, 2.0, id="a bridge that answers, behind a broker that takes 3.1 s for each message"),
        pytest.param(8.0, False, 2.0, id="or 8 s"),
        pytest.param(0.01, True, 600.0, id="a bridge that does not answer"),
        pytest.param(3.1, True, 600.0, id="nor behind the slow broker"),
    ],
)
def test_a_broker_that_is_slow_for_ever_hides_no_command_that_nobody_answers(
    values: SiteValues, slow: float, dead: bool, most: float
) -> None:
    """Each answer of the broker was a reason to forget what waits: no command was ever unanswered."""
    delivery, longest, raised = Delivery(at(0).steady), 0.0, math.inf
    sent = [(2.0 * n + slow, command(str(n), 2 * n)) for n in range(100)]
    said = [(when + slow, outcome(one.id)) for when, one in sent if not dead or when < 60]
    heard, answered = sorted([*sent, *said], key=lambda one: one[0]), slow
    for second in range(200):
        while answered <= second:
            for _, message in [one for one in heard if one[0] <= answered]:
                values.hear(message, at(answered), "pcs1")
            heard = [one for one in heard if one[0] > answered]
            delivery.answered(at(answered).steady)
            answered += slow + 0.5
        if (missed := delivery.missed(at(second).steady)) is not None:
            values.unheard(*missed, delivery.most)
        waits = values.of_device("pcs1", at(second))["unanswered"]
        assert isinstance(waits, float)
        longest, raised = max(longest, waits), min(raised, second if waits > 2 else math.inf)
    assert longest <= most
    assert raised < 60 + 3.1 + 5 + 8 + 3 if dead else raised == math.inf


def test_a_name_says_what_it_may_be() -> None:
    assert SITE["limits"].names == LIMITING == ("dso", "protection", "operator")
    assert {*DEVICE["grid_mode"].names} == {"grid_following", "grid_forming"}
    assert all(one.unit in ("s", "W") for one in [*SITE.values(), *DEVICE.values()] if not one.names)


class Panel:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def tell_site(self, values: Words, now: Now) -> list[Any]:
        return self.tell_device("site", values, now)

    def tell_device(self, device: str, words: Words, now: Now) -> list[Any]:
        assert now.wall.tzinfo is not None
        self.told.append((device, dict(words)))
        return [device]


def test_the_panel_is_told_what_changes_and_an_island_outlives_a_restart(tmp_path: Path) -> None:
    site, panel = load_site(small_site(tmp_path)), Panel()
    beside = Beside(site, tmp_path, at(0))
    assert [*beside.tell(panel, at(0))] == ["site", *(device.name for device in site.devices)], "all, at first"
    assert beside.tell(panel, at(1)) == [], "nothing has changed"
    beside.hear(command("1", 2, A), at(2), "pcs1")
    beside.hear(sample(2), at(2.5), "pcs1")
    panel.told.clear()
    beside.tell(panel, at(3))
    assert panel.told == [("pcs1", {"unanswered": 1.0, "clock_offset": 0.5, "grid_mode": "grid_forming"})]
    again = Beside(site, tmp_path, at(0))
    assert again.values.of_device("pcs1", at(0))["grid_mode"] == "grid_forming"
    again.hear(command("2", 3, F), at(3), "pcs1")
    assert (tmp_path / f"islands-{site.site}.json").read_text() == "[]"
    for damaged in ("{", "[1, []]", '"pcs1"'):
        (tmp_path / f"islands-{site.site}.json").write_text(damaged)
        assert Beside(site, tmp_path, at(0)).values.modes.islands == []
