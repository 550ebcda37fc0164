"""What a part said stays on its disk until the archive has it, and nothing is sent without end."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.event_outbox import AGAIN, EventOutbox
from schemas.messages import Event

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
TOPIC = "ems/v1/plant/device/pcs1/outcome"


def opened(path: Path, boot: str = "one", **more: int) -> EventOutbox:
    return EventOutbox(path, boot, **more)


def say(outbox: EventOutbox, *words: str) -> list[int]:
    """Gives their numbers."""
    assert all(outbox.keep(NOON, [(TOPIC, json.dumps({"id": word}).encode())]) for word in words)
    with sqlite3.connect(outbox.file.path) as kept:
        found = [seq for (seq,) in kept.execute("SELECT seq FROM event ORDER BY seq DESC LIMIT ?", (len(words),))]
    kept.close()
    return found[::-1]


def due(outbox: EventOutbox, now: float, most: int = 100) -> list[int]:
    return [row.seq for row in outbox.due(now, most)]


@pytest.fixture
def outbox(tmp_path: Path) -> EventOutbox:
    return opened(tmp_path / "events.db")


def test_it_sends_the_message_of_the_contract(outbox: EventOutbox) -> None:
    (seq,) = say(outbox, "ärger 🔋")
    (row,) = outbox.due(0.0, 10)
    assert Event.model_validate_json(row.body()) == Event(
        at=NOON, epoch=outbox.epoch, seq=seq, topic=TOPIC, payload={"id": "ärger 🔋"}
    )


def test_each_is_sent_once_a_connection_in_the_order_it_was_said(outbox: EventOutbox) -> None:
    said = say(outbox, *"abc")
    assert (due(outbox, 0.0, 2), due(outbox, 0.0, 2), due(outbox, 0.1)) == (said[:2], said[2:], [])
    outbox.forget_sent()
    assert due(outbox, 0.2) == said


def test_it_forgets_what_is_confirmed_and_nothing_else(outbox: EventOutbox) -> None:
    first, second, third = say(outbox, *"abc")
    due(outbox, 0.0)
    assert outbox.confirm("f" * 16, [(first, third)], 1.0) == 0, "of another file"
    assert outbox.confirm(outbox.epoch, [(first, first), (third, third + 5)], 1.0) == 2
    outbox.forget_sent()
    assert due(outbox, 2.0) == [second]


def test_without_an_archive_only_the_oldest_is_sent_again(outbox: EventOutbox) -> None:
    said = say(outbox, *"abcde")
    assert due(outbox, 0.0) == said
    again = [due(outbox, now) for now in (AGAIN - 0.1, AGAIN, AGAIN + 1, 2 * AGAIN)]
    assert again == [[], said[:1], [], said[:1]]
    outbox.confirm(outbox.epoch, [(said[0], said[0])], 2 * AGAIN + 0.1)  # it is there
    assert due(outbox, 2 * AGAIN + 0.2) == said[1:]


def test_one_that_got_lost_is_sent_again_although_others_come_and_go(outbox: EventOutbox) -> None:
    (lost,) = say(outbox, "lost")
    due(outbox, 0.0)
    for second in range(1, 12):
        (seq,) = say(outbox, f"{second}")
        sent = due(outbox, float(second))
        outbox.confirm(outbox.epoch, [(seq, seq)], second + 0.1)
        if lost in sent + due(outbox, second + 0.2):
            break
    assert AGAIN <= second <= AGAIN + 1


@given(st.data())
def test_whatever_gets_lost_in_the_end_the_archive_has_all_and_the_outbox_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("any") / "events.db"
    outbox, now, said, stored = opened(path), 0.0, set[int](), set[int]()

    def exchange(*, reliable: bool) -> None:
        rows = outbox.due(now, 3)
        came = {row.seq for row in rows if reliable or data.draw(st.booleans(), label="came")}
        stored.update(came)
        if came and (reliable or data.draw(st.booleans(), label="confirmed")):
            outbox.confirm(outbox.epoch, [(seq, seq) for seq in came], now)

    for _ in range(data.draw(st.integers(1, 30))):
        match data.draw(st.sampled_from(["say", "exchange", "wait", "connect", "die"])):
            case "say":
                said.update(say(outbox, "x"))
            case "exchange":
                exchange(reliable=False)
            case "wait":
                now += AGAIN / 2
            case "connect":
                outbox.forget_sent()
            case _:
                outbox.close()
                outbox = opened(path)
    for _ in range(200):
        exchange(reliable=True)
        now += AGAIN / 5
    assert (stored, len(outbox)) == (said, 0)
    outbox.close()


def test_a_killed_process_loses_nothing_it_has_said(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from tests.runtime.test_event_outbox import *\n"
        "outbox = opened(Path(sys.argv[1])); say(outbox, *'abc'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "events.db")], check=False, cwd=Path(__file__).parents[2]
    )
    assert [json.loads(row.payload)["id"] for row in opened(tmp_path / "events.db").due(0.0, 9)] == [*"abc"]


def test_numbers_go_on_in_a_run_of_the_machine_and_the_next_run_has_another_epoch(tmp_path: Path) -> None:
    one = opened(tmp_path / "events.db")
    (first,) = say(one, "a")
    one.confirm(one.epoch, [(first, first)], 0.0)
    one.close()
    two = opened(tmp_path / "events.db")
    assert (two.epoch, say(two, "b")) == (one.epoch, [first + 1])
    two.close()
    three = opened(tmp_path / "events.db", boot="after a power cut")
    assert three.epoch != one.epoch
    ((kept,),) = [[row.epoch for row in three.due(0.0, 9)]]
    assert kept == one.epoch, "what waits keeps its name"


def test_past_the_cap_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "events.db", most_rows=200)
    for _ in range(300):
        outbox.keep(NOON, [(TOPIC, b"{}")])
    assert 190 < len(outbox) <= 200
    assert outbox.dropped == 300 - len(outbox)
    assert due(outbox, 0.0, 300) == list(range(outbox.dropped + 1, 301))


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"nonsense" * 1000)
    outbox = opened(path)
    assert "was damaged" in outbox.file.aside
    assert due(outbox, 0.0) == []
    assert len(say(outbox, "a")) == 1


def test_a_file_that_is_damaged_while_it_is_used_is_begun_anew(outbox: EventOutbox) -> None:
    say(outbox, "a")
    before = outbox.epoch
    with sqlite3.connect(outbox.file.path) as other:
        other.execute("DROP TABLE event")
    other.close()
    assert len(say(outbox, "b")) == len(outbox) == 1
    assert outbox.epoch != before
    assert outbox.file.aside


def test_a_file_that_is_deleted_takes_nothing_with_it(outbox: EventOutbox) -> None:
    say(outbox, *"ab")
    due(outbox, 0.0)
    for one in outbox.file.path.parent.glob("events.db*"):
        one.unlink()
    outbox.keep(NOON, [(TOPIC, b'{"id": "c"}')])
    outbox.file.mend()
    assert [json.loads(row.payload)["id"] for row in outbox.due(1.0, 9)] == [*"abc"]
    outbox.close()
    assert len(opened(outbox.file.path)) == 3


def test_where_no_file_can_be_had_it_waits_in_memory_until_one_can(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "later" / "events.db")
    assert outbox.keep(NOON, [(TOPIC, b'{"id": "a"}')])
    assert "in memory only" in outbox.file.trouble
    (tmp_path / "later").mkdir()
    outbox.file.mend()
    assert outbox.file.trouble == ""
    outbox.close()
    assert len(opened(tmp_path / "later" / "events.db")) == 1
