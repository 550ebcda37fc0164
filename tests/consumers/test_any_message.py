"""Whatever is said at whatever topic: what the parts make of it never fails. Without a broker, thousands in a second.

`make search` looks for new ones; `tests/chaos/test_any_message.py` says them to the running parts.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alarms.answer import answer
from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.rules import Now
from consumers.archive.rows import KEPT, confirmations, sort_out
from consumers.optimize.situation import Situation
from consumers.status.chart_words import spoken
from consumers.status.foreseen import PLANNED, Foreseen
from consumers.status.series import around
from consumers.status.slots import slots
from consumers.status.state import Moment, State, fold
from consumers.status.view import view
from runtime.bus import LARGEST
from runtime.heard import Heard, find, read
from schemas import topics
from schemas.messages import Alarm, DeviceState, DeviceStatus, Outcome, Plan, ServiceStatus, Telemetry
from schemas.site import Site
from schemas.topics import TOPICS, Topic
from tests.consumers.test_status_state import DEVICES, page_site
from tests.mutations import Mutations

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
SEEDS = st.integers(0, 2**32)
LOOKS = (0.0, 1.0, 12.0, 90.0, 86_400.0)
"""Seconds after which somebody looks at what was made of a message."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return page_site(tmp_path_factory.mktemp("site"))


def messages(seed: int, *of: Topic[Any], count: int = 30) -> list[Heard[Any]]:
    """What a part would hear."""
    mutations, found = Mutations(seed, NOON), []
    for number in range(count):
        topic, payload = mutations.random.choice(of or TOPICS), b""
        payload = mutations.payload(topic)
        names = {"device": (*DEVICES, "nobody"), "alarm": ("soc_low-bms1", "nothing-bms1"), "service": ("bridge", "x")}
        place = {name: mutations.random.choice(names.get(name, ("plant",))) for name in topic.places}
        message, fault = read(topic, payload)
        found.append(Heard(topic, place, message, fault, payload, mutations.random.random() < 0.3, number))
    return found


@given(SEEDS)
def test_a_message_that_was_read_can_be_said_again(seed: int) -> None:
    for heard in messages(seed):
        assert (heard.message is None) == bool(heard.fault or (not heard.payload and heard.topic.retain))
        assert len(heard.fault) <= 300
        assert heard.fault.isprintable()
        if heard.message is not None:
            said = heard.message.model_dump_json().encode()
            again, fault = read(heard.topic, said)
            assert fault == ""
            assert again is not None
            assert again.model_dump_json().encode() == said


@given(SEEDS)
def test_the_page_shows_whatever_it_heard(site: Site, seed: int) -> None:
    state = State(site, broker=True)
    for number, heard in enumerate(messages(seed)):
        if heard.fault:
            continue
        now = Moment(NOON + timedelta(seconds=number), float(number))
        fold(state, heard.topic, heard.place, heard.message, now)
        for later in LOOKS:
            shown = view(state, Moment(now.at + timedelta(seconds=later), now.ticks + later))
            json.dumps(shown, allow_nan=False).encode()
        if isinstance(heard.message, Plan):
            for hours in (1.0, 24.0, 168.0):
                span = around(now.at, hours, hours)
                columns = Foreseen(span)
                columns.tell_newest(heard.message, now.at)
                assert set(columns.columns) == set(PLANNED)
                json.dumps(columns.columns, allow_nan=False)
                assert all(spoken(columns.columns, span, now.at, site.zone, heard.message.prices_until).values())
            json.dumps(slots(heard.message, now.at, site.zone), allow_nan=False).encode()


@given(SEEDS)
def test_alarms_judge_whatever_they_heard_and_can_say_it(site: Site, seed: int) -> None:
    catalog = load_catalog()
    panel = Panel(watched(site, catalog).rules, catalog.services, Now(0.0, NOON), places=Places.of(site))
    kept = messages(seed, topics.ALARM, count=5)
    stored = {one.place["alarm"]: one.message for one in kept if isinstance(one.message, Alarm)}
    panel.restore(stored, Now(0.0, NOON))
    for number, heard in enumerate(messages(seed + 1, count=15)):
        now, changes = Now(float(number), NOON + timedelta(seconds=number)), []
        device = heard.place.get("device", "")
        match heard.message:
            case Telemetry() as telemetry:
                changes = panel.hear(device, telemetry, now)
            case DeviceStatus(state=said, causes=causes):
                changes = panel.note(device, "link", said, now)
                changes += panel.note_causes(device, causes, now, sure=said is not DeviceState.OFFLINE)
            case Outcome(state=became):
                changes = panel.note(device, "outcome", became, now)
            case ServiceStatus() as status:
                changes = panel.note_service(heard.place["service"], status, now)
        if heard.topic is topics.ALARM_REQUEST and (given := answer(panel, heard, now)) is not None:
            given.outcome.model_dump_json().encode()
            changes = given.changes
        for later in LOOKS:
            changes += panel.tick(Now(now.steady + later, now.wall + timedelta(seconds=later)))
        for _, alarm in [*changes, *panel.shown().items()]:
            assert len(alarm.model_dump_json().encode()) < LARGEST


@given(SEEDS)
def test_the_situation_takes_whatever_was_measured(site: Site, seed: int) -> None:
    situation = Situation.of(site)
    for number, heard in enumerate(messages(seed, topics.TELEMETRY)):
        if isinstance(heard.message, Telemetry):
            situation.fold(heard.place["device"], heard.message, NOON + timedelta(seconds=number), float(number))
        now = float(number)
        if not situation.missing(now):
            assert situation.load(now) >= 0
        assert all(age >= 0 for age in situation.ages(now).values())


@given(SEEDS)
def test_the_archive_makes_a_row_of_whatever_it_heard(seed: int) -> None:
    batch = messages(seed, *KEPT)
    entries, twins = sort_out(batch, NOON)
    assert len(entries) + twins.total() == sum(one.message is not None or bool(one.fault) for one in batch)
    for _, _, confirmed in confirmations(batch):
        confirmed.model_dump_json().encode()


@given(st.text(max_size=200))
def test_an_address_is_one_of_ours_or_none(address: str) -> None:
    found = find(f"ems/v1/{address}")
    if found is not None:
        topic, place = found
        assert topic.at(**place) == f"ems/v1/{address}"


@pytest.mark.parametrize("letters", [64, 65])
def test_a_name_is_no_longer_than_one_of_ours(letters: int, tmp_path: Path) -> None:
    """An alarm of such a part could not be said: it would have ended the alarms with each tick."""
    assert (find(f"ems/v1/plant/service/{'s' * letters}/status") is not None) == (letters == 64)
    site = page_site(tmp_path)
    catalog = load_catalog()
    panel = Panel(watched(site, catalog).rules, catalog.services, Now(0.0, NOON), places=Places.of(site))
    panel.note_service("s" * 64, ServiceStatus(state="offline"), Now(0.0, NOON))
    addresses = [topics.ALARM.at(site="plant", alarm=name) for name, _ in panel.tick(Now(20.0, NOON))]
    assert f"ems/v1/plant/alarm/service_down-{'s' * 64}/state" in addresses
    for longest in ("r" * 64 + "-" + "d" * 64, "r"):
        assert find(topics.ALARM.at(site="plant", alarm=longest)) is not None
