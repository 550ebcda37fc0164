"""What was heard becomes rows."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumers.archive.rows import KEPT, NO_ROW, SAID, confirmations, ranges, sort_out
from joulebus.examples import EXAMPLES, PLACES
from runtime.heard import Heard, read
from schemas import tables, topics
from schemas.messages import Event, Outcome, OutcomeState, Telemetry
from schemas.topics import Topic
from schemas.units import Quality

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
EPOCH = "00112233aabbccdd"


def sample(seq: int, device: str = "pcs", second: float | None = None, **more: Any) -> Heard[Any]:
    at = NOON + timedelta(seconds=seq if second is None else second)
    said = Telemetry(at=at, epoch=more.pop("epoch", EPOCH), seq=seq, values={"p": float(seq)}, **more)
    place = {"site": "plant", "device": device}
    return Heard(topics.TELEMETRY, place, said, "", said.model_dump_json().encode(), False, seq)


def garbage(payload: bytes, topic: Topic[Any] = topics.TELEMETRY) -> Heard[Any]:
    try:
        topic.payload.model_validate_json(payload)
    except ValidationError as wrong:
        fault = str(wrong)
    place = dict.fromkeys(topic.places, "x")
    return Heard(topic, place, None, fault, payload, False, 1)


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_exactly_the_numbers_and_never_touch(numbers: set[int]) -> None:
    found = ranges(numbers)
    assert [n for low, high in found for n in range(low, high + 1)] == sorted(numbers)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(found))


@given(st.lists(st.tuples(st.integers(1, 20), st.sampled_from(["bms", "grid", "pcs"])), max_size=60))
def test_however_a_batch_is_mixed_each_sample_is_one_row_in_the_order_of_the_key(mix: list[tuple[int, str]]) -> None:
    entries, twins = sort_out([sample(seq, device) for seq, device in mix], NOON)
    keys = [entry.key for entry in entries]
    assert keys == sorted(set(keys))
    assert {(key[1], key[4]) for key in keys} == {(device, seq) for seq, device in mix}
    assert twins["telemetry"] == len(mix) - len(keys)


@pytest.mark.parametrize("topic", SAID, ids=lambda topic: topic.name)
def test_all_that_is_said_becomes_a_row(topic: Topic[Any]) -> None:
    """With the message of the documents."""
    said = EXAMPLES[topic.name]
    place = {name: PLACES[name] for name in topic.places}
    heard: Heard[Any] = Heard(topic, place, said, "", said.model_dump_json().encode(), False, 1)
    ((entry,), _) = sort_out([heard], NOON)
    assert entry.table.name not in ("dead_letter", "quarantine")
    assert {column.name for column in entry.table.columns if not column.nullable} <= entry.row.keys() | {"id"}


def test_quality_is_only_kept_where_something_is_not_good() -> None:
    good, bad = sample(1), sample(2, quality={"p": Quality.FROZEN}, historical=True)
    (first, second), _ = sort_out([good, bad], NOON)
    assert first.row["quality"] is None
    assert json.loads(second.row["quality"]) == {"p": "frozen"}
    assert json.loads(second.row["points"]) == {"p": 2.0}
    assert second.row["historical"] is True


def test_what_is_not_valid_is_a_dead_letter_with_its_reason_and_a_cut_payload() -> None:
    (entry,), _ = sort_out([garbage(b"\xff" * 10_000)], NOON)
    assert entry.table is tables.dead_letter
    assert entry.row["topic"] == "ems/v1/x/device/x/telemetry"
    assert entry.row["payload"] == b"\xff" * 4096
    assert "json" in entry.row["reason"].lower()
    assert len(entry.row["reason"]) <= 500


def test_two_equal_dead_letters_are_two() -> None:
    entries, twins = sort_out([garbage(b""), garbage(b"")], NOON)
    assert (len(entries), twins.total()) == (2, 0)


def test_a_cleared_retained_topic_is_no_row() -> None:
    cleared = Heard(topics.ALARM, {"site": "plant", "alarm": "hot"}, None, "", b"", True, 1)
    assert sort_out([cleared], NOON) == ([], {})


@pytest.mark.parametrize("name", ["d" * 65, "tür"], ids=["long", "not ASCII"])
def test_what_fits_no_column_is_a_dead_letter_on_both_databases(name: str) -> None:
    said = Outcome(id=name, at=NOON, state=OutcomeState.REFUSED)
    payload = said.model_dump_json().encode()
    heard = Heard(topics.OUTCOME, {"site": "plant", "device": "pcs"}, said, "", payload, False, 1)
    (entry,), _ = sort_out([heard], NOON)
    assert entry.table is tables.dead_letter
    assert entry.row["reason"].startswith("id: more than 64 letters")


def test_a_seq_that_no_database_keeps_is_a_dead_letter_and_is_not_confirmed() -> None:
    """Confirmed it would have stopped the outbox of its bridge: SQLite takes no such number."""
    large = garbage(sample(2**63 - 1, second=0).payload.replace(b"9223372036854775807", b"9223372036854775808"))
    (entry,), _ = sort_out([large], NOON)
    assert entry.row["reason"].find("seq") >= 0
    assert confirmations([large]) == []


def test_the_largest_seq_fits() -> None:
    (entry,), _ = sort_out([sample(2**63 - 1, second=0)], NOON)
    assert entry.table is tables.telemetry


def test_confirmed_is_each_epoch_of_each_device_by_itself() -> None:
    batch = [sample(n) for n in (3, 1, 2, 7, 2)] + [sample(4, "bms"), sample(5, epoch="f" * 16)]
    said = {(place["device"], one.epoch): one.ranges for _, place, one in confirmations(batch)}
    assert said == {("pcs", EPOCH): [(1, 3), (7, 7)], ("bms", EPOCH): [(4, 4)], ("pcs", "f" * 16): [(5, 5)]}


def test_a_dead_letter_is_confirmed_when_it_says_which_sample_it_is() -> None:
    newer = sample(9).payload.replace(b'"quality":{}', b'"quality":{"p":"not-yet-invented"}')
    assert b"not-yet" in newer
    (confirmed,) = confirmations([garbage(newer), garbage(b"{}"), garbage(b'{"epoch":"short","seq":1}')])
    assert confirmed[2].ranges == [(9, 9)]


def event(service: str, topic: str, payload: dict[str, Any], site: str = "plant") -> Heard[Any]:
    said = Event(at=NOON, epoch=EPOCH, seq=7, topic=topic, payload=payload)
    place = {"site": site, "service": service}
    return Heard(topics.SERVICE_EVENT, place, said, "", said.model_dump_json().encode(), False, 1)


OUTCOME: dict[str, Any] = {"id": "c1", "at": "2026-06-01T12:00:00Z", "state": "applied", "applied": {"p_set": 5.0}}
DONE = topics.OUTCOME.at(site="plant", device="pcs")


@pytest.mark.parametrize("service", ["bridge", "bridge-of-the-roof"])
def test_what_is_heard_live_and_as_an_event_is_one_row(service: str) -> None:
    live = Heard(topics.OUTCOME, {"site": "plant", "device": "pcs"}, Outcome.model_validate(OUTCOME, strict=False),
        "", b"", False, 1)  # fmt: skip
    entries, twins = sort_out([live, event(service, DONE, OUTCOME)], NOON)
    assert ([entry.table for entry in entries], +twins) == ([tables.outcome], {"outcome": 1})
    (alone,), _ = sort_out([event(service, DONE, OUTCOME)], NOON)
    assert alone.row == entries[0].row


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        (event("bridge", topics.COMMAND.at(site="plant", device="pcs"), {}), "bridge does not say"),
        (event("status", DONE, OUTCOME), "status does not say"),
        (event("dispatch", DONE, OUTCOME), "dispatch does not say"),
        (event("bridge", topics.OUTCOME.at(site="another", device="pcs"), OUTCOME), "bridge does not say"),
        (event("bridge", topics.TELEMETRY.at(site="plant", device="pcs"), {}), "bridge does not say"),
        (event("bridge", "ems/v1/plant/nonsense", {}), "bridge does not say"),
        (event("bridge", DONE, {"id": "c1"}), "payload: at: is missing"),
        (event("bridge", DONE, {}), "payload: "),
    ],
)
def test_an_event_of_what_a_service_does_not_say_is_a_dead_letter_and_confirmed(forged: Heard[Any], says: str) -> None:
    (entry,), _ = sort_out([forged], NOON)
    assert entry.table is tables.dead_letter
    assert says in entry.row["reason"]
    ((topic, place, confirmed),) = confirmations([forged])
    assert (topic, place) == (topics.SERVICE_ARCHIVED, forged.place)
    assert (confirmed.epoch, confirmed.ranges) == (EPOCH, [(7, 7)])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["bridge", "dispatch", "x" * 64]),
    st.sampled_from([topic.at(**dict.fromkeys(topic.places, "plant")) for topic in topics.TOPICS])
    | st.text(max_size=99),
    st.dictionaries(st.sampled_from(["id", "at", "state", "who", "mode", "until"]) | st.text(), ANYTHING, max_size=6),
)
def test_whatever_an_event_holds_it_is_one_row_and_confirmed(service: str, topic: str, payload: dict[str, Any]) -> None:
    said = json.dumps({"at": "2026-06-01T12:00:00Z", "epoch": EPOCH, "seq": 7, "topic": topic, "payload": payload})
    message, fault = read(topics.SERVICE_EVENT, said.encode(errors="replace"))
    heard = Heard(topics.SERVICE_EVENT, {"site": "plant", "service": service}, message, fault, said.encode(), False, 1)
    entries, _ = sort_out([heard], NOON)
    assert len(entries) == 1 or topic.endswith("/meta")  # that is no story
    assert [one.ranges for _, _, one in confirmations([heard])] == [[(7, 7)]]


def test_the_archive_listens_to_everything_that_is_said_and_done() -> None:
    names = {topic.name for topic in KEPT}
    assert names == {
        *("device.telemetry", "device.status", "device.command", "device.outcome", "plan.current"),
        *("alarm.state", "alarm.request", "alarm.maintenance", "alarm.outcome", "site.alarms.watched"),
        *("control.mode", "control.request", "control.outcome", "service.event"),
        *("control.grid_limit", "control.limits", "market.prices"),
        *("notify.request", "notify.outcome", "notify.told"),
    }


def told_as_events() -> list[str]:
    """Every topic a part says through its events, by what stands in its source."""
    parts = [path for folder in ("bridges", "consumers") for path in (ROOT / folder).rglob("*.py")]
    says = re.compile(r"(?:self\._?say|statuses\.say|events\.(?:say|post))\(([A-Z_]+),|said\.append\(\(([A-Z_]+),")
    found = [names for path in parts for names in says.findall(path.read_text(encoding="utf-8"))]
    return sorted({name for names in found for name in names if name})


def test_the_archive_takes_every_address_that_is_told_as_an_event() -> None:
    told = told_as_events()
    assert {"META", "OUTCOME", "DEVICE_STATUS", "COMMAND", "PLAN", "ALARM"} <= set(told)
    taken = {topic.template for topic in (*SAID, *NO_ROW)}
    assert [name for name in told if getattr(topics, name).template not in taken] == []


def test_how_a_device_introduces_itself_is_confirmed_and_no_row() -> None:
    meta = {"kind": "pcs", "make": "x", "model": "y", "profile": "z", "points": {}}
    event = Event(topic="ems/v1/plant/device/pcs/meta", at=NOON, epoch=EPOCH, seq=7, payload=meta)
    place = {"site": "plant", "service": "bridge"}
    heard = Heard(topics.SERVICE_EVENT, place, event, "", event.model_dump_json().encode(), False, 1)
    assert sort_out([heard], NOON) == ([], {})
    assert [said.ranges for _, _, said in confirmations([heard])] == [[(7, 7)]]
    wrong = replace(heard, place=place | {"service": "dispatch"})
    assert [entry.table.name for entry in sort_out([wrong], NOON)[0]] == ["dead_letter"]
