"""What readings, steps and trials tell: tables of stories."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from joulebus.commission.findings import GOOD, OPEN, WRONG, Finding, Step, dead_time, judge
from joulebus.commission.report import report
from joulebus.commission.surroundings import beside
from joulebus.commission.trace import Response, energy, reached, response, rise
from joulebus.commission.trials import Full, Hold, Silence, full_power, ramp, share, watchdog
from joulebus.commission.walk import alone
from joulebus.shipped_sites import SITES
from schemas.messages import Value
from schemas.site_file import load_site

SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")
Trace = list[tuple[float, float]]


def steady(power: float, seconds: float = 20.0, each: float = 0.5) -> Trace:
    return [(n * each, power) for n in range(int(seconds / each) + 1)]


def ramped(dead: float, ramp_: float, power: float, each: float = 0.05, seconds: float = 12.0) -> Trace:
    """A device that begins after `dead` s and goes on at `ramp_` W/s."""
    sign = 1 if power > 0 else -1
    return [
        (n * each, sign * min(abs(power), max(0.0, n * each - dead) * ramp_)) for n in range(1, int(seconds / each) + 1)
    ]


@pytest.mark.parametrize("power", [5000.0, -5000.0])
@pytest.mark.parametrize(("dead", "slope"), [(0.0, 2000.0), (0.5, 2000.0), (3.0, 5000.0), (1.0, 1000.0)])
def test_dead_time_and_ramp_are_told_apart(dead: float, slope: float, power: float) -> None:
    found = response(ramped(dead, slope, power), 0.0, power)
    assert found.dead_time == pytest.approx(dead, abs=0.1)
    assert found.ramp == pytest.approx(slope, rel=0.1)


@pytest.mark.parametrize(
    ("trace", "before", "dead", "gap"),
    [
        ([(0.1, 0.0), (0.2, 5000.0), (0.3, 5000.0)], 0.0, 0.2, 0.1),
        ([(0.1, 5000.0), (0.2, 5000.0)], 0.0, 0.1, 0.1),
        ([(0.1, 1000.0), (0.6, -49_000.0), (0.7, -49_000.0)], 1000.0, 0.6, 0.5),
        ([(0.1, 0.0), (5.0, 100.0)], 0.0, None, 0.0),
        ([], 0.0, None, 0.0),
    ],
    ids=["at once", "at the first look", "ten times and backwards", "nothing moved", "nothing read"],
)
def test_a_device_that_follows_at_once_has_no_ramp(trace: Trace, before: float, dead: float | None, gap: float) -> None:
    found = response(trace, before, 5000.0)
    assert (found.dead_time, found.ramp) == (dead, None)
    assert found.gap == pytest.approx(gap)


def test_the_area_under_the_readings_is_the_energy() -> None:
    assert energy(steady(3600.0, 10.0)) == pytest.approx(10.0)
    assert energy([(0.0, 0.0), (2.0, -3600.0)]) == pytest.approx(-1.0)
    assert energy([(0.0, 100.0)]) == 0.0


def test_gone_is_what_stays_gone() -> None:
    assert reached([(0, 5000), (1, 100), (2, 5000), (3, 90), (4, -90)], 1000) == 3
    assert reached([(0, 5000), (1, 100), (2, -5000)], 1000) is None


# --- steps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meter", "noise", "verdicts"),
    [
        ((-5000.0, 5000.0), 10.0, [GOOD, GOOD]),
        ((5000.0, -5000.0), 10.0, [WRONG, GOOD]),
        ((-500.0, 500.0), 10.0, [GOOD, WRONG]),
        ((0.0, 0.0), 10.0, [WRONG]),
        ((-5000.0, 5000.0), 4000.0, [OPEN]),
    ],
    ids=["right", "inverted", "a tenth", "somewhere else", "the load moves"],
)
def test_what_a_step_tells_of_the_meter(meter: tuple[float, float], noise: float, verdicts: list[str]) -> None:
    steps = [
        Step(wish, {"pcs": wish, "bms": wish * 1.02, "meter": seen}, noise, {})
        for wish, seen in zip((5000.0, -5000.0), meter, strict=True)
    ]
    assert [one.verdict for one in judge(SITE, steps) if one.device == "meter"] == verdicts


LARGE = load_site(SITES / "large.toml")


@pytest.mark.parametrize(
    ("shares", "verdicts"),
    [
        ((0.5, 0.5), {"bms3": GOOD, "bms4": GOOD, "bms3+bms4": GOOD}),
        ((0.9, 0.1), {"bms3": GOOD, "bms4": GOOD, "bms3+bms4": GOOD}),
        ((0.5, -0.5), {"bms3": GOOD, "bms4": WRONG, "bms3+bms4": WRONG}),
        ((1.0, 0.0), {"bms3": GOOD, "bms4": OPEN, "bms3+bms4": GOOD}),
        ((5.0, 5.0), {"bms3": GOOD, "bms4": GOOD, "bms3+bms4": GOOD}),
    ],
    ids=["alike", "one carries more", "one backwards", "one is out", "ten times"],
)
def test_racks_follow_together_and_each_in_its_direction(shares: tuple[float, float], verdicts: dict[str, str]) -> None:
    depot = alone(LARGE, next(one for one in LARGE.units if one.name == "depot"))
    moved = [{"pcs3": p, "bms3": shares[0] * p, "bms4": shares[1] * p, "meter": -p} for p in (6500.0, -6500.0)]
    steps = [Step(one["pcs3"], one, 0.0, {}, Response(0.1, 0.05)) for one in moved]
    found = judge(depot, steps)
    assert {one.device: one.verdict for one in found if one.check == "sign" and "bms" in one.device} == verdicts
    scale = next((one.verdict for one in found if (one.device, one.check) == ("bms3+bms4", "scale")), None)
    assert scale == (WRONG if sum(shares) > 2 else None if verdicts["bms3+bms4"] == WRONG else GOOD)


def test_a_hybrid_alone_sees_its_cells() -> None:
    office = alone(LARGE, next(one for one in LARGE.units if one.name == "office"))
    steps = [Step(p, {"hybrid": p, "meter": -p}, 0.0, {}, Response(0.1, 0.05)) for p in (500.0, -500.0)]
    assert {one.device: one.verdict for one in judge(office, steps)} == {"hybrid": GOOD, "meter": GOOD}


# --- what stands beside --------------------------------------------------------------------------------

BESIDE: dict[str, dict[str, Value]] = {
    "meter": {"p": 50e3}, "roof": {"p": 75e3}, "carport": {"p": 40e3}, "facade": {"p": 0.0}, "pcs1": {"p": 0.0},
    "pcs2": {"p": 0.0}, "pcs3": {"p": 0.0}, "hybrid": {"p": 0.0, "pv_p_1": 0.0, "pv_p_2": 0.0}, "cooling": {"p": 30e3},
    "box": {"inputs": ["di_1", "di_4"]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "device", "check", "verdict"),
    [
        ({}, "meter", "balance", GOOD),
        ({"meter": {"p": -150e3}}, "meter", "balance", WRONG),
        ({"roof": {"p": -75e3}}, "roof", "sign at rest", WRONG),
        ({"roof": {"p": -100.0}}, "roof", "sign at rest", GOOD),
        ({"cooling": {"p": -30e3}}, "cooling", "sign at rest", WRONG),
        ({"pcs1": {}}, "meter", "balance", OPEN),
        ({"meter": {}}, "meter", "balance", OPEN),
        ({"box": {}}, "box", "signal", WRONG),
        ({"box": {"inputs": []}}, "box", "signals", OPEN),
    ],
    ids=["right", "the meter backwards", "PV backwards", "PV at night", "a load backwards", "a PCS is not read",
         "the meter is not read", "the box is not read", "all contacts open"],
)  # fmt: skip
def test_what_stands_beside_the_batteries_is_judged_at_rest(
    change: dict[str, dict[str, Value]], device: str, check: str, verdict: str
) -> None:
    found = [one for one in beside(LARGE, BESIDE | change) if (one.device, one.check) == (device, check)]
    assert {one.verdict for one in found} == {verdict}, found


@pytest.mark.parametrize(
    ("times", "measured", "verdict"),
    [
        ((0.2, 0.4), 0.4, GOOD),
        ((0.2, 3.0), 3.0, WRONG),
        ((0.2, None), None, WRONG),
    ],
    ids=["quick", "slower than the site file says", "it did not follow"],
)
def test_the_longest_dead_time_counts(times: tuple[float, float | None], measured: float | None, verdict: str) -> None:
    steps = [Step(5000.0, {"pcs": 5000.0}, 0.0, {}, Response(one, 0.05)) for one in times]
    assert dead_time(steps) == measured
    site = SITE.model_copy(update={"battery": [SITE.battery[0].model_copy(update={"dead_time": 1.0})]})
    (found,) = [one for one in judge(site, steps) if one.check == "dead time"]
    assert (found.verdict, found.limit) == (verdict, "at most battery.dead_time, 1 s")


# --- full power ----------------------------------------------------------------------------------------


def held(power: float, lost: float, *, seconds: float = 20.0, step: float = 100.0) -> Hold:
    """A hold in which `lost` W do not arrive on the other side."""
    return Hold(power, steady(power, seconds), steady(power + lost, seconds), step, step, {})


@pytest.mark.parametrize(
    ("trials", "verdicts"),
    [
        ([Full(1e5, held(1e5, 2500)), Full(-1e5, held(-1e5, 2500))], [GOOD, GOOD, GOOD]),
        ([Full(1e5, held(9e4, 2500)), Full(-1e5, held(-1e5, 2500))], [WRONG, GOOD, GOOD]),
        ([Full(1e5, ended="site:grid leaves +20.0 kW"), Full(-1e5, held(-1e5, 2500))], [OPEN, GOOD]),
        ([Full(1e5, held(1e5, 8000)), Full(-1e5, held(-1e5, 8000))], [GOOD, GOOD, WRONG]),
        ([Full(1e5, held(1e5, -3000)), Full(-1e5, held(-1e5, -3000))], [GOOD, GOOD, WRONG]),
        ([Full(1e5, held(1e5, 2500, seconds=1)), Full(-1e5, held(-1e5, 2500))], [GOOD, GOOD, OPEN]),
        ([Full(1e5, held(1e5, 2500, step=9000)), Full(-1e5, held(-1e5, 2500, step=9000))], [GOOD, GOOD, OPEN]),
    ],
    ids=["right", "too little", "not tried", "losses", "more than went in", "too short", "too coarse"],
)
def test_what_full_power_tells(trials: list[Full], verdicts: list[str]) -> None:
    assert [one.verdict for one in full_power(SITE, trials)] == verdicts


def test_too_short_to_tell_is_said() -> None:
    found = full_power(SITE, [Full(1e5, held(1e5, 2500, seconds=1)), Full(-1e5, held(-1e5, 2500))])
    assert found[-1].check == "round trip"
    assert found[-1].measured.startswith("too short to tell")


def test_counters_count_when_they_have_gone_far_enough() -> None:
    """555 Wh in steps of 1 Wh are better than 40 readings; in steps of 100 Wh they are not."""
    ac, dc = steady(1e5), steady(1.1e5)
    fine = share(Hold(1e5, ac, dc, 100, 100, {"ac": (555.0, 1.0), "dc": (569.0, 1.0)}))
    assert fine is not None
    assert fine.counted
    assert fine.value == pytest.approx(555 / 569)
    coarse = share(Hold(1e5, ac, dc, 100, 100, {"ac": (600.0, 100.0), "dc": (569.0, 1.0)}))
    assert coarse is not None
    assert not coarse.counted
    assert coarse.value == pytest.approx(1 / 1.1)
    one_side = share(Hold(1e5, ac, dc, 100, 100, {"dc": (569.0, 1.0)}))
    assert one_side is not None
    assert not one_side.counted, "two clocks would be compared"


@pytest.mark.parametrize(
    ("told", "slope", "verdict"),
    [(2e4, 1e6, GOOD), (2e4, 2e4, GOOD), (2e4, 1e4, WRONG), (1e9, 1e9, GOOD), (1e9, 5e3, WRONG)],
    ids=["quick", "just as told", "half of it", "a step at once", "a step that takes its time"],
)  # fmt: skip
def test_a_ramp_is_held_against_what_was_told(told: float, slope: float, verdict: str) -> None:
    seconds = [rise(ramped(0.0, min(told, one), 1e5, each=0.25, seconds=30.0), 0.0, 1e5) for one in (told, slope)]
    assert ramp(SITE, Full(1e5, told=seconds[0], rise=seconds[1], tick=0.25)).verdict == verdict


# --- the watchdog ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("silence", "verdict"),
    [
        (Silence(10.0, 10.4, 12.0), GOOD),
        (Silence(10.0, 0.5, 12.0), GOOD),
        (Silence(10.0, 12.5, 14.0), WRONG),
        (Silence(60.0, 70.0, 75.0), GOOD),
        (Silence(10.0, None, 30.0), WRONG),
    ],
    ids=["in time", "at once", "late", "a fifth of a long time", "it goes on"],
)
def test_a_watchdog_bites_in_its_time(silence: Silence, verdict: str) -> None:
    assert watchdog(SITE, silence).verdict == verdict


# --- the report ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ([GOOD, GOOD], "**passed**"),
        ([GOOD, WRONG], "**not passed: 1 wrong, 0 not decided**"),
        ([OPEN, WRONG], "**not passed: 1 wrong, 1 not decided**"),
    ],
)
def test_the_report_has_the_limit_beside_what_was_measured(verdicts: list[str], says: str) -> None:
    findings = [Finding("pcs", "scale", verdict, "1.02", "1.00, 15%") for verdict in verdicts]
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    text = report(SITE, findings, noon, ["A note."], dead_time=0.31)
    assert says in text
    assert "| device | check | verdict | measured | limit |" in text
    assert f"| pcs | scale | {verdicts[0]} | 1.02 | 1.00, 15% |" in text
    assert "For `[battery]` in the site file, in s: `dead_time = 0.4`" in text, "rounded up"
    assert "dead_time" not in report(SITE, findings, noon, [])


def test_the_report_names_the_battery_it_is_about() -> None:
    demo = load_site(Path(__file__).parents[2] / "site.toml")
    yard = alone(demo, demo.units[1])
    text = report(yard, [], datetime(2026, 6, 1, 12, tzinfo=UTC), [], dead_time=0.31)
    assert text.startswith("# Commissioning of Demo site, battery yard\n")
    assert "For `[[battery]]` yard in the site file, in s: `dead_time = 0.4`" in text
    one_of_two = report(yard, [], datetime(2026, 6, 1, 12, tzinfo=UTC), [], dead_time=0.31, unit="yard-pcs2")
    assert one_of_two.startswith("# Commissioning of Demo site, battery yard-pcs2\n")
    assert "For `[[battery]]` yard in the site file" in one_of_two
