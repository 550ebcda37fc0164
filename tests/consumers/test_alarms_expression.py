"""The language of `when`: what it says of readings, and what it says of mistakes. No broker, no clock."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.alarms_rules import evaluate
from consumers.alarms.catalog import for_device, load_catalog
from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import Look, Watch, watch, watch_text
from consumers.alarms.expression.words import EXAMPLES, EXPRESSIONS
from consumers.alarms.expression.wrong import Wrong
from consumers.alarms.fit import missing, unsaid
from consumers.alarms.latest import Latest
from schemas.messages import Cause, DeviceState, Telemetry, Value
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site_alarm import AlarmRule
from schemas.site_file import load_site
from schemas.units import Kind, Quality

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGIN = 500.0


def profile(kind: Kind, **points: dict[str, object]) -> Profile:
    return Profile.model_validate(
        {
            "make": "a",
            "model": "b",
            "kind": kind,
            "source": "test",
            "points": {name: {"register": place, **point} for place, (name, point) in enumerate(points.items())},
        }
    )


STATES: dict[str, object] = {"enum": {"0": "off", "1": "running", "2": "fault", "3": "maintenance"}}
BMS = profile(
    Kind.BMS,
    soc={"unit": "%"},
    i={"unit": "A"},
    u={"unit": "V"},
    ccl={"unit": "A"},
    riso={"unit": "kOhm"},
    cell_t_max={"unit": "degC"},
    cell_t_min={"unit": "degC"},
    cell_u_max={"unit": "V", "rate": "slow"},
    state=STATES,
    alarms={"flags": {"0": "epo", "1": "smoke"}},
    alarms_2={"flags": {"0": "fan"}},
)
PCS = profile(
    Kind.PCS, p={"unit": "W"}, q={"unit": "var"}, s={"unit": "VA"}, f={"unit": "Hz"}, u={"unit": "V"}, state=STATES
)
METER = profile(Kind.METER, p={"unit": "W"}, pf={}, t={"unit": "degC"}, name={"type": "text", "words": 4})
SITE = Scope({"bms-1": BMS, "bms-2": BMS, "pcs-1": PCS, "grid": METER}, {"grid": 2.0})
CATALOG = load_catalog()
Readings = Mapping[str, Value | None]


class Story:
    """Readings go in, looks come out. `second`: since it began, on both clocks."""

    def __init__(self, scope: Scope = SITE) -> None:
        self.latest, self.step = Latest(scope, BEGIN), timedelta()
        self.second = 0.0

    def hear(self, readings: Readings) -> None:
        """By `device.point`, `site.value` or `@service.word`; None is a value that nobody believes."""
        for name, value in readings.items():
            device, point = name.split(".")
            if device == "site":
                self.latest.tell_site(point, value)
            elif device.startswith("@"):
                self.latest.tell_service(device[1:], point, value)
            elif point in ("link", "outcome", "action", "causes", "unanswered"):
                self.latest.tell(device, point, value)
            else:
                doubt = {point: Quality.IMPLAUSIBLE} if value is None else {}
                given = {point: 0.0 if value is None else value}
                said = Telemetry(at=NOON, epoch="0" * 16, seq=1, values=given, quality=doubt)
                self.latest.hear(device, said, BEGIN + self.second)

    def look(self, watch: Watch, active: bool = False) -> Look:
        wall = NOON + timedelta(seconds=self.second) + self.step
        return watch.look(self.latest, BEGIN + self.second, wall, active)


def one_look(text: str, readings: Readings, own: str = "bms-1") -> Look:
    story = Story()
    story.hear({name if "." in name else f"{own}.{name}": value for name, value in readings.items()})
    return story.look(watch_text(text, SITE.of(own)))


@pytest.mark.parametrize(
    ("text", "readings", "found"),
    [
        ("cell_t_max > 45 degC", {"cell_t_max": 46.0}, (True, 46.0, 45.0, "degC")),
        ("cell_t_max > 45", {"cell_t_max": 45.0}, (False, 45.0, 45.0, "degC")),
        ("cell_t_max > 45", {"cell_t_max": None}, (None, None, 45.0, "degC")),
        ("cell_t_max > 45", {"cell_t_max": "hot"}, (None, None, 45.0, "degC")),
        ("45 < cell_t_max", {"cell_t_max": 46.0}, (True, 46.0, 45.0, "degC")),
        ("abs(i) > 1.05 * ccl", {"i": -106.0, "ccl": 100.0}, (True, 106.0, 105.0, "A")),
        ("abs(i) > 105 % * ccl", {"i": -104.0, "ccl": 100.0}, (False, 104.0, 105.0, "A")),
        ("riso / u < 500 Ohm/V", {"riso": 400.0, "u": 800.0}, (False, 500.0, 500.0, "Ohm/V")),
        ("riso / u < 0.5 kOhm/V", {"riso": 399.0, "u": 800.0}, (True, 498.75, 500.0, "Ohm/V")),
        ("riso / u < 500", {"riso": 400.0, "u": 0.0}, (None, None, 500.0, "Ohm/V")),
        ("u * i > 50 kW", {"u": 800.0, "i": 63.0}, (True, 50400.0, 50000.0, "W")),
        ("cell_t_max - cell_t_min > 10", {"cell_t_max": 31.0, "cell_t_min": 20.0}, (True, 11.0, 10.0, "K")),
        ("cell_t_spread > 10 K", {"cell_t_max": 31.0, "cell_t_min": 20.0}, (True, 11.0, 10.0, "K")),
        ("cell_t_max > cell_t_min + 10", {"cell_t_max": 31.0, "cell_t_min": 20.0}, (True, 31.0, 30.0, "degC")),
        ("deviation(soc, bms-2.soc) > 5 %", {"soc": 50.0, "bms-2.soc": 56.0}, (True, 6.0, 5.0, "%")),
        ("spread(bms.soc) > 10 %", {"soc": 50.0, "bms-2.soc": 61.0}, (True, 11.0, 10.0, "%")),
        ("highest(bms.soc) > 60", {"soc": 50.0, "bms-2.soc": 61.0}, (True, 61.0, 60.0, "%")),
        ("highest(bms.soc) > 60", {"soc": 50.0}, (None, None, 60.0, "%")),
        ("highest(bms.soc) > 60", {"soc": 61.0}, (True, 61.0, 60.0, "%")),
        ("lowest(bms.soc) < 60", {"soc": 50.0}, (True, 50.0, 60.0, "%")),
        ("sum(bms.soc) > 60", {"soc": 61.0}, (None, None, 60.0, "%")),
        ("max(u, 900 V) > 800 V", {"u": 700.0}, (True, 900.0, 800.0, "V")),
        ("state == 'fault'", {"state": "fault"}, (True, "fault", "fault", "")),
        ("state in (off, maintenance)", {"state": "off"}, (True, "off", "off, maintenance", "")),
        ("state not in ('off')", {"state": "off"}, (False, "off", "off", "")),
        ("has(alarms, 'epo')", {"alarms": ["epo"]}, (True, ["epo"], "epo", "")),
        ("has(alarms, 'epo')", {"alarms": None, "alarms_2": ["fan"]}, (None, None, "epo", "")),
        ("has(alarms, 'epo')", {"alarms": [], "alarms_2": None}, (False, None, "epo", "")),
        ("has(alarms)", {"alarms": [], "alarms_2": ["fan"]}, (True, ["fan"], None, "")),
        ("has(alarms)", {"alarms": [], "alarms_2": None}, (None, None, None, "")),
        ("has(alarms)", {"alarms": []}, (False, [], None, "")),
        ("state == 'fault' and not has(alarms, 'epo')", {"state": "fault", "alarms": []}, (True, "fault", "fault", "")),
        ("state == 'fault' and soc > 5", {"state": "off"}, (False, "off", "fault", "")),
        ("state == 'fault' or soc > 5", {"soc": 6.0}, (True, 6.0, 5.0, "%")),
        ("state == 'fault' or soc > 5", {"soc": 5.0}, (None, None, "fault", "")),
        ("link == 'offline'", {"link": DeviceState.OFFLINE}, (True, "offline", "offline", "")),
        ("has(causes, watchdog)", {"causes": [Cause.WATCHDOG]}, (True, ["watchdog"], "watchdog", "")),
        ("unanswered > 5", {"unanswered": 6}, (True, 6.0, 5.0, "s")),
        ("link == 'degraded'", {"link": "degraded"}, (True, "degraded", "degraded", "")),
        ("has(causes, watchdog)", {"causes": ["watchdog"]}, (True, ["watchdog"], "watchdog", "")),
        ("unanswered > 5", {"unanswered": 6.0}, (True, 6.0, 5.0, "s")),
        ("i * u - site.import_limit > 2 kW", {"i": 10.0, "u": 800.0, "site.import_limit": 5e3}, (True, 3e3, 2e3, "W")),
        ("pcs-1.p > 0.9 * pcs-1.s", {"pcs-1.p": 95.0, "pcs-1.s": 100.0}, (True, 95.0, 90.0, "W")),
        ("pcs-1.p > 1 kW", {"pcs-1.p": 1001.0}, (True, 1001.0, 1000.0, "W")),
    ],
)
def test_a_look(text: str, readings: Readings, found: tuple[Value | None, ...]) -> None:
    for has, should in zip(one_look(text, readings), found, strict=True):
        assert has == (pytest.approx(should) if isinstance(should, float) else should)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "column 1: the expression is empty"),
        ("(" * 10_000, "column 1000: an expression has at most 1000 characters"),
        ("(" * 150 + "soc", "column 32: more than 30 things stand inside of each other"),
        ("not " * 150 + "soc", "more than 30 things stand inside of each other"),
        ("+".join(["soc"] * 150), "an expression has at most 200 words"),
        ("soc > 5 and", "column 12: a point, a number or a function is missing at the end"),
        ("soc > 5)", "column 8: this parenthesis was never opened"),
        ("(soc > 5", "column 9: the parenthesis of column 1 is not closed"),
        ("soc = 5", "column 5: '=' is not known here; did you mean '=='?"),
        ("soc > 5 && u > 3", "column 9: '&&' is not known here; did you mean 'and'?"),
        ("soc > 5 AND u > 3", "column 9: 'AND' is no unit; "),
        ("state == 'fault", "column 10: the text is not closed"),
        ("5 < soc < 7", "column 9: a comparison has two sides"),
        ("soc > 5 kw", "column 9: 'kw' is no unit; did you mean 'kW'?"),
        ("soc > 1e99", "column 7: 1e99 lies outside of"),
        ("__import__('os')", "column 1: there is no function '__import__'"),
        ("so > 5", "column 1: bms-1 has no 'so'; did you mean 'soc'?"),
        ("u-i > 5", "column 1: bms-1 has no 'u-i'; a minus needs blanks: u - i"),
        ("gird.p > 5", "column 1: the site has no device 'gird'; did you mean 'grid'?"),
        ("pcs.p > 5", "column 1: pcs is a kind: name a device, or take all of them: highest(pcs.p)"),
        ("spread(pv.p) > 5", "column 8: the site has no device of kind pv"),
        ("spread(bms.sok) > 5", "column 8: no device of kind bms has 'sok'; did you mean 'soc'?"),
        ("site.plan > 5", "column 1: the site has no 'plan'; did you mean 'plan_age'?"),
        ("cell_t_max > 45 V", "column 14: cell_t_max is in degC, and 45 V is no temperature"),
        ("min(u, i) > 5", "column 8: u is in V, and i (in A) is no voltage"),
        ("u * pcs-1.f > 3", "column 3: V times Hz has no unit here: u and pcs-1.f"),
        ("cell_t_max * 1.1 > 3", "column 12: degC times a plain number has no unit here"),
        ("cell_t_max + cell_t_min > 3", "column 12: two temperatures have no sum"),
        ("rate(cell_t_max, 60 s) > 1 K", "column 26: rate(cell_t_max, 60 s) is in K/s, and 1 K is no difference of"),
        ("rate(soc, 5 V) > 1", "column 11: 5 V is no time"),
        ("rate(soc) > 1", "column 1: rate takes 2 in its parentheses: write rate(x, span)"),
        ("rate(soc, 48 h) > 1", "column 11: a span is 1 s to 86400 s long, and 48 h is not"),
        ("projected(i, 7 min) > 5", "column 14: no window of the clock is 7 min long"),
        ("no_data(5 s)", "column 9: 5 s is no count of polls; write no_data(5)"),
        ("state == 'faul'", "column 10: state is never 'faul'; did you mean 'fault'?"),
        ("state == fault", "column 10: fault is the name of a state; write 'fault'"),
        ("state > 5", "column 1: state is a state, and > needs a number"),
        ("soc == 'full'", "column 1: soc is a number and says no names"),
        ("has(alarms, 'eop')", "column 13: alarms never holds 'eop'; did you mean 'epo'?"),
        ("alarms == 'epo'", "column 1: alarms is a list of flags; write has(alarms, 'name')"),
        ("soc", "column 1: soc is a number, and an alarm needs a condition, such as soc > 0"),
        ("not state", "column 5: state is a state, and `not` needs a condition, such as state == 'fault'"),
        ("5 > 3", "column 3: 5 > 3 looks at nothing"),
    ],
)
def test_a_mistake_is_said_with_its_column(text: str, words: str) -> None:
    with pytest.raises(Wrong) as wrong:
        watch_text(text, SITE.of("bms-1"))
    assert words in str(wrong.value)


def test_a_rule_without_a_device_says_whose_point_it_means() -> None:
    with pytest.raises(Wrong, match=r"column 1: whose p\? Write the device before it, such as meter\.p"):
        watch_text("p > 5", SITE)
    with pytest.raises(Wrong, match="archive is no device and sends no points"):
        watch_text("no_data(5)", SITE.of_service("archive"))


@pytest.mark.parametrize(
    ("rule", "own", "words"),
    [
        ({"point": "cell_t_max", "above": 45}, "bms-1", "cell_t_max > 45 degC"),
        ({"point": "cell_t_min", "below": -5.5}, "bms-1", "cell_t_min < -5.5 degC"),
        ({"point": "cell_t_spread", "above": 10}, "bms-1", "cell_t_spread > 10 K"),
        ({"point": "state", "equals": "fault"}, "bms-1", "state == 'fault'"),
        ({"point": "link", "equals": "degraded"}, "bms-1", "link == 'degraded'"),
        ({"point": "alarms", "contains": "*"}, "bms-1", "has(alarms)"),
        ({"point": "alarms", "contains": "fan"}, "bms-1", "has(alarms, 'fan')"),
        ({"no_data": 5}, "bms-1", "no_data(5)"),
        ({"silent": 60}, "bms-1", "silent(60 s)"),
        ({"when": "riso/u<500 and(soc>5)"}, "bms-1", "riso / u < 500 Ohm/V and soc > 5 %"),
        ({"when": "not(state=='off' or i*u>2kW)"}, "bms-1", "not (state == 'off' or i * u > 2 kW)"),
        ({"when": "rate(u, 5 min) > 1"}, "bms-1", "rate(u, 5 min) > 1 V/s"),
        ({"when": "count(soc>5, 60)>2"}, "bms-1", "count(soc > 5 %, 60 s) > 2"),
        ({"when": "state in (off, fault)"}, "bms-1", "state in ('off', 'fault')"),
        ({"when": "lag > 5 min"}, "@archive", "lag > 5 min"),
        ({"point": "state", "equals": "offline"}, "@archive", "state == 'offline'"),
    ],
)  # fmt: skip
def test_each_condition_is_an_expression(rule: dict[str, object], own: str, words: str) -> None:
    scope = SITE.of_service(own[1:]) if own.startswith("@") else SITE.of(own)
    one = AlarmRule.model_validate({"name": "r", "device": own.strip("@")} | rule)
    assert watch(one, scope).words == words == watch_text(words, scope).words


def test_what_a_watch_looks_at() -> None:
    found = watch_text("spread(bms.soc) > 10 % and riso_per_volt < 500 and site.plan_age > 5", SITE.of("bms-1"))
    own, other = "bms-1", "bms-2"
    assert found.reads == {(own, "soc"), (other, "soc"), (own, "riso"), (own, "u"), ("@site", "plan_age")}
    assert (found.timed, found.unit) == (False, "%")
    assert watch_text("soc > 5 and stuck(i, 60 s)", SITE.of("bms-1")).timed


def test_a_deadband_moves_the_limit_of_an_active_alarm() -> None:
    story, rule = Story(), {"name": "r", "device": "bms-1", "deadband": 2.0}
    band = watch(AlarmRule.model_validate(rule | {"when": "u > 820 V or 0.78 kV > u or i > 5 A"}), SITE.of("bms-1"))
    for u, i, calm, active in (
        (819, 0, False, True),
        (818, 0, False, False),
        (781, 0, False, True),
        (800, 4, False, False),
    ):
        story.hear({"bms-1.u": float(u), "bms-1.i": float(i)})
        assert (story.look(band).wrong, story.look(band, active=True).wrong) == (calm, active)
    with pytest.raises(Wrong, match="a deadband is a distance from a limit"):
        watch(AlarmRule.model_validate(rule | {"when": "state == 'fault'"}), SITE.of("bms-1"))


def test_the_examples_of_the_manual() -> None:
    scope = Scope({"bms-1": BMS, "bms-2": BMS, "meter": METER, "pcs-1": PCS})
    for text in EXAMPLES:
        assert watch_text(text, scope.of("meter" if text.startswith("projected") else "bms-1")).words == text
    assert all(f"`{name}`" in EXPRESSIONS for name in ("kWh", "site.plan_age", "unanswered", "rate(x, span)"))


def test_the_scope_of_a_site() -> None:
    scope = Scope.of_site(load_site(Path(__file__).parents[1] / "one_battery.toml"))
    found = watch_text(
        "meter.p - site.import_limit > 2 kW and highest(bms.cell_t_max) > 40 and soc > 5", scope.of("bms")
    )
    assert found.reads == {("meter", "p"), ("@site", "import_limit"), ("bms", "cell_t_max"), ("bms", "soc")}
    assert (scope.poll("meter"), scope.patience(("meter", "p")), str(scope.zone)) == (0.5, 5.0, "Europe/Berlin")


When = list[tuple[float, float, Readings]]
"""From a second to another, these readings each second."""
Seen = dict[float, bool | None]


def heat(begin: int, end: int) -> When:
    return [(second, second, {"bms-1.cell_t_max": 20.0 + second / 8}) for second in range(begin, end)]


@pytest.mark.parametrize(
    ("text", "when", "seen"),
    [
        ("rate(cell_t_max, 60 s) >= 0.1 K/s", heat(0, 90), {59: None, 62: True, 89: True}),
        ("rate(cell_t_max, 1 min) >= 0.2 K/s", heat(0, 90), {62: False}),
        ("rate(cell_t_max, 60 s) > 0.1 K/s", [*heat(0, 70), *heat(80, 143)], {69: True, 79: None, 142: True}),
        (
            "rate(cell_t_max, 60 s) >= 0.1 K/s",  # one reading that nobody believes
            [*heat(0, 70), (70, 70, {"bms-1.cell_t_max": None}), *heat(71, 80)],
            {69: True, 70: None, 71: True},
        ),
        (
            "stuck(soc, 20 s)",
            [(0, 24, {"bms-1.soc": 5.0}), (25, 50, {"bms-1.soc": 6.0})],
            {19: None, 20: True, 25: False, 44: False, 45: True},
        ),
        (
            "stuck(state, 20 s)",
            [(0, 5, {"bms-1.state": "off"}), (20, 45, {"bms-1.state": "off"})],
            {39: None, 40: True},
        ),
        (
            "count(state == 'fault', 60 s) >= 3",
            [(s, s, {"bms-1.state": "fault" if s % 10 == 5 and s < 40 else "off"}) for s in range(120)],
            {24: None, 25: True, 64: True, 74: True, 75: False},
        ),
        (
            "count(state == 'fault', 10 s) >= 1",  # it was so when we began: nobody saw it come
            [(s, s, {"bms-1.state": "fault"}) for s in range(20)],
            {5: None, 10: False},
        ),
        ("no_data(5)", [(3, 4, {"bms-1.soc": 5.0})], {2: None, 3: False, 9: False, 10: True}),
        ("silent(10 s)", [(30, 30, {"bms-1.soc": 5.0})], {10: None, 11: True, 30: False}),
        ("soc > 5", [(0, 0, {"bms-1.soc": 6.0})], {5: True, 6: None}),
        ("cell_u_max > 3.5", [(0, 0, {"bms-1.cell_u_max": 3.6})], {150: True, 151: None}),
        ("link == 'offline'", [(0, 0, {"bms-1.link": "offline"})], {1000: True}),
    ],
)  # fmt: skip
def test_what_looks_back(text: str, when: When, seen: Seen) -> None:
    story, one = Story(), watch_text(text, SITE.of("bms-1"))
    found: Seen = {}
    for second in range(int(max(seen)) + 1):
        story.second = float(second)
        for begin, end, readings in when:
            if begin <= second <= end:
                story.hear(readings)
        found[second] = story.look(one).wrong
    assert {second: found[second] for second in seen} == seen


def projection(powers: Mapping[int, float], steps: Mapping[int, int], until: int) -> dict[int, float | None]:
    """What is projected of the power in kW, second by second from noon; `steps` of the wall clock in s."""
    story, one = Story(), watch_text("projected(p, 15 min) > 100 kW", SITE.of("pcs-1"))
    found: dict[int, float | None] = {}
    for second in range(until):
        story.second = float(second)
        story.step += timedelta(seconds=steps.get(second, 0))
        power = next(power for since, power in reversed(list(powers.items())) if since <= second)
        story.hear({"pcs-1.p": power * 1e3})
        value = story.look(one).value
        found[second] = value / 1e3 if isinstance(value, float) else None
    return found


def test_a_window_of_the_clock() -> None:
    found = projection({0: 50.0, 600: 300.0}, {}, 970)
    assert (found[59], found[60]) == (None, 50.0)
    assert found[600] == 50.0  # one reading alone proves nothing
    assert found[601] == pytest.approx((50 * 600 + 300 * 300) / 900)
    assert found[750] == pytest.approx((50 * 600 + 300 * 300) / 900)  # what came is what was projected
    assert (found[959], found[960]) == (None, 300.0)  # the next window begins anew


@pytest.mark.parametrize(
    ("step", "then"),
    [
        (10, {101: (50 * 111 + 80 * 789) / 900}),  # in the same window: the mean so far holds
        (300, {101: None, 599: None, 661: 80.0}),  # most of what is over was not seen, until the next window
        (3600, {101: None, 799: None, 861: None, 960: 80.0}),  # another one: nothing of it was seen
        (-60, {101: (50 * 41 + 80 * 859) / 900}),
        (-7200, {101: None, 861: None, 960: 80.0}),
    ],
)
def test_a_step_of_the_clock(step: int, then: dict[int, float | None]) -> None:
    found = projection({0: 50.0, 100: 80.0}, {100: step}, 970)
    for second, power in then.items():
        assert found[second] == (power if power is None else pytest.approx(power, rel=0.01))


def test_time_in_which_nobody_could_be_heard_is_no_silence() -> None:
    story, one = Story(), watch_text("silent(10 s)", SITE.of("bms-1"))
    story.hear({"bms-1.soc": 5.0})
    story.second = 30.0
    assert story.look(one)[:3] == (True, 30.0, 10.0)
    story.latest.heard_nothing(BEGIN + 2, BEGIN + 29)  # the broker stood still
    assert story.look(one)[:2] == (False, 3.0)
    story.latest.deaf(BEGIN + 30)
    assert story.look(one).wrong is None
    story.second = 41.0
    assert story.look(one)[:2] == (True, 11.0)


def test_what_is_sent_late_says_nothing_of_now() -> None:
    story, one = Story(), watch_text("soc > 5", SITE.of("bms-1"))
    old = Telemetry(at=NOON, epoch="0" * 16, seq=1, historical=True, values={"soc": 6.0})
    story.latest.hear("bms-1", old, BEGIN)
    story.latest.hear("nobody", old, BEGIN)
    assert story.look(one).wrong is None


def test_the_rules_of_the_benchmark_are_judged() -> None:
    found = evaluate(seconds=3, devices=2)
    assert list(found) == ["cpu_share_10000_rules", "cpu_us_per_evaluation", "bare_loop_us_per_evaluation"]
    assert all(value > 0 for value in found.values())


@pytest.mark.parametrize("name", sorted(file.stem for file in PROFILES.glob("*.toml")))
def test_each_shipped_rule_that_fits_a_device_is_an_expression(name: str) -> None:
    """Of each shipped profile: the units and states of its points are known here."""
    device = load_profile(name)
    scope = Scope({"it": device}).of("it")
    rules = [rule for rule in CATALOG.rules if rule.kind is device.kind and missing(rule, device) is None]
    rules = [rule for rule in rules if unsaid(rule, "it", scope) is None]
    assert rules
    for rule in rules:
        found = watch(for_device(rule, "it"), scope)
        assert watch_text(found.words, scope).words == found.words
        assert found.look(Latest(scope, BEGIN), BEGIN, NOON, False).wrong is None
