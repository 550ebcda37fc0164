"""A sample leaves the outbox when the archive has it, and not before."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridges.spool import AGAIN, Spool
from schemas.messages import Telemetry
from schemas.troubles import Trouble

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def keep(spool: Spool, device: str = "meter") -> Telemetry:
    seq = spool.next(device)
    sample = Telemetry(at=NOON + timedelta(seconds=seq), epoch=spool.epoch, seq=seq, values={"p": float(seq)})
    spool.keep(device, sample)
    return sample


def test_a_sample_waits_until_it_is_confirmed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "outbox.db")
    for _ in range(5):
        keep(spool)
    assert [key[2] for key, _ in spool.backlog(0)] == [1, 2, 3, 4, 5]
    assert spool.confirm("meter", spool.epoch, [(1, 2), (4, 4)]) == 3
    assert [key[2] for key, _ in spool.backlog(0)] == [3, 5]
    assert spool.confirm("meter", "f" * 16, [(1, 9)]) == 0, "another epoch's confirmation is not ours"
    assert spool.confirm("pcs", spool.epoch, [(1, 9)]) == 0
    assert len(spool) == 2
    spool.close()


def test_what_was_sent_is_sent_again_only_after_a_while(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "outbox.db")
    sample = keep(spool)
    spool.sent((sample.epoch, "meter", sample.seq), 100.0)
    assert spool.backlog(100.0 + AGAIN / 2) == []
    assert len(spool.backlog(100.0 + AGAIN)) == 1
    spool.forget_sent()
    assert len(spool.backlog(100.0)) == 1
    spool.close()


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path / "outbox.db")
    keep(first)
    first.confirm("meter", first.epoch, [(1, 1)])
    first.close()
    second = Spool(tmp_path / "outbox.db")
    assert (second.epoch, second.next("meter")) == (first.epoch, 2)
    second.close()


def test_a_deleted_outbox_never_reuses_an_identity(tmp_path: Path) -> None:
    first = Spool(tmp_path / "outbox.db")
    first.close()
    for file in tmp_path.iterdir():
        file.unlink()
    second = Spool(tmp_path / "outbox.db")
    assert second.epoch != first.epoch
    second.close()


def test_past_the_cap_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "outbox.db", most_rows=3)
    for _ in range(5):
        keep(spool)
    assert [key[2] for key, _ in spool.backlog(0)] == [3, 4, 5]
    assert (spool.dropped, len(spool)) == (2, 3)
    spool.close()


def test_a_killed_process_loses_nothing_it_has_kept(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from datetime import *; from bridges.spool import Spool\n"
        "from schemas.messages import Telemetry\n"
        "s = Spool(Path(sys.argv[1]))\n"
        "for n in range(10**6):\n"
        "    at = datetime.now(UTC); s.keep('meter', Telemetry(at=at, epoch=s.epoch, seq=s.next('meter'), values={}))\n"
        "    print(n + 1, flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "outbox.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(next(process.stdout)) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    spool = Spool(tmp_path / "outbox.db")
    assert len(spool) >= said[-1]
    assert spool.next("meter") == len(spool) + 1
    spool.close()


def test_an_outbox_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"outbox .* cannot be used"):
        Spool(tmp_path / "no" / "folder" / "outbox.db")
