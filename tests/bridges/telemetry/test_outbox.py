"""A sample leaves the outbox when the archive has it, and not before."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridges.telemetry.outbox import AGAIN, OVERHEAD, Outbox
from bridges.telemetry.outbox_rows import Row
from tests.bridges.telemetry.samples import sample

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def keep(spool: Outbox, device: str = "meter", size: int = 100) -> Row:
    row = sample(spool, device, size=size)
    row = replace(row, at=(NOON + timedelta(seconds=row.key[2])).timestamp())
    assert spool.keep([row])
    return row


def waiting(spool: Outbox, now: float = 0.0) -> list[int]:
    return [row.key[2] for row in spool.backlog(now)]


def test_a_sample_waits_until_it_is_confirmed(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    for _ in range(5):
        keep(spool)
    assert waiting(spool) == [1, 2, 3, 4, 5]
    assert spool.confirm([("meter", spool.epoch, [(1, 2), (4, 4)])]) == 3
    assert waiting(spool) == [3, 5]
    assert spool.confirm([("meter", "f" * 16, [(1, 9)])]) == 0, "another epoch's confirmation is not ours"
    assert spool.confirm([("pcs", spool.epoch, [(1, 9)])]) == 0
    assert len(spool) == 2
    spool.close()


def test_what_was_sent_is_sent_again_only_after_a_while(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    one = keep(spool)
    spool.sent(one.key, 100.0)
    assert spool.backlog(100.0 + AGAIN / 2) == []
    assert len(spool.backlog(100.0 + AGAIN)) == 1
    spool.forget_sent()
    assert len(spool.backlog(100.0)) == 1
    spool.close()


def test_a_long_backlog_is_read_once_and_again_when_it_is_due(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    spool.keep([sample(spool, at=float(number)) for number in range(1, 1001)])
    seen: list[int] = []
    for turn in range(12):
        for row in spool.backlog(100.0 + turn / 100, most=100):
            spool.sent(row.key, 100.0 + turn / 100)
            seen.append(row.key[2])
    assert seen == [*range(1, 1001)]
    assert waiting(spool, 100.0 + AGAIN + 1)[:3] == [1, 2, 3]
    spool.close()


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.db")
    keep(first)
    first.confirm([("meter", first.epoch, [(1, 1)])])
    first.close()
    second = Outbox(tmp_path / "outbox.db")
    assert (second.epoch, second.next("meter")) == (first.epoch, 2)
    second.close()


def test_a_deleted_outbox_never_reuses_an_identity(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.db")
    first.close()
    for file in tmp_path.iterdir():
        file.unlink()
    second = Outbox(tmp_path / "outbox.db")
    assert second.epoch != first.epoch
    second.close()


def test_past_the_cap_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db", most_rows=3)
    for _ in range(5):
        keep(spool)
    assert waiting(spool) == [3, 4, 5]
    assert (spool.dropped, len(spool)) == (2, 3)
    spool.close()


def test_the_cap_counts_bytes_too_and_remembers_what_it_cost(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db", most_bytes=10 * (1000 + OVERHEAD))
    for _ in range(12):
        keep(spool, size=1000)
    keep(spool, size=5000)
    assert waiting(spool) == [8, 9, 10, 11, 12, 13], "one large sample costs five of the others"
    spool.close()
    again = Outbox(tmp_path / "outbox.db")
    assert (again.dropped, len(again)) == (7, 6)
    again.close()


def test_it_remembers_of_which_hours_it_gave_up_samples(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db", most_rows=1)
    hours = [100, 100, 101, 102, 105, 106, 2000]
    for hour in hours:
        spool.keep([sample(spool, at=hour * 3600 + 1799.9)])
        if hour == 106:
            assert spool.dropped_hours == {"meter": [(100, 102), (105, 105)]}
            spool.close()
            spool = Outbox(tmp_path / "outbox.db", most_rows=1)
            assert spool.dropped_hours == {"meter": [(100, 102), (105, 105)]}
    assert spool.dropped_hours == {"meter": [(100, 102), (105, 106)]}
    keep(spool)
    keep(spool)
    start = int(NOON.timestamp() // 3600)
    assert spool.dropped_hours == {"meter": [(start, start)]}, "what the archive asks no longer is forgotten"
    assert spool.dropped == len(hours) + 1
    spool.close()


def test_a_full_disk_is_said_and_ends(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    rows = [keep(spool, size=3000) for _ in range(5)]
    pages = spool.file._db.execute("PRAGMA page_count").fetchone()[0]
    spool.file._db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk does
    assert not spool.keep([sample(spool, size=50_000)])
    assert "cannot keep samples: database or disk is full" in spool.trouble
    kept = len(spool)
    assert spool.confirm([("meter", spool.epoch, [(1, len(rows))])]) == len(rows)
    assert keep(spool, size=3000).key[2] == len(rows) + 1, "the number was free again"
    assert (len(spool), spool.trouble) == (kept - len(rows) + 1, "")
    spool.close()


def test_who_looks_on_sees_what_was_sent(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    keep(spool)
    keep(spool)
    spool.mark_sent(spool.backlog(0, most=1))
    assert spool.file._db.execute("SELECT seq, sent FROM outbox ORDER BY seq").fetchall() == [(1, 1), (2, 0)]
    assert spool.oldest() == (NOON + timedelta(seconds=1)).timestamp()
    spool.checkpoint()
    spool.close()


def test_a_new_epoch_begins_at_one_and_keeps_what_waits(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox.db")
    old = keep(spool).key[0]
    spool.renew()
    assert keep(spool).key == (spool.epoch, "meter", 1)
    assert {row.key[0] for row in spool.backlog(0)} == {old, spool.epoch}
    spool.close()
    again = Outbox(tmp_path / "outbox.db")
    assert (again.epoch, again.next("meter")) == (spool.epoch, 2)
    again.close()


def test_a_killed_process_loses_nothing_it_has_kept(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from bridges.telemetry.outbox import Outbox; from bridges.telemetry.outbox_rows import Row\n"
        "s = Outbox(Path(sys.argv[1]))\n"
        "for n in range(10**6):\n"
        "    s.keep([Row((s.epoch, 'meter', s.next('meter')), float(n), b'x')])\n"
        "    print(n + 1, flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "outbox.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(next(process.stdout)) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    spool = Outbox(tmp_path / "outbox.db")
    assert len(spool) >= said[-1]
    assert spool.next("meter") == len(spool) + 1
    spool.close()
