"""What holds for every expression: it is printed as it is read, nothing but a refusal is raised, and unknown is
neither true nor false."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alarms.expression.functions import FUNCTIONS
from consumers.alarms.expression.grammar import parse
from consumers.alarms.expression.tokens import KEYWORDS
from consumers.alarms.expression.tree import (
    Among,
    Arithmetic,
    Both,
    Call,
    Compare,
    Either,
    Negate,
    Node,
    Not,
    Number,
    Ref,
    Text,
    printed,
)
from consumers.alarms.expression.units import UNITS, Unit, quotient
from consumers.alarms.expression.units import product as times
from consumers.alarms.expression.watch import watch, watch_text
from consumers.alarms.expression.windows import MOST_COUNTED, Count, Rate
from consumers.alarms.expression.wrong import Wrong
from consumers.alarms.latest import Latest
from schemas.rise import SAMPLES
from schemas.site_alarm import AlarmRule
from tests.consumers.test_alarms_expression import BEGIN, BMS, NOON, SITE, Story

POINTS = ("soc", "u", "i", "riso", "cell_t_max", "cell_t_spread", "state", "alarms", "nothing")
amounts = st.floats(0, 1e50, allow_subnormal=False) | st.integers(0, 1000).map(float)
numbers = st.builds(Number, amounts | amounts.map(lambda one: -one or 0.0), st.sampled_from([*UNITS, "K/s", "Ohm/V"]))
refs = st.builds(Ref, st.sampled_from(POINTS), st.sampled_from(["", "", "bms-2", "site", "bms"]))
texts = st.builds(Text, st.sampled_from(["fault", "off", "epo", "it's"]))


def _deeper(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    some = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Arithmetic, inner, st.sampled_from("+-*/"), inner),
        st.builds(Compare, inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner),
        st.builds(Among, inner, st.just(("off", "it's"))),
        st.builds(Negate, inner.filter(lambda one: not isinstance(one, Number) or one.value >= 0)),
        st.builds(Not, inner),
        st.builds(Both, some),
        st.builds(Either, some),
        st.builds(Call, st.sampled_from(list(FUNCTIONS)), st.lists(inner, max_size=2).map(tuple)),
    )


trees = st.recursive(numbers | refs | texts, _deeper, max_leaves=8)


@given(trees)
def test_what_is_printed_is_read_as_the_same_tree(tree: Node) -> None:
    try:
        again = parse(printed(tree))
    except Wrong as wrong:
        assert "at most" in wrong.words or "more than" in wrong.words  # noqa: PT017  # too long, or too deep
    else:
        assert again == tree


volts = st.floats(-1e6, 1e6)
WORDS = [*POINTS, *FUNCTIONS, *KEYWORDS, *UNITS, *"()+-*/<>=!,.%&|'\"", "==", "<=", "5", "0.1", "bms-2.soc", "'fault'"]
hostile = st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


@given(hostile | trees.map(printed), st.floats(-1e50, 1e50), st.booleans())
def test_nothing_but_a_refusal_comes_of_any_text(text: str, value: float, active: bool) -> None:
    try:
        found = watch_text(text, SITE.of("bms-1"))
    except Wrong as wrong:
        assert 1 <= wrong.column <= len(text) + 1  # noqa: PT017
        return
    story = Story()
    for second in (0.0, 61.0):
        story.second = second
        story.hear({f"bms-1.{point}": value for point in BMS.points if point not in ("state", "alarms", "alarms_2")})
        story.hear({"bms-1.state": "fault", "bms-1.alarms": ["epo"], "bms-2.soc": 50.0, "site.plan_age": 5.0})
        assert story.look(found, active).wrong in (True, False, None)


TRUTHS = {True: "fault", False: "off", None: None}


@pytest.mark.parametrize(("first", "second"), list(product(TRUTHS, TRUTHS)))
def test_the_laws_of_kleene(first: bool | None, second: bool | None) -> None:
    """By the order false < unknown < true: `and` is the least, `or` the greatest, `not` turns it round."""
    order: list[bool | None] = [False, None, True]
    x, y = order.index(first), order.index(second)
    story = Story()
    for device, truth in (("bms-1", first), ("bms-2", second)):
        if truth is not None:
            story.hear({f"{device}.state": TRUTHS[truth]})
    ours, theirs = "state == 'fault'", "bms-2.state == 'fault'"
    laws = {
        f"{ours} and {theirs}": order[min(x, y)],
        f"{ours} or {theirs}": order[max(x, y)],
        f"not {ours}": order[2 - x],
        f"not ({ours} and {theirs})": order[2 - min(x, y)],
        f"not {ours} or not {theirs}": order[2 - min(x, y)],
        f"not not {theirs}": order[y],
    }
    for text, expected in laws.items():
        at_top = story.look(watch_text(text, SITE.of("bms-1"))).wrong
        within = story.look(watch_text(f"({text}) and 5 >= 5 and soc == soc or ({text})", SITE.of("bms-1"))).wrong
        assert (at_top, within) == (expected, expected), text


@given(volts, volts, st.floats(0, 1e5), st.sampled_from([">", ">=", "<", "<="]), st.booleans())
def test_a_deadband_never_makes_an_inactive_alarm_active(
    value: float, limit: float, deadband: float, sign: str, turned: bool
) -> None:
    """And an active one stays as long as it is wrong without a deadband."""
    text = f"{limit!r} V {sign} u" if turned else f"u {sign} {limit!r} V"
    rule = {"name": "r", "device": "bms-1", "when": text}
    plain, moved = (
        watch(AlarmRule.model_validate(rule | {"deadband": one}), SITE.of("bms-1")) for one in (0.0, deadband)
    )
    story = Story()
    story.hear({"bms-1.u": value})
    assert story.look(moved) == story.look(plain)
    assert story.look(moved, active=True).wrong or not story.look(plain).wrong


@given(st.sampled_from(list(UNITS.values())), st.sampled_from(list(UNITS.values())))
def test_units_of_products_and_quotients_agree(one: Unit, other: Unit) -> None:
    """A product divided by one of its factors has the dimension of the other, and the same number."""
    made = times(one, other)
    if made is None or "ratio" in (one.dimension, other.dimension):
        return
    assert made == times(other, one)
    back = quotient(made[0], other)
    if back is not None:
        assert back[0].dimension == one.dimension
        assert made[1] * back[1] * back[0].factor == pytest.approx(one.factor)


def test_the_past_is_bounded() -> None:
    """Of a rate and of a count, however fast readings come: 50 a second for 100 s."""
    place, latest = ("bms-1", "soc"), Latest(SITE, BEGIN)
    rate = Rate(lambda known, now, _: known.value(place, now), 60.0, 5.0, [place])
    count = Count(lambda known, now, _: known.value(place, now) == 5.0, 86400.0)
    for step in range(5000):
        latest.values[place] = float(step % 2 + 4), math.inf
        rate(latest, BEGIN + step / 50, NOON)
        count(latest, BEGIN + step / 50, NOON)
    assert len(vars(rate)["_past"].middles) <= 2 * SAMPLES + 2
    assert len(vars(count)["_edges"]) == MOST_COUNTED
