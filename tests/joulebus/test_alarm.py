"""`joulebus alarm`, as a person types it: over the real broker and service, and out of an archive."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alarms.figures import telling
from consumers.alarms.figures.live import Live
from consumers.alarms.figures.telling import tell
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.alarm import bus as alarm_bus
from joulebus.alarm.chart import chart
from joulebus.alarm.known import rules_of
from joulebus.alarm.listing import ordered
from joulebus.alarm.next_step import next_step
from joulebus.alarm.spans import whole
from joulebus.cli import main
from runtime.alarm_words import happened, lasting, measured
from runtime.bus import Bus
from runtime.database import engine
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.alarm_figures import AlarmFigure, AlarmFigures, AlarmWatch, FrequentAlarm, LastingAlarm, Verdict
from schemas.messages import Alarm, AlarmPriority, AlarmRequest, Notified, RequestOutcome, Telemetry
from schemas.site_file import load_site
from schemas.site_shifts import THREE
from schemas.topics import (
    ALARM,
    ALARM_FIGURES,
    ALARM_MAINTENANCE,
    ALARM_OUTCOME,
    ALARM_REQUEST,
    ALARM_WATCHED,
    NOTIFY_TOLD,
    TELEMETRY,
)
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.alarm_journal import BEGIN, Change, S, change, day
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_alarms_service import Plant, on_the_bus, running
from tests.ear import ear

ROOT = Path(__file__).parents[2]
RULES = """
[[alarm]]
name = "warm"
device = "bms1"
point = "cell_t_max"
above = 30
deadband = 2
on_delay = 0.2
priority = "high"
cause = "The battery is warm."
consequence = "It ages faster."
response = "Open a window."
time_to_respond = 600
group = "heat"
suppressed_by = ["bms_silent"]
[[alarm]]
name = "flat"
device = "bms1"
point = "soc"
below = 20
priority = "low"
response = "Charge it."
"""
Told = tuple[int, str, str]
Run = Callable[..., Told]


@pytest.fixture
def run(tmp_path: Path, site_name: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, what was said, and what was said of mistakes; wrong usage ends as argparse ends it."""
    file = small_site(tmp_path, site_name, RULES)

    def typed(*words: str) -> Told:
        try:
            code = main([*words[:2], "--site", str(file), *words[2:]])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


# --- on the bus ---------------------------------------------------------------------------------------


async def test_an_operator_lists_acknowledges_and_shelves(
    broker: Broker, site_name: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBUS_BROKER", broker.url("operator"))

    async def typed(*words: str) -> Told:
        return await asyncio.to_thread(run, "alarm", *words)

    async with (
        ear(broker.url("archive"), ALARM.at(site=site_name), ALARM_WATCHED.at(site=site_name)) as archive_hears,
        ear(broker.url("admin"), *(one.at(site=site_name) for one in (ALARM, ALARM_REQUEST, ALARM_FIGURES))) as hears,
        on_the_bus(broker, "bridge") as bridge,
        running(broker, tmp_path / "site.toml"),
    ):
        assert await typed("list") == (0, "no alarm\n", "")
        assert await typed("ack", "--all") == (0, "no alarm waits to be acknowledged\n", "")
        plant = Plant(bridge, site_name)
        async with asyncio.timeout(10):
            while len({one.point for one in hears.all(ALARM)}) < 2:
                await plant.say("bms1", cell_t_max=35.0, soc=10.0)
                await asyncio.sleep(0.1)
        code, said, _ = await typed("list")
        first = [line.rstrip(":").split()[:2] for line in said.splitlines() if not line.startswith(" ")]
        assert (code, [[one.rstrip(":") for one in line] for line in first]) == (
            0,
            [["high", "warm-bms1"], ["low", "flat-bms1"]],
        )
        assert "Open a window." in said
        code, said, _ = await typed("list", "--priority", "high", "--json")
        assert [one["alarm"] for one in json.loads(said)["alarms"]] == ["warm-bms1"]

        assert await typed("ack", "warm-bms1", "--who", "anna") == (0, "warm-bms1: acknowledged\n", "")
        acknowledged: Alarm = await hears.until(ALARM, lambda one: one.state is S.ACKNOWLEDGED)
        asked: AlarmRequest = await hears.until(ALARM_REQUEST, alarm="warm-bms1")
        assert (acknowledged.by, asked.since) == ("anna", acknowledged.since), "this raise, and no later one"
        code, _, wrong = await typed("ack", "warm-bms1")
        assert (code, wrong.startswith("warm-bms1: refused, wrong_state: ")) == (1, True), wrong
        code, said, _ = await typed("shelve", "flat-bms1", "--for", "2h", "--why", "known")
        assert (code, said.startswith("flat-bms1: shelved until ")) == (0, True)
        code, said, _ = await typed("list")
        assert ("flat-bms1" in said, "1 more: shelved" in said) == (False, True)
        assert "known" in (await typed("list", "--all"))[1]
        assert (await typed("unshelve", "flat-bms1"))[:2] == (0, "flat-bms1: no longer shelved\n")
        assert (await typed("ack", "--all"))[:2] == (0, "flat-bms1: acknowledged\n")
        assert (await typed("comment", "flat-bms1", "it", "charges", "now"))[:2] == (0, "flat-bms1: comment kept\n")
        code, _, wrong = await typed("reset", "flat-bms1")
        assert (code, "only a latching alarm is reset" in wrong) == (1, True), wrong
        monkeypatch.setenv("JOULEBUS_BROKER", broker.url("engineer"))
        out = await typed("out-of-service", "flat-bms1", "--for", "8h", "--why", "sensor", "--who", "erik")
        assert (out[0], out[1].startswith("flat-bms1: out of service until ")) == (0, True), out
        assert "out of service until" in (await typed("list", "--all"))[1]
        assert (await typed("in-service", "flat-bms1"))[:2] == (0, "flat-bms1: in service\n")
        assert (await hears.until(ALARM_FIGURES)).figures, "the service says them"
        assert (await archive_hears.until(ALARM_WATCHED)).since, "and that it listens"
        code, _, wrong = await typed("ack", "worm-bms1")
        assert (code, "did you mean" in wrong and "warm-bms1" in wrong) == (2, True), wrong


async def test_an_engineer_asks_for_maintenance_where_only_an_engineer_may(
    broker: Broker, site_name: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_bus, "ANSWERS", 0.2)
    out = ("alarm", "out-of-service", "warm-bms1", "--for", "8h", "--why", "sensor", "--who", "erik")
    async with ear(broker.url("admin"), ALARM_MAINTENANCE.at(site=site_name)) as hears:
        monkeypatch.setenv("JOULEBUS_BROKER", broker.url("engineer"))
        code, _, wrong = await asyncio.to_thread(run, *out)
        assert (code, "has not answered" in wrong) == (1, True), wrong
        said: AlarmRequest = await hears.until(ALARM_MAINTENANCE, alarm="warm-bms1")
        assert (said.action, said.who, said.why) == ("out_of_service", "erik", "sensor")
        assert said.until is not None
        assert said.until - said.at == timedelta(hours=8)
        monkeypatch.setenv("JOULEBUS_BROKER", broker.url("operator"))
        code, _, wrong = await asyncio.to_thread(run, *out)
        assert (code, "see the access list; `--as` names another user" in wrong) == (1, True), wrong


async def test_the_figures_are_said_by_the_service_and_kept(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = parse_broker(broker.url("alarms"), "alarms", None, {})
    site = load_site(small_site(tmp_path, site_name))
    part, live = Part("alarms", site, Settings(place, "", state=tmp_path)), Live(tmp_path / "figures.json")
    live.begin({}, utc_now() - timedelta(hours=1))
    live.hear(*change("warm-bms1", utc_now(), S.UNACKNOWLEDGED))
    breaks = asyncio.Event()

    async def work(bus: Bus) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(tell(bus, part, live))
            if not breaks.is_set():
                await breaks.wait()
                raise aiomqtt.MqttError("the line broke")

    job = asyncio.create_task(part.run(work))
    try:
        async with ear(broker.url("scada"), ALARM_FIGURES.at(site=site_name)) as hears:
            said = await hears.until(ALARM_FIGURES)
            assert (said.raised, said.last_10_min, said.top[0].alarm) == (1, 1, "warm-bms1")
            breaks.set()
            said = await hears.until(ALARM_FIGURES, lambda one: one.at > said.at)
            assert said.raised == 1, "who lost what was said last hears it with the next connection"
        async with ear(broker.url("operator"), ALARM_FIGURES.at(site=site_name)) as later:
            assert await later.until(ALARM_FIGURES) == said, "it is retained"
            monkeypatch.setattr(telling, "CALM", 1)
            live.hear(*change("flat-bms1", utc_now(), S.UNACKNOWLEDGED))
            async with asyncio.timeout(10):
                while live.unkept:  # noqa: ASYNC110  # what it waits for knows nothing of events
                    await asyncio.sleep(0.05)
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    again = Live(live.path)
    assert again.begin({}, utc_now()) == ""
    assert again.figures(utc_now()).raised == 2, "a change is kept before the figures are said again"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("shelve", "warm-bms1", "--for", "2 weeks"), "'2 weeks' is no length of time: write 30min, 2h or 3d"),
        (("shelve", "warm-bms1", "--for", "0h"), "is no length of time"),
        (("ack",), "give either the NAME of an alarm or --all"),
        (("ack", "warm-bms1", "--all"), "give either the NAME of an alarm or --all"),
        (("out-of-service", "warm-bms1", "--for", "8h"), "--why"),
        (("comment", "warm-bms1"), "WORDS"),
        (("ack", "warm-bms1", "--who", " "), "1 to 64 letters"),
        (("report", "--week", "--month"), "not allowed with argument"),
        (("report", "--operators", "0"), "is no number of operators"),
        (("history", "worm-bms1"), "alarm 'worm-bms1' does not exist"),
        (("explain", "nothing_like_it"), "docs/alarms.md names the rules"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(
    run: Run, words: Sequence[str], says: str, sqlite_archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    code, _, wrong = run("alarm", *words)
    assert (code, says in wrong) == (2, True), wrong


# --- in what order ------------------------------------------------------------------------------------


def test_consequences_stand_below_their_cause_and_what_asks_most_comes_first() -> None:
    def one(state: Any, priority: str = "medium", of: str = "") -> Alarm:
        return change("x", BEGIN, state, priority=AlarmPriority(priority))[1].model_copy(update={"consequence_of": of})

    alarms = {
        "acknowledged": one(S.ACKNOWLEDGED, "critical"),
        "low": one(S.UNACKNOWLEDGED, "low"),
        "cause": one(S.UNACKNOWLEDGED, "high"),
        "follows": one(S.SUPPRESSED, of="cause"),
        "follows_that": one(S.SUPPRESSED, of="follows"),
        "orphan": one(S.RETURNED, of="gone"),
        "mild": one(S.UNACKNOWLEDGED, "low"),
        "grave": one(S.UNACKNOWLEDGED, "critical", of="mild"),
        "ring_a": one(S.ACKNOWLEDGED, "low", of="ring_b"),
        "ring_b": one(S.ACKNOWLEDGED, "low", of="ring_a"),
    }
    assert [(below, name) for below, name, _ in ordered(alarms)] == [
        (0, "mild"), (1, "grave"), (0, "cause"), (1, "follows"), (2, "follows_that"), (0, "low"), (0, "orphan"),
        (0, "acknowledged"), (0, "ring_a"), (1, "ring_b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (7200, "2 h"), (90_000, "1 d 1 h"), (86_400, "1 d")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_a_change_is_told_with_who_did_it_until_when_and_what_was_measured() -> None:
    _, one = change("x", BEGIN, S.SHELVED, by="anna", why="known")
    shelved = one.model_copy(
        update={"shelved_until": BEGIN + timedelta(hours=2), "value": 3.71, "limit": 3.6, "unit": "V"}
    )
    assert happened(shelved, ZoneInfo("UTC")) == "shelved until 2026-06-01 02:00:00 by anna: known"
    assert measured(shelved, ZoneInfo("UTC")) == "3.71 V (limit 3.6 V)"
    large = one.model_copy(update={"value": 12_345.0, "limit": 10e3, "unit": "W"})
    assert measured(large, ZoneInfo("UTC")) == "12.345 kW (limit 10 kW)"
    mute = one.model_copy(update={"value": 7.0, "limit": 5.0, "silent": True, "active": True, "began": BEGIN})
    assert measured(mute, ZoneInfo("UTC")) == "nothing since 2026-06-01 00:00:00", (
        "how long it lasts would be wrong soon"
    )
    assert measured(mute.model_copy(update={"active": False}), ZoneInfo("UTC")).startswith("was: nothing since")


def test_a_curve_is_drawn_with_its_limit_and_the_event() -> None:
    curve = [(BEGIN + timedelta(minutes=minute), float(minute)) for minute in range(61)]
    drawn = chart(curve, BEGIN + timedelta(minutes=30), 30.0, "V", ZoneInfo("UTC"))
    assert len(drawn) == 9
    assert drawn[0].lstrip().startswith("60 V |")
    assert drawn[0].endswith("*")
    assert any("-" * 10 in line for line in drawn)
    assert ("00:00" in drawn[-1], "00:30" in drawn[-1], "01:00" in drawn[-1]) == (True, True, True)
    assert len(chart([(BEGIN, 5.0)], BEGIN, None, "", ZoneInfo("UTC"))) == 9, "one reading is drawn, too"


# --- out of the archive -------------------------------------------------------------------------------


def fill(url: str, site: str, changes: Sequence[Change], more: Sequence[tuple[Any, dict[str, str], Any]] = ()) -> None:
    async def keep() -> None:
        database = engine(url)
        said = [*((ALARM, {"alarm": name}, one) for name, one in changes), *more]
        heard = [Heard(topic, {"site": site, **place}, one, "", b"", False, 0) for topic, place, one in said]
        await Store(database, pytest.fail).keep(sort_out(heard, BEGIN + timedelta(days=400))[0])
        await database.dispose()

    asyncio.run(keep())


def sample(at: datetime, seq: int, warm: float) -> Telemetry:
    return Telemetry(at=at, epoch="0" * 16, seq=seq, values={"cell_t_max": warm})


@pytest.fixture
def two_days(run: Run, sqlite_archive: str, site_name: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """An archive with two of the days of the journal, and an alarm of the site beside them."""
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    noon = BEGIN + timedelta(hours=12)
    warm = [
        change("warm-bms1", noon, S.UNACKNOWLEDGED, priority=AlarmPriority.HIGH),
        change("warm-bms1", noon + timedelta(seconds=40), S.ACKNOWLEDGED, since=noon, by="anna", why="window is open"),
    ]
    more = {"point": "cell_t_max", "unit": "degC", "limit": 30.0, "value": 31.0, "did": "blocks the charge"}
    wish = AlarmRequest(
        id="a", at=noon + timedelta(seconds=50), action="shelve", who="erik", until=noon + timedelta(days=3)
    )
    refused = RequestOutcome(id="a", at=noon + timedelta(seconds=51), followed=False, reason="for up to 24 h")
    message = Notified(
        at=noon + timedelta(seconds=5), result="failed", id="m-1", alarms=["warm-bms1", "x"], people=["anna"],
        channel="mail", why="no answer in 20 s", says="digest",
    )  # fmt: skip
    readings = [
        (TELEMETRY, {"device": "bms1"}, sample(noon + timedelta(minutes=minute), minute + 30, 30.0 + minute / 20))
        for minute in range(-29, 30)
    ]
    fill(
        sqlite_archive,
        site_name,
        [one for number in range(2) for one in day(BEGIN + timedelta(days=number))]
        + [(name, one.model_copy(update=more)) for name, one in warm],
        [
            (ALARM_REQUEST, {"alarm": "warm-bms1"}, wish),
            (ALARM_OUTCOME, {"alarm": "warm-bms1"}, refused),
            (NOTIFY_TOLD, {}, message),
            *readings,
        ],
    )
    return run


TWO = ("--from", "2026-06-01T00:00Z", "--to", "2026-06-03T00:00Z")


def test_a_report_says_each_figure_against_its_target(two_days: Run) -> None:
    code, said, wrong = two_days("alarm", "report", *TWO)
    assert (code, wrong) == (0, "")
    assert "401 raised; 1 operator" in said
    lines = said.splitlines()
    assert lines[1].startswith("do next: steady-0 was raised 24 times, 6 % of all: end its cause")
    assert len(lines) < 62, "one page"
    beyond, within, rest = (
        next(number for number, line in enumerate(lines) if line.startswith(head))
        for head in ("beyond its target (8)", "within its target (", "the standard judges by a month")
    )
    most = "  most in 10 min                     31             at most 10                   ISA-18.2, EEMUA 191"
    hourly = "  alarms an hour                     8.36 1/h       at most 12, better 6         ISA-18.2, EEMUA 191"
    assert beyond < lines.index(most) < within < lines.index(hourly) < rest
    assert "floods: 2, the longest 12 min 50 s, the most alarms 32" in said
    assert "     24   6.0 %  steady-0" in said
    assert "shelved: 2 times, 0 at the end, the longest kept for 1 h" in said
    code, asked, _ = two_days("alarms", "report", *TWO, "--json")
    assert (code, json.loads(asked)["raised"]) == (0, 401), "the issue's name for it does the same"
    code, asked, _ = two_days("alarm", "report", *TWO, "--operators", "2", "--json")
    assert json.loads(asked)["operators"] == 2


def test_a_time_of_which_nothing_is_known_is_said_to_be_so(two_days: Run) -> None:
    code, said, _ = two_days("alarm", "report", "--from", "2026-05-01", "--to", "2026-05-02")
    assert (code, "nothing is known of that time" in said) == (1, True)
    code, said, _ = two_days("alarm", "report", "--from", "2026-05-31T00:00Z", "--to", "2026-06-02T00:00Z")
    assert (code, "of which 23 h 59 min (49.9 %) was seen" in said) == (0, True)
    now = datetime.now(UTC)
    assert two_days("alarm", "report", "--shift")[0] == 0, now
    for words, says in (
        (("--before", "1"), "give one of --shift, --day, --week and --month"),
        (("--week", "--from", "2026-06-01"), "--week has its own begin and end"),
    ):
        code, _, wrong = two_days("alarm", "report", *words)
        assert (code, says in wrong) == (2, True), wrong
    code, _, wrong = two_days("alarm", "report", "--from", "2026-06-02", "--to", "2026-06-01")
    assert (code, "lies not before --to" in wrong) == (2, True)


def test_a_report_knows_when_the_service_was_away(two_days: Run, sqlite_archive: str, site_name: str) -> None:
    hours = [(0, 0), (0, 24), (24.75, 24.75), (24.75, 40), (40, 60)]
    watches = [
        AlarmWatch(since=BEGIN + timedelta(hours=one), at=BEGIN + timedelta(hours=other)) for one, other in hours
    ]
    unset = datetime(1970, 1, 1, tzinfo=UTC)  # a clock that was never set, and is set while the service runs
    watches += [AlarmWatch(since=unset, at=unset), AlarmWatch(since=unset, at=BEGIN - timedelta(hours=1))]
    fill(sqlite_archive, site_name, [], [(ALARM_WATCHED, {}, one) for one in watches])
    code, said, _ = two_days("alarm", "report", *TWO)
    assert (code, "of which 1 d 23 h (98.4 %) was seen" in said) == (0, True), said
    assert "8.49 1/h" in said, "401 in 47.25 h"
    code, said, _ = two_days("alarm", "report", "--from", "2026-06-03T12:10Z", "--to", "2026-06-04T00:00Z")
    assert (code, "nothing is known of that time" in said) == (1, True), "it came never back"
    code, said, _ = two_days("alarm", "report", "--from", "2026-05-30T00:00Z", "--to", "2026-05-31T00:00Z")
    assert (code, "nothing is known of that time" in said) == (1, True), "the clock was not set"


def test_a_report_lists_who_keeps_what_quiet(two_days: Run, sqlite_archive: str, site_name: str) -> None:
    at, more = BEGIN + timedelta(hours=20), {"by": "erik", "why": "sensor " * 40}
    out = change("out", at, S.OUT_OF_SERVICE)[1].model_copy(update={**more, "out_until": at + timedelta(days=9)})
    fill(sqlite_archive, site_name, [("out", out), change("calm", at, S.SHELVED, by="anna", why="known")])
    _, said, _ = two_days("alarm", "report", *TWO)
    sensors = " ".join(["sensor"] * 13)
    for line in (
        "shelved: 3 times, 1 at the end, the longest calm for 1 d 4 h",
        "  calm, since 2026-06-01 20:00:00, 1 d 4 h, by anna: known",
        f"  out, since 2026-06-01 20:00:00, 1 d 4 h, until 2026-06-10 20:00:00, by erik: {sensors} ...",
        "requests to shelve or take out of service that were refused: 1 (joulebus alarm history)",
    ):
        assert line in said.splitlines(), said


def frequent(alarm: str, raised: int, share: float) -> FrequentAlarm:
    return FrequentAlarm(alarm=alarm, raised=raised, share=share)


def judged(name: str, verdict: Verdict) -> AlarmFigure:
    return AlarmFigure(name=name, target="", verdict=verdict)


STANDS = LastingAlarm(alarm="d-x", since=BEGIN, seconds=4 * 86_400)


@pytest.mark.parametrize(
    ("found", "says"),
    [  # each with what the next ones have, too: the first is said
        ({}, "wait: nothing can be judged yet"),
        ({"figures": [judged("per_hour", Verdict.OK)]}, "nothing: no figure that can be judged"),
        ({"figures": [judged("per_hour", Verdict.BEYOND)]}, "there are too many alarms"),
        ({"figures": [judged("priority_high", Verdict.BEYOND)]}, "too many alarms are urgent"),
        ({"figures": [judged("ack_never", Verdict.BEYOND)]}, "alarms wait too long"),
        ({"flood_count": 1, "flood_most": 12}, "12 alarms came in a flood"),
        ({"stale": [STANDS]}, "d-x stands for 4 d"),
        ({"stale": [STANDS], "fleeting": [frequent("c-x", 2, 0.1)]}, "c-x came and went within a minute, 2 times"),
        ({"fleeting": [frequent("c-x", 2, 0.1)], "top": [frequent("b-x", 4, 0.9)]}, "c-x came and went"),
        ({"fleeting": [frequent("c-x", 2, 0.1)], "top": [frequent("b-x", 5, 0.9)]}, "b-x was raised 5 times, 90 %"),
        ({"chattering": [frequent("a-x", 3, 0.1)], "fleeting": [frequent("c-x", 9, 0.4)]}, "a-x chattered, 3 times"),
        ({"top": [frequent("b-x", 5, 0.9)], "chattering": [frequent("a-x", 3, 0.1)]}, "b-x was raised 5 times, 90 %"),
        (
            {"top": [frequent("a-x", 9, 0.9)], "chattering": [frequent("a-x", 3, 0.1)]},
            "a-x was raised 9 times, 90 % of all: it chatters",
        ),
    ],
)
def test_a_report_says_the_one_thing_to_do_next_bad_actors_first(found: dict[str, Any], says: str) -> None:
    figures = AlarmFigures(at=BEGIN, begin=BEGIN - timedelta(days=1), end=BEGIN, seen=1.0, **found)
    assert next_step(figures).startswith(says)


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("kind", "now", "before", "begin", "end"),
    [  # on the clock of Berlin, where 29 March 2026 has 23 h and 25 October 25 h
        ("shift", "2026-06-03T13:59", 0, "2026-06-03T06:00", "2026-06-03T13:59"),
        ("shift", "2026-06-03T14:00", 1, "2026-06-03T06:00", "2026-06-03T14:00"),
        ("shift", "2026-06-03T02:00", 0, "2026-06-02T22:00", "2026-06-03T02:00"),  # over midnight
        ("shift", "2026-06-03T02:00", 4, "2026-06-01T14:00", "2026-06-01T22:00"),
        ("shift", "2026-03-29T06:30", 1, "2026-03-28T22:00", "2026-03-29T06:00"),  # 7 h
        ("shift", "2026-10-25T06:30", 1, "2026-10-24T22:00", "2026-10-25T06:00"),  # 9 h
        ("day", "2026-03-30T00:00", 1, "2026-03-29T00:00", "2026-03-30T00:00"),
        ("day", "2026-10-25T23:59", 0, "2026-10-25T00:00", "2026-10-25T23:59"),
        ("shift", "2026-10-25T02:59", 0, "2026-10-24T22:00", "2026-10-25T02:59"),
        ("week", "2026-10-25T12:00", 0, "2026-10-19T00:00", "2026-10-25T12:00"),
        ("week", "2026-10-26T12:00", 1, "2026-10-19T00:00", "2026-10-26T00:00"),  # 169 h
        ("month", "2026-03-01T00:00", 1, "2026-02-01T00:00", "2026-03-01T00:00"),
        ("month", "2026-04-15T12:00", 1, "2026-03-01T00:00", "2026-04-01T00:00"),
    ],
)
def test_a_shift_a_day_a_week_and_a_month_begin_on_the_clock_of_the_site(
    kind: str, now: str, before: int, begin: str, end: str
) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)

    assert whole(kind, BERLIN, THREE, at(now), before) == (at(begin), at(end))


@given(
    st.sampled_from(["shift", "day", "week", "month"]),
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes)),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]),
    st.lists(st.times(), min_size=1, max_size=5, unique=True),
)
def test_they_follow_each_other_without_a_hole(kind: str, now: datetime, zone: str, shifts: list[time]) -> None:
    spans = [whole(kind, ZoneInfo(zone), shifts, now, before) for before in range(4)]
    assert spans[0][1] == now
    assert all(later[0] == earlier[1] for later, earlier in pairwise(spans))
    assert all(begin <= end for begin, end in spans)


def test_the_history_of_one_alarm_tells_who_did_what(two_days: Run) -> None:
    code, said, _ = two_days("alarm", "history", "warm-bms1", *TWO)
    assert (code, said.splitlines()) == (
        0,
        [
            "2026-06-01 12:00:00  high      warm-bms1: raised; 31 degC (limit 30 degC)",
            "2026-06-01 12:00:05            warm-bms1: not told to anna by mail, tried again: no answer in 20 s (m-1)",
            "2026-06-01 12:00:40  low       warm-bms1: acknowledged by anna: window is open; 31 degC (limit 30 degC)",
            "2026-06-01 12:00:50            warm-bms1: shelve by erik: refused, for up to 24 h",
        ],
    )
    code, said, _ = two_days("alarm", "history", *TWO, "--csv")
    assert (code, len(said.splitlines())) == (0, 1 + 2 * (144 * 3 + 30 * 3 + 7 + 4 + 20 * 3 + 7) + 3 + 2)
    code, said, _ = two_days("alarm", "history", *TWO, "--json")
    events = json.loads(said)["events"]
    assert (events[0]["alarm"], events[0]["state"]) == ("steady-0", "unacknowledged")
    assert two_days("alarm", "history", "flat-bms1", *TWO)[0] == 1


def test_an_alarm_is_explained_by_its_rule_its_past_and_its_curve(two_days: Run) -> None:
    code, said, _ = two_days("alarm", "explain", "warm-bms1")
    assert code == 0
    for line in (
        "raised     cell_t_max above 30 degC, for 0.2 s",
        "over       cell_t_max at or below 28 degC, at once",
        "cause      The battery is warm.",
        "follows    It ages faster.",
        "to do      Open a window.",
        "time       10 min to respond",
        "suppressed while bms_silent is active",
        "did        blocks the charge",
    ):
        assert line in said.splitlines(), said
    assert "bms1.cell_t_max around 2026-06-01 12:00:00" in said
    assert said.count("*") > 20
    code, said, _ = two_days("alarm", "explain", "warm-bms1", "--at", "2026-06-01T12:00:10Z", "--json")
    told = json.loads(said)
    assert [one["state"] for one in told["changes"]] == ["unacknowledged"]
    assert (told["rule"]["above"], told["trend"]["point"]) == (30.0, "bms1.cell_t_max")
    code, said, _ = two_days("alarm", "explain", "flat-bms1")
    assert (code, "the archive knows no change of it" in said) == (0, True)


def test_what_the_page_shows_can_be_typed_as_it_stands(
    sqlite_archive: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commands about the past are run; the alarms it names are those of the demo's site."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    page = (ROOT / "docs" / "alarm-figures.md").read_text(encoding="utf-8")
    lines = [shlex.split(line, comments=True) for line in re.findall(r"^joulebus alarms? .*$", page, re.MULTILINE)]
    past = [words[1:] for words in lines if words[2] in ("history", "explain", "report")]
    assert len(past) == 9
    for words in past:
        assert main(words) in (0, 1), words  # of an empty archive nothing is known
        assert "joulebus:" not in capsys.readouterr().err, words
    alarms = rules_of(load_site(ROOT / "site.toml"))
    named = {words[3] for words in lines if len(words) > 3 and not words[3].startswith("-")}
    assert named <= alarms.keys()
