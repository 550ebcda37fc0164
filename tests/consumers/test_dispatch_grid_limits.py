"""What limits the grid connection, authority by authority: stories as tables, and laws."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dispatch.grid_limits import GridLimits, changes
from consumers.dispatch.grid_signals import GridSignals
from optimizer.grid_bounds import Bounds, narrowed
from schemas.messages import Authority, Cause, GridLimitRequest, Telemetry, Value
from schemas.site_file import load_site
from schemas.site_grid import GridSignal
from tests.bridges.control.story import DEMO
from tests.optimizer.outlooks import NOON

PV = 150e3
SOURCES = {
    "dispatch": Authority.OPERATOR,
    "scada": Authority.OPERATOR,
    "dso": Authority.DSO,
    "relay": Authority.PROTECTION,
}


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def request(**change: Any) -> GridLimitRequest:
    wish: dict[str, Any] = {
        "id": f"r{change}"[:60].translate(str.maketrans("", "", " '{}:,<>()./+=")),
        "at": NOON,
        "source": "dso",
        "authority": Authority.DSO,
        "direction": "feed_in",
        "reason": "story",
    }
    sizes = {} if {"power", "percent"} & change.keys() else {"percent": 60.0}
    return GridLimitRequest(**(wish | sizes | change))


SITE = load_site(DEMO).model_copy(update={"command_sources": SOURCES})
"""PV of 150 kW; 500 kW may be drawn, and 150 kW fed in."""


@pytest.fixture
def limits() -> GridLimits:
    return GridLimits(SITE)


def with_safe(limits: GridLimits, **change: Any) -> GridLimits:
    grid = limits.site.grid.model_copy(
        update={"safe_feed_in": 30.0, "safe_consumption": 4200.0, "dso_hold": 900.0} | change
    )
    limits.site = limits.site.model_copy(update={"grid": grid})
    return limits


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], Cause]] = {
    "retained": ({}, {"retained": True}, Cause.RETAINED),
    "forged": ({}, {"forged": "forged: it is not signed"}, Cause.SIGNATURE),
    "a stranger": ({"source": "mallory"}, {}, Cause.FOREIGN_SOURCE),
    "an operator that claims to be the DSO": ({"source": "scada"}, {}, Cause.AUTHORITY),
    "the DSO that claims to be a protection": ({"authority": Authority.PROTECTION}, {}, Cause.AUTHORITY),
    "late": ({"at": later(-60)}, {}, Cause.EXPIRED),
    "from the future": ({"at": later(60)}, {}, Cause.CLOCK_SKEW),
    "over already": ({"at": later(-20), "until": later(-5)}, {}, Cause.EXPIRED),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_followed_says_why_and_changes_nothing(limits: GridLimits, what: str) -> None:
    change, how, cause = REFUSED[what]
    no = limits.hear(request(**change), NOON, **how)
    assert no is not None
    assert (no.cause, bool(no.reason)) == (cause, True)
    assert limits.held(NOON) == []


CONTRADICTS: dict[str, dict[str, Any]] = {
    "W and %": {"power": 1e3, "percent": 10.0},
    "neither": {"power": None},
    "an end before its begin": {"until": later(-1)},
    "a plan": {"authority": Authority.PLAN},
    "less than nothing": {"power": -1.0},
    "more than all": {"percent": 101.0},
    "a key nobody knows": {"watts": 3.0},
}


@pytest.mark.parametrize("what", CONTRADICTS)
def test_what_contradicts_itself_is_no_request(what: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        request(**CONTRADICTS[what])


def test_repeated_and_overtaken(limits: GridLimits) -> None:
    assert limits.hear(request(id="a", at=later(5)), later(5)) is None
    for one, cause in ((request(id="a", at=later(6)), Cause.DUPLICATE), (request(id="b"), Cause.OUT_OF_ORDER)):
        no = limits.hear(one, later(6))
        assert no is not None
        assert no.cause is cause


SIZES: dict[str, tuple[dict[str, Any], Bounds]] = {
    "EEG 9, 60 %": ({"percent": 60.0}, Bounds(500e3, 90e3)),
    "EEG 9, 30 %": ({"percent": 30.0}, Bounds(500e3, 45e3)),
    "EEG 9, 0 %": ({"percent": 0.0}, Bounds(500e3, 0.0)),
    "all of it": ({"percent": 100.0}, Bounds(500e3, 150e3)),
    "wider than the site file": ({"power": 1e6}, Bounds(500e3, 150e3)),
    "EnWG 14a, W": ({"direction": "consumption", "power": 42e3}, Bounds(42e3, 150e3)),
    "half of what may be drawn": ({"direction": "consumption", "percent": 50.0}, Bounds(250e3, 150e3)),
    "EnWG 14a, steerable": (
        {"direction": "consumption", "scope": "steerable", "power": 8.4e3},
        Bounds(500e3, 150e3, draw=8.4e3),
    ),
    "the PV itself": ({"scope": "steerable", "percent": 30.0}, Bounds(500e3, 150e3, pv=45e3)),
}


@pytest.mark.parametrize("what", SIZES)
def test_how_much_it_leaves(limits: GridLimits, what: str) -> None:
    change, bounds = SIZES[what]
    assert limits.hear(request(**change), NOON) is None
    assert limits.bounds(later(3600)) == bounds


def test_nobody_overwrites_another_and_the_narrowest_holds(limits: GridLimits) -> None:
    said = [
        ("dso", Authority.DSO, 60.0, 60.0),
        ("relay", Authority.PROTECTION, 30.0, 30.0),
        ("dso", Authority.DSO, 100.0, 30.0),  # the DSO ends its own, the protection's stays
        ("scada", Authority.OPERATOR, 80.0, 30.0),
        ("scada", Authority.OPERATOR, 10.0, 10.0),
        ("relay", Authority.PROTECTION, 100.0, 10.0),
        ("scada", Authority.OPERATOR, 100.0, 100.0),
    ]
    for n, (source, authority, percent, holds) in enumerate(said):
        one = request(id=f"n{n}", at=later(n), source=source, authority=authority, percent=percent)
        assert limits.hear(one, later(n)) is None
        assert limits.bounds(later(n)).export_limit == PV * holds / 100, (n, source)


def test_a_limit_ends_where_no_signal_is_awaited(limits: GridLimits) -> None:
    limits.hear(request(until=later(60)), NOON)
    assert [limits.bounds(later(s)).export_limit for s in (59, 61)] == [90e3, 150e3]


def test_a_signal_that_is_lost_keeps_its_last_limit_then_the_safe_one(limits: GridLimits) -> None:
    with_safe(limits)
    assert limits.bounds(NOON) == Bounds(4200.0, 45e3), "unknown before the first word"
    limits.hear(request(until=later(60)), NOON)
    found = [(limits.bounds(later(s)).export_limit, limits.held(later(s))[-1].cause) for s in (59, 61, 959, 961, 1e6)]
    assert found == [(90e3, "asked"), (90e3, "lost"), (90e3, "lost"), (45e3, "safe"), (45e3, "safe")]
    limits.hear(request(id="again", at=later(1000), percent=100.0, until=later(1060)), later(1000))
    assert limits.bounds(later(1001)).export_limit == 150e3


def test_the_safe_one_never_widens_a_protection(limits: GridLimits) -> None:
    with_safe(limits)
    limits.hear(request(source="relay", authority=Authority.PROTECTION, percent=0.0, until=later(60)), NOON)
    assert limits.bounds(later(1e5)).export_limit == 0.0


def test_what_was_kept_holds_after_a_restart(limits: GridLimits) -> None:
    limits.hear(request(until=later(600)), NOON)
    limits.hear(request(id="b", direction="consumption", power=42e3), NOON)
    again = GridLimits(limits.site)
    again.recall(json.loads(limits.keep().model_dump_json()), later(30), damaged=False)
    assert again.said(later(30)) == limits.said(later(30))
    no = again.hear(request(id="b", at=later(31)), later(31))
    assert no is not None
    assert no.cause is Cause.DUPLICATE


@pytest.mark.parametrize("kept", [{}, {"words": [{"authority": "king"}]}, {"words": 7}])
def test_what_cannot_be_read_is_the_safe_one(limits: GridLimits, kept: dict[str, Any]) -> None:
    limits.recall(kept, NOON, damaged=not kept)
    assert limits.bounds(NOON) == Bounds(0.0, 0.0), "nothing is declared safe, and somebody may limit this site"
    again = with_safe(GridLimits(limits.site))
    again.recall(kept, NOON, damaged=not kept)
    assert again.bounds(NOON) == Bounds(4200.0, 45e3)
    kept_on = GridLimits(again.site)
    kept_on.recall(json.loads(again.keep().model_dump_json()), NOON, damaged=False)
    assert kept_on.held(NOON)[0].cause == "unreadable", "a second restart does not make it known"
    assert again.hear(request(percent=100.0), NOON) is None
    assert again.bounds(NOON).export_limit == 150e3


def test_a_site_that_nobody_may_limit_has_lost_nothing() -> None:
    limits = GridLimits(load_site(DEMO))
    limits.recall({}, NOON, damaged=True)
    assert limits.held(NOON) == []


def test_begin_and_end_are_said_with_their_cause(limits: GridLimits) -> None:
    before = limits.said(NOON)
    limits.hear(request(until=later(60), reason="feed-in management"), NOON)
    during, after = limits.said(later(1)), limits.said(later(61))
    assert changes(before, during) == ["begins: feed-in at most 90 kW, by dso as dso, asked: feed-in management"]
    assert changes(during, after) == ["ends: feed-in at most 90 kW, by dso as dso, asked: feed-in management"]


# contacts ---------------------------------------------------------------------------------------

FNN = [
    GridSignal(device="box", point=point, equals="closed", direction="feed_in", percent=percent)
    for point, percent in (("k1", 100.0), ("k2", 60.0), ("k3", 30.0), ("k4", 0.0))
]
"""Ripple control: one of four contacts is closed."""

CONTACTS: dict[str, tuple[dict[str, Value], float | None]] = {
    "K1": ({"k1": "closed", "k2": "open", "k3": "open", "k4": "open"}, 100.0),
    "K2": ({"k1": "open", "k2": "closed", "k3": "open", "k4": "open"}, 60.0),
    "K3": ({"k1": "open", "k2": "open", "k3": "closed", "k4": "open"}, 30.0),
    "K4": ({"k1": "open", "k2": "open", "k3": "open", "k4": "closed"}, 0.0),
    "two at once: the narrowest": ({"k1": "closed", "k2": "open", "k3": "closed", "k4": "open"}, 30.0),
    "none": ({"k1": "open", "k2": "open", "k3": "open", "k4": "open"}, None),
    "a state that nobody knows": ({"k1": "unknown_3"}, None),
    "nothing was read": ({}, None),
}


def seen(signals: GridSignals, values: dict[str, Value], mono: float, seq: int = 1) -> None:
    signals.hear("box", Telemetry(at=later(mono), epoch="0" * 16, seq=seq, values=values), mono)


@pytest.mark.parametrize("what", CONTACTS)
def test_contacts(what: str) -> None:
    values, percent = CONTACTS[what]
    signals, limits = GridSignals(FNN), GridLimits(SITE)
    seen(signals, values, 0.0)
    limits.signal(signals.words(later(1), 1.0))
    assert [one.percent for one in limits.words.values()] == ([] if percent is None else [percent])


def test_a_register_is_the_limit_itself() -> None:
    signals = GridSignals([GridSignal(device="box", point="p_max", value="power", direction="consumption")])
    seen(signals, {"p_max": 42e3}, 0.0)
    (word,) = signals.words(NOON, 1.0)
    assert (word.power, word.source, word.via) == (42e3, "box", "signal")
    seen(signals, {"p_max": -1.0}, 1.0, seq=2)
    assert signals.words(NOON, 1.0) == [], "less than nothing says nothing"


def test_a_box_that_is_silent_is_the_last_then_the_safe_one(limits: GridLimits) -> None:
    with_safe(limits)
    signals = GridSignals(FNN)
    seen(signals, CONTACTS["K2"][0], 0.0)
    causes = []
    for second in range(0, 1000, 10):
        limits.signal(signals.words(later(second), float(second)))
        feed_in = [one for one in limits.held(later(second)) if one.direction == "feed_in"]
        causes.append((feed_in[0].cause, feed_in[0].power))
    assert causes[0] == ("signal", 90e3)
    assert causes[5] == ("lost", 90e3)
    assert causes[-1] == ("safe", 45e3)
    seen(signals, CONTACTS["K1"][0], 1000.0, seq=2)
    limits.signal(signals.words(later(1000), 1000.0))
    assert limits.bounds(later(1001)).export_limit == 150e3


def test_a_restart_loses_the_signal_just_then(limits: GridLimits) -> None:
    with_safe(limits)
    signals = GridSignals(FNN)
    seen(signals, CONTACTS["K3"][0], 0.0)
    limits.signal(signals.words(NOON, 0.0))
    again = GridLimits(limits.site)
    again.recall(json.loads(limits.keep().model_dump_json()), later(5000), damaged=False)
    assert [again.bounds(later(s)).export_limit for s in (5001, 5899, 5901)] == [45e3] * 3
    assert again.held(later(5001))[-1].cause == "lost"


WRONG: dict[str, dict[str, Any]] = {
    "two conditions": {"equals": "closed", "above": 1.0},
    "none": {},
    "no size": {"equals": "closed", "percent": None},
    "W and %": {"equals": "closed", "power": 1.0},
    "a size beside the register that is one": {"value": "power"},
    "a plan": {"equals": "closed", "authority": "plan"},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_signal_that_means_nothing_is_refused(what: str) -> None:
    given_ = {"device": "box", "point": "k1", "direction": "feed_in", "percent": 60.0} | WRONG[what]
    with pytest.raises(ValueError, match=r"give|limit"):
        GridSignal.model_validate(given_)


# laws -------------------------------------------------------------------------------------------

words = st.lists(
    st.tuples(
        st.sampled_from(["dso", "relay", "scada"]),
        st.sampled_from(["feed_in", "consumption"]),
        st.sampled_from(["connection_point", "steerable"]),
        st.floats(0, 100),
        st.one_of(st.none(), st.floats(1, 5000)),
    ),
    max_size=8,
)


@given(words, st.floats(0, 1e5))
def test_a_limit_only_ever_narrows(said: list[tuple[Any, ...]], after: float) -> None:
    limits = GridLimits(SITE)
    for n, (source, direction, scope, percent, until) in enumerate(said):
        one = request(
            id=f"n{n}", source=source, authority=SOURCES[source], direction=direction, scope=scope, percent=percent,
            until=None if until is None else later(until),
        )  # fmt: skip
        assert limits.hear(one, NOON) is None
    bounds, grid = limits.bounds(later(after)), limits.site.grid
    assert 0 <= bounds.import_limit <= grid.import_limit
    assert 0 <= bounds.export_limit <= grid.export_limit
    for net in (-1e5, 0.0, 1e5):
        now = narrowed(grid, bounds, net)
        assert now.import_limit <= grid.import_limit
        assert now.export_limit <= grid.export_limit
