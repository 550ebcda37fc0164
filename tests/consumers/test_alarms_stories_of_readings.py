# ruff: noqa: E501  # a table
"""What a rule makes of readings that nobody can believe, and of those that everybody must."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_rules import SURELY, shipped
from bridges.control.interlocks import Memory as LockMemory
from bridges.control.interlocks import judge
from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import watch
from consumers.alarms.rules import Around, Memory, Now, follow
from schemas.interlock import InterlockRule
from schemas.messages import Telemetry
from schemas.site_alarm import AlarmRule
from schemas.site_file import load_site
from tests.consumers.test_alarms_catalog import NOT_TOLD_YET
from tests.consumers.test_alarms_expression import BEGIN, BMS, NOON, SITE, Story

Says = Callable[[int], float | None]
"""What is read in a second; None: nothing, or nothing that is believed."""
RISE = next(rule for rule in load_catalog().rules if rule.name == "cell_temperature_rise")
HEATS_UP = next(rule for rule in shipped() if rule.name == "cell_heats_up")


def raised(rule: AlarmRule, point: str, says: Says, poll: int, until: int) -> int | None:
    """When an alarm is, looked at once a second, as the service does."""
    scope = Scope({"bms-1": BMS}, {"bms-1": float(poll)}).of("bms-1")
    story, one = Story(scope), watch(rule.model_copy(update={"device": "bms-1", "kind": None}), scope)
    memory = Memory()
    for second in range(until):
        story.second = float(second)
        value = says(second) if second % poll == 0 else None
        if value is not None:
            story.hear({f"bms-1.{point}": value})
        if value is not None or one.timed:
            memory = follow(rule, memory, story.look(one), Now(BEGIN + second, NOON))
        if memory.active:
            return second
    return None


def acts(rule: InterlockRule, says: Says, poll: int, until: int) -> int | None:
    """When an interlock does; it looks each half second, and a value is fresh for two polls and a half."""
    lock = Interlock("it", rule, "bms", (str(rule.point),), every=SURELY * poll)
    memory, held, known = LockMemory(), 0.0, -1000.0
    for half in range(2 * until):
        second, again = divmod(half, 2)
        if not again and second % poll == 0 and (value := says(second)) is not None:
            held, known = value, second
        fresh = held if half / 2 - known <= 2.5 * poll else None
        judged = judge([lock], memory, lambda *_, fresh=fresh: fresh, half / 2)
        memory = judged.memory
        if any(one.state == "active" for one in judged.acting):
            return second
    return None


def only(**other: float | None) -> Says:
    """25 degC, but in `s100` or from `s100_120` on something else."""
    spans = [([int(part) for part in key[1:].split("_")], value) for key, value in other.items()]

    def says(second: int) -> float | None:
        for span, value in spans:
            if span[0] <= second <= span[-1]:
                return value
        return 25.0

    return says


def fire(speed: float, begin: int = 100, noise: float = 0.0, but: Says = lambda _: None) -> Says:
    """K/s from `begin` on."""
    random = Random(4)
    jitter = [random.uniform(-noise, noise) for _ in range(400)]
    return lambda second: but(second) or round(25.0 + min(90.0, max(0, second - begin) * speed) + jitter[second], 2)


@pytest.mark.parametrize(
    ("says", "poll", "first", "last"),
    [
        pytest.param(only(s100=31.0), 1, None, None, id="a glitch of 6 K"),
        pytest.param(only(s100=119.0), 1, None, None, id="a spike"),
        pytest.param(only(s100=119.0, s103=60.0, s130=40.0), 1, None, None, id="several spikes"),
        pytest.param(lambda second: 25.0 + 9.0 * (second > 100 and second % 2), 1, None, None, id="every other reading"),
        pytest.param(only(s100=0.0), 1, None, None, id="0 for once"),
        pytest.param(only(s100_120=0.0), 1, None, None, id="0 for 20 s"),
        pytest.param(only(s100_150=-40.0), 1, None, None, id="-40 for 50 s"),
        pytest.param(only(s100_300=-40.0), 1, None, None, id="-40 for good"),
        pytest.param(only(s100_200=0.0), 1, 220, 240, id="0 for longer than a span: nobody knows what was before"),
        pytest.param(only(s100_130=None), 1, None, None, id="327.67, which no profile believes"),
        pytest.param(only(s0_5=0.0), 1, None, None, id="a device that begins with 0"),
        pytest.param(only(s100_130=None, s131_300=28.0), 1, None, None, id="a gap, then warmer"),
        pytest.param(fire(0.0, noise=2.5), 1, None, None, id="noise of the converter"),
        pytest.param(fire(0.05, noise=0.5), 1, None, None, id="a warm charge"),
        pytest.param(lambda second: 25.0 + second // 12, 1, None, None, id="whole degrees, slowly"),
        pytest.param(only(s100_300=32.0), 1, 106, 106, id="a step that stays"),
        pytest.param(fire(0.1), 1, 160, 162, id="0.1 K/s"),
        pytest.param(fire(0.12, noise=0.3), 1, 150, 165, id="0.12 K/s with noise"),
        pytest.param(fire(1.0), 1, 106, 108, id="1 K/s"),
        pytest.param(fire(10.0), 1, 101, 103, id="10 K/s"),
        pytest.param(fire(1.0, but=lambda s: 99.0 if s == 80 else None), 1, 106, 108, id="a spike before it"),
        pytest.param(fire(1.0, but=lambda s: 0.01 if 60 <= s < 80 else None), 1, 106, 108, id="a failed sensor before it"),
        pytest.param(only(s100=45.0), 20, None, None, id="a spike, read each 20 s"),
        pytest.param(fire(0.12), 20, 140, 200, id="0.12 K/s, read each 20 s"),
        pytest.param(only(s100_104=119.0), 1, None, None, id="a spike, said for 5 s by a BMS that measures as seldom"),
        pytest.param(fire(1.0, but=lambda s: 99.0 if 60 <= s < 65 else None), 1, 106, 108, id="such a spike before it"),
        pytest.param(lambda s: float(round(fire(0.2)(s // 5 * 5) or 0)), 1, 130, 136, id="whole degrees, measured each 5 s"),
        pytest.param(lambda s: fire(0.5)(s) if s % 40 >= 12 else None, 1, 110, 120, id="12 of 40 readings are lost"),
        pytest.param(lambda s: fire(0.5)(s) if s % 9 == 0 else None, 1, 112, 126, id="read in the bridge's back-off"),
        pytest.param(fire(1.0), 90, 270, 270, id="read each 90 s"),
        pytest.param(fire(1.0, begin=0), 1, 10, 20, id="a start in mid-fire"),
    ],
)  # fmt: skip
def test_a_rise_is_carried_by_more_than_one_reading(says: Says, poll: int, first: int | None, last: int | None) -> None:
    """The alarm at once, the interlock of the bridge after its hold of 5 s."""
    alarm, lock = raised(RISE, "cell_t_max", says, poll, 300), acts(HEATS_UP, says, poll, 300)
    if first is None or last is None:
        assert (alarm, lock) == (None, None)
        return
    assert alarm in range(first, last + 1)
    assert lock in range(first, last + int(HEATS_UP.hold + 1.5 * poll) + 1)


def rule_of(text: str, on_delay: float = 0.0) -> AlarmRule:
    return AlarmRule(name="it", device="bms-1", when=text, on_delay=on_delay)


@pytest.mark.parametrize(
    ("rule", "says", "poll", "first", "last"),
    [
        pytest.param(rule_of("stuck(u, 60 s)"), lambda s: 25.0 + s % 2 * 0.01, 1, None, None, id="noise is not stuck"),
        pytest.param(rule_of("stuck(u, 60 s)"), only(s100=26.0), 1, 60, 60, id="stuck"),
        pytest.param(rule_of("stuck(u, 60 s)"), float, 100, None, None, id="not read again is not stuck"),
        pytest.param(rule_of("stuck(u, 60 s)"), only(), 100, 100, 100, id="read again and the same"),
        pytest.param(rule_of("projected(i, 5 min) > 30 A"), only(s100=900.0), 1, None, None, id="a spike does not stay"),
        pytest.param(rule_of("projected(i, 5 min) > 30 A", 10.0), only(s120=90.0), 20, None, None, id="nor one that holds for 20 s"),
        pytest.param(rule_of("projected(i, 5 min) > 30 A"), only(s100_300=40.0), 1, 101, 101, id="a load that stays"),
        pytest.param(rule_of("projected(i, 5 min) > 30 A"), only(s100_300=40.0), 20, 120, 120, id="a load that stays, read each 20 s"),
        pytest.param(rule_of("deviation(u, 25 V) > 5 V", 3.0), only(s100=60.0), 10, None, None, id="a spike, read seldom"),
        pytest.param(rule_of("deviation(u, 25 V) > 5 V", 3.0), only(s100_300=60.0), 10, 110, 110, id="two readings"),
        pytest.param(rule_of("rate(u, 60 s) < -0.1 V/s"), only(s100=0.0), 1, None, None, id="a fall for once"),
        pytest.param(rule_of("rate(u, 60 s) < -0.1 V/s"), only(s100_300=0.0), 1, 106, 106, id="a fall that stays"),
        pytest.param(rule_of("rate(u, 60 s) > 1 V/s"), lambda s: s * 5.0 % 1000, 1, 13, 30, id="a counter"),
        pytest.param(rule_of("rate(u, 60 s) > 10 V/s"), lambda s: s * 5.0 % 1000, 1, None, None, id="a counter that begins anew"),
    ],
)  # fmt: skip
def test_what_looks_back_believes_no_single_reading(
    rule: AlarmRule, says: Says, poll: int, first: int | None, last: int | None
) -> None:
    point = "i" if "(i," in str(rule.when) else "u"
    found = raised(rule, point, says, poll, 290)
    assert found is None if first is None or last is None else found in range(first, last + 1)


def test_what_is_sent_late_is_no_reading() -> None:
    story, one = Story(), watch(RISE.model_copy(update={"device": "bms-1", "kind": None}), SITE.of("bms-1"))
    seen = set()
    for second in range(200):
        story.second = float(second)
        story.hear({"bms-1.cell_t_max": 25.0})
        late = Telemetry(at=NOON, epoch="0" * 16, seq=1, historical=True, values={"cell_t_max": 25.0 + second})
        story.latest.hear("bms-1", late, BEGIN + second)
        seen.add(story.look(one).wrong)
    assert seen == {None, False}


def test_each_shipped_rule_believes_no_single_number() -> None:
    """What has no on-delay looks at words, at what is said of the site, or back."""
    scope = Scope({"it": BMS})
    at_once = [rule for rule in load_catalog().rules if not rule.on_delay and not rule.seconds]
    numbers = {rule.name for rule in at_once if rule.above is not None or rule.below is not None}
    reads = {rule.name: watch(rule.model_copy(update={"device": "it", "kind": None}), scope.of("it")).reads
             for rule in at_once if rule.when is not None and rule.name not in NOT_TOLD_YET}  # fmt: skip
    numbers |= {name for name, places in reads.items() if any(point in BMS.points for _, point in places)}
    assert numbers == {RISE.name}


def test_cells_are_compared_at_rest() -> None:
    """With a high current they are apart by their resistance: 20 kW is a tenth of 200 kWh in an hour."""
    site = load_site(Path(__file__).parents[1] / "one_battery.toml")
    rule = watched(site, load_catalog()).rules["cell_voltage_spread-bms"]
    assert rule.when == "given(cell_u_spread, abs(i * u) < 20000 W) > 0.3 V"
    story, one = Story(Scope.of_site(site)), watch(rule, Scope.of_site(site).of("bms"))
    memory, seen = Memory(), []
    for second in range(2000):
        current = 60.0 if second < 500 or second >= 1000 else 2.0
        apart = 0.4 if second < 1200 else 0.1
        story.second = float(second)
        story.hear({"bms.i": current, "bms.u": 750.0, "bms.cell_u_max": 3.2 + apart, "bms.cell_u_min": 3.2})
        before, memory = memory, follow(rule, memory, story.look(one), Now(BEGIN + second, NOON), Around(gap=5.0))
        if before.active != memory.active:
            seen.append((second, memory.active))
    assert seen == [(800, True)], "and it ends at rest alone"
