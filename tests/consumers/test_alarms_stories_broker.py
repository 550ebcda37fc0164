"""Stories of alarms over the real broker, with the shipped access list and the service as a process of its own.

All rows of a table are told at once beside each other, each with a device and a rule of its own.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.chaos.clock import clocks
from tests.conftest import Broker
from tests.consumers.alarm_judging import judge
from tests.consumers.alarm_rows import Row, readings, site_file
from tests.consumers.alarm_stage import disk, part, running, stage
from tests.timed import in_time, long, timed

PEOPLE = ("operator", "engineer")
HOUR = 3600.0
END = 24.0
"""Seconds the table takes."""
QUIET = """
[[alarm]]
name = "quiet"
device = "{d}"
no_data = 3
"""
COUNTED = """
[[alarm]]
name = "counted"
device = "{d}"
when = "count(x > 30, 60 s) >= 1"
"""
MILD = """
[[alarm]]
name = "mild"
device = "{d}"
point = "x"
above = 25
suppressed_by = ["hot"]
"""

TABLE: dict[str, Row] = {
    # --- delays -------------------------------------------------------------------------------
    "spike": Row("0*3 50 0", rule="on_delay = 2.5"),
    "a_spike_without_a_delay": Row("0*3 50 0", "3 unacknowledged from 3, 4 returned"),
    "just_shorter": Row("0*3 50*3 0", rule="on_delay = 2.5"),
    "just_longer": Row("0*3 50*4 0", "6 unacknowledged from 3, 7 returned", rule="on_delay = 2.5"),
    "again_and_again_too_short": Row("0 50*3 0 50*3 0 50*3 0 50*3 0", rule="on_delay = 2.5"),
    "chatter": Row("0*2 50 0 50 0*2 50 0*3 50 0", "2 unacknowledged from 2, 16 returned", rule="off_delay = 3.5"),
    "chatter_without_a_delay": Row(
        "0*2 50 0 50 0", "2 unacknowledged, 3 returned, 4 unacknowledged from 4, 5 returned"),
    "deadband": Row(
        "0*2 31 29 26 24 29 31 24", "2 unacknowledged, 5 returned, 7 unacknowledged, 8 returned", rule="deadband = 5"),
    "both_delays": Row(
        "0 50*4 0*2 50*2 0*4", "4 unacknowledged from 1, 12 returned", rule="on_delay = 2.5\noff_delay = 2.5"),
    # --- what nobody believes -----------------------------------------------------------------
    "one_bad_reading_in_mid_delay": Row(
        "0*3 50 50? 50*2 0", "6 unacknowledged from 3, 7 returned", rule="on_delay = 2.5"),
    "bad_readings_in_mid_delay": Row(
        "0*3 50 50?*7 50*4 0", "14 unacknowledged from 11, 15 returned", rule="on_delay = 2.5"),
    "silence_in_mid_delay": Row("0*3 50 -*7 50*4 0", "14 unacknowledged from 11, 15 returned", rule="on_delay = 2.5"),
    "nobody_believes_it": Row("0*2 50?*16 0", rule="on_delay = 2.5"),
    "a_spike_at_each_end_of_what_nobody_believes": Row("0 50 50?*12 50 0", rule="on_delay = 2.5"),
    "bad_readings_end_nothing": Row("0 50*4 0?*7 50 0", "4 unacknowledged from 1, 13 returned", rule="on_delay = 2.5"),
    "an_hour_out_of_the_outbox": Row("0*4 -*9 B 0", {"hot": "", "counted": ""}, more=COUNTED),
    "the_outbox_ends_nothing": Row("0 31 -*12 B 50", "1 unacknowledged, 14 returned, 15 unacknowledged from 15"),
    # --- people -------------------------------------------------------------------------------
    "acknowledged": Row(
        "0 50*4 0", "1 unacknowledged, 3 acknowledged, 5 normal",
        asks=["3 operator ack -> followed", "3.2 operator ack -> wrong_state"]),
    "latching": Row(
        "0 50*2 0", "1 unacknowledged, 3 latched_unacknowledged, 5 latched, 7 normal", rule="latched = true",
        asks=["4 operator reset -> wrong_state", "5 operator ack -> followed", "6 operator shelve 5 -> wrong_state",
              "7 operator reset -> followed"]),
    "refused": Row(
        "0 50", "1 unacknowledged, 12 acknowledged",
        asks=["2 operator stale ack -> expired", "2.4 operator ahead ack -> clock_skew",
              "2.8 operator retained ack -> retained", "3.2 operator unknown ack -> unknown",
              "3.6 operator reset -> wrong_state", "4 operator shelve -3 -> out_of_range",
              "4.4 operator shelve 90000 -> out_of_range", "4.8 operator shelve -> invalid",
              "5.2 operator silence -> invalid", "5.6 operator out_of_service 60 -> authority",
              "6 engineer in_service -> authority", "6.4 engineer maintenance ack -> authority",
              "6.8 operator unshelve -> wrong_state", "7.2 operator maintenance out_of_service 60 -> forbidden",
              "7.6 scada ack -> forbidden", "12 operator ack -> followed"]),
    "contradictory": Row(
        "0 50", "1 unacknowledged, 3 shelved+, 3 unacknowledged, 5 acknowledged",
        asks=["3 operator shelve 9 -> followed", "3.02 operator unshelve -> followed",
              "3.04 operator unshelve -> wrong_state", "5 operator ack -> followed",
              "5.02 operator ack -> wrong_state"]),
    # --- shelf --------------------------------------------------------------------------------
    "shelved": Row(
        "0 50", "1 unacknowledged, 3 shelved+, 8~ unacknowledged", asks=["3 operator shelve 5 -> followed"]),
    "over_on_the_shelf": Row(
        "0 50*4 0", "1 unacknowledged, 3 shelved+, 5 shelved-, 9~ normal", asks=["3 operator shelve 6 -> followed"]),
    "raised_on_the_shelf": Row(
        "0*5 50", "2 shelved-, 8 shelved+, 12~ unacknowledged", rule="on_delay = 2.5",
        asks=["2 operator shelve 10 -> followed"]),
    "came_and_went_on_the_shelf": Row(
        "0*4 50*3 0", "2 shelved-, 4 shelved+, 7 shelved-, 10~ normal", asks=["2 operator shelve 8 -> followed"]),
    "shelved_for_longer": Row(
        "0 50", "1 unacknowledged, 3 shelved+, 5 shelved+, 13~ unacknowledged",
        asks=["3 operator shelve 4 -> followed", "5 operator shelve 8 -> followed"]),
    # --- out of service -----------------------------------------------------------------------
    "out_of_service": Row(
        "0 50*2 0*2 50",
        "1 unacknowledged, 2 out_of_service+, 3 out_of_service-, 5 out_of_service+, 10~ unacknowledged",
        asks=["2 engineer maintenance out_of_service 8 -> followed", "4 operator ack -> wrong_state"]),
    "back_in_service": Row(
        "0 50*2 0", "1 unacknowledged, 2 out_of_service+, 3 out_of_service-, 5 normal",
        asks=["2 engineer maintenance out_of_service 60 -> followed", "5 engineer maintenance in_service -> followed"]),
    "a_latch_out_of_service": Row(
        "0*3 50*2 0", "2 out_of_service-, 3 out_of_service+, 5 out_of_service-, 8~ latched_unacknowledged",
        rule="latched = true", asks=["2 engineer maintenance out_of_service 6 -> followed"]),
    "shelf_then_out_of_service": Row(
        "0 50", "1 unacknowledged, 2 shelved+, 4 out_of_service+, 9~ unacknowledged",
        asks=["2 operator shelve 4 -> followed", "4 engineer maintenance out_of_service 5 -> followed"]),
    # --- suppression --------------------------------------------------------------------------
    "maintenance": Row(
        "0/0 50/0*3 50/1*4 50/0*2 0/0", "1 unacknowledged, 4 suppressed+, 8 unacknowledged, 10 returned",
        rule='suppress_when = "y > 0.5 %"'),
    "maintenance_all_along": Row("0/1*2 50/1*4 0/1*3 0/0",
        "2 suppressed+, 6 suppressed-, 9 normal", rule='suppress_when = "y > 0.5 %"'),
    "silent_device": Row(
        "0 50*4 -*7 50*6 0",  # a silence is over when readings follow each other, for 3 polls
        {"hot": "1 unacknowledged, 7~ suppressed+, 15~ unacknowledged, 18 returned",
         "quiet": "7~ unacknowledged from 4, 15~ returned"}, more=QUIET),
    "silent_and_well_again": Row(
        "0 50*4 -*7 0",
        {"hot": "1 unacknowledged, 7~ suppressed+, 12 suppressed-, 15~ normal",
         "quiet": "7~ unacknowledged, 15~ returned"}, more=QUIET),
    "parent": Row(
        "0 50*4 28*4 0", {"hot": "1 unacknowledged, 5 returned", "mild": "1 suppressed+, 5 unacknowledged, 9 returned"},
        more=MILD),
    "over_at_once": Row(
        "0 50*4 0", {"hot": "1 unacknowledged, 5 returned", "mild": "1 suppressed+, 5 suppressed-, 5 normal"},
        more=MILD),
    "maintenance_and_over_at_once": Row(
        "0/0 50/1*4 0/0", "1 suppressed+, 5 suppressed-, 5 normal", rule='suppress_when = "y > 0.5 %"'),
    "a_shelved_parent_explains": Row(
        "0 50*4 28*4 0",
        {"hot": "1 unacknowledged, 2 shelved+, 5 shelved-, 12~ normal",
         "mild": "1 suppressed+, 5 unacknowledged, 9 returned"},
        more=MILD, asks=["2 operator shelve 10 -> followed"]),
}  # fmt: skip

CAUSED = {f"c{n:02}": "2 unacknowledged, 4 suppressed+" if n < 30 else "2 unacknowledged" for n in range(59)}
FLOOD = Row(
    "0/0 50/0 50/50",
    {"hot": "4 unacknowledged from 1", **CAUSED},
    rule="on_delay = 2.5",
    more="".join(
        f'[[alarm]]\nname = "{name}"\ndevice = "{{d}}"\npoint = "y"\nabove = {30 + n / 10}\n'
        + ('suppressed_by = ["hot"]\n' if n < 30 else "")
        for n, name in enumerate(CAUSED)
    ),
)
"""One cause with a delay, and 59 alarms that come a second behind it and are told before it."""
ANEW = 5
"""Seconds without a believed reading behind which a delay begins anew, of a device that is read each second."""


def drawn(random: Random) -> Row:
    """Readings by chance, and what must be seen of them: one raise for each excursion that held for its delay."""
    while True:
        words = [
            f"{random.choice(('50', '50', '0', '50?', '0?', '-'))}*{random.choice((1, 1, 2, 3, 4, 6))}"
            for _ in range(9)
        ]
        told, delay = f"0 {' '.join(words)} 0", random.choice((0.0, 1.5, 2.5))
        all_of_it = readings(told)
        believed = [(at, one.values["x"] > 30) for at, one in enumerate(all_of_it) if one is not None and one.good]
        gaps = {later - at for (at, _), (later, _) in pairwise(believed)}
        if ANEW not in gaps and len(all_of_it) < END - 1:
            return Row(told, ", ".join(_meant(believed, delay)), rule=f"on_delay = {delay}")


def _meant(believed: list[tuple[int, bool]], delay: float) -> Iterator[str]:
    """By the law, not by the program: each excursion is the believed readings between two that are right."""
    excursion: list[int] = []
    raised = False
    for at, wrong in believed:
        if wrong:
            excursion = [at] if not excursion or (at - excursion[-1] > ANEW and not raised) else [*excursion, at]
            if not raised and at - excursion[0] >= delay:
                raised = True
                yield f"{at} unacknowledged from {excursion[0]}"
        else:
            if raised:
                yield f"{at} returned"
            excursion, raised = [], False


DRAWN = {f"drawn{n}": drawn(Random(n)) for n in range(24)}


@pytest.mark.slow
@timed
async def test_stories(broker: Broker, tmp_path: Path, site_name: str) -> None:
    rows, site = TABLE | DRAWN | {"flood": FLOOD}, f"{site_name}-{tmp_path.name}"  # told again it is another site
    path = site_file(tmp_path, site, rows)
    with disk(site) as state:
        service = part("alarms", broker, path, JOULEBUS_STATE=state)
        async with stage(broker, site, rows, PEOPLE) as told, running(service):
            await told.begin()
            await told.until(END)
            judge(told)
            said = {name: told.last(f"{name}-flood") for name in ("hot", *CAUSED)}
            assert {name for name, one in said.items() if one and one.first_out} == {"hot"}, "its condition came first"
            assert {one.consequence_of for name, one in said.items() if one and name != "hot"} == {"hot-flood"}


SET = {
    # 5.2 s: the clock is set 61 s ahead; 8 s: the service starts anew; 23.5 s: an hour ahead; 29.5 s: an hour behind
    "forward_in_mid_delay": Row("0*21 50", "26 unacknowledged", rule="on_delay = 4.5"),
    "back_in_mid_delay": Row("0*27 50", "32 unacknowledged", rule="on_delay = 4.5"),
    "forward_in_mid_return": Row("0 50*20 0", "1 unacknowledged, 26 returned", rule="off_delay = 4.5"),
    "a_spike_at_a_step": Row("0*23 50 0*5 50 0", rule="on_delay = 0.5"),
    "forward_on_the_shelf": Row(
        "0 50", "1 unacknowledged, 21 shelved+, 23.5~ shelved+, 29~ unacknowledged",
        asks=["21 operator shelve 8 -> followed"]),
    "back_on_the_shelf": Row(
        "0 50", "1 unacknowledged, 27 shelved+, 29.5~ shelved+, 35~ unacknowledged",
        asks=["27 operator shelve 8 -> followed"]),
    "forward_out_of_service": Row(
        "0 50", "1 unacknowledged, 22 out_of_service+, 23.5~ out_of_service+, 28~ unacknowledged",
        asks=["22 engineer maintenance out_of_service 6 -> followed"]),
    "asked_in_an_hour": Row("0 50*26 0", "1 unacknowledged, 25 acknowledged, 27 normal", asks=[
        "25 operator ack -> followed"]),
    "shelved_over_a_step_and_the_restart": Row(  # its end is told anew on the new clock, and kept
        "0 50", "1 unacknowledged, 3 shelved+, 5.2~ shelved+, 18~ unacknowledged",
        asks=["3 operator shelve 15 -> followed"]),
    "shelved_over_the_restart": Row(
        "0 50", "1 unacknowledged, 6.5 shelved+, 19~ unacknowledged", asks=["6.5 operator shelve 12.5 -> followed"]),
    "out_of_service_over_the_restart": Row(
        "0*3 50",
        "2 out_of_service-, 3 out_of_service+, 5.2~ out_of_service+, 6.5 out_of_service+, 19~ unacknowledged",
        asks=["2 engineer maintenance out_of_service 60 -> followed",
              "6.5 engineer maintenance out_of_service 12.5 -> followed"]),
    "acknowledged_over_the_restart": Row(
        "0 50*17 0", "1 unacknowledged, 4 acknowledged, 18 normal", asks=["4 operator ack -> followed"]),
    "raised_over_the_restart": Row("0 50*17 0", "1 unacknowledged, 18 returned"),
    "suppressed_over_the_restart": Row(  # for 10 s behind it what suppressed has to be heard again first
        "0 50*29 0", {"hot": "1 unacknowledged, 30 returned", "mild": "1 suppressed+, 30 suppressed-, 30 normal"},
        more=MILD),
    "a_latch_over_the_restart": Row(
        "0 50 0", "1 unacknowledged, 2 latched_unacknowledged, 4 latched, 21 normal", rule="latched = true",
        asks=["4 operator ack -> followed", "21 operator reset -> followed"]),
}  # fmt: skip


@long("40 s; the service looks at a file with each look at the clock")
@timed
async def test_clocks_that_are_set_and_a_restart(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """Also what the live figures tell of a flood: when it began, and that it is over."""
    rows, site = SET | {"flood": FLOOD}, f"{site_name}-{tmp_path.name}"
    path = site_file(tmp_path, site, rows)
    with disk(site) as state, ExitStack() as stack:
        service = part("alarms", broker, path, JOULEBUS_STATE=state)
        (clock,) = stack.enter_context(clocks(tmp_path, service))
        async with stage(broker, site, rows, PEOPLE) as told, running(service):
            await told.begin()
            await told.until(5.2)
            clock.set(61)
            told.ahead = 61
            await told.until(8)
            await asyncio.to_thread(service.restart)
            with suppress(TimeoutError):
                await told.sees(lambda: any(one.at > 9 for one in told.changes("hot-pulse")), within=19 - told.now)
            in_time(told.now < 19, "a restart of 11 s")
            for second, ahead in ((23.5, HOUR), (29.5, -HOUR)):
                await told.until(second)
                clock.set(ahead)
                told.ahead = ahead
            await told.until(38)
            judge(told, steps=True, beside={"clock_step-alarms", "clock_drift-grid"})
            assert told.last("clock_step-alarms") is not None, "and that the clock was set is told"
            floods = [one.flooding for one in told.figures]
            assert [*dict.fromkeys(floods)] == [False, True], "it is told when it begins"
            assert not floods[-1], "and when it is over"
