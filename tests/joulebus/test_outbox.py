"""What the outbox holds can be seen while the bridge writes to it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridges.telemetry.outbox import Outbox
from joulebus.cli import main
from joulebus.outbox import Waiting, look, report
from schemas.troubles import Trouble
from tests.bridges.conftest import DEMO
from tests.bridges.telemetry.samples import sample

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


def fill(spool: Outbox, device: str, count: int, *, sent: bool = False) -> None:
    rows = [sample(spool, device, size=1000) for _ in range(count)]
    spool.keep([replace(row, at=NOON + row.key[2]) for row in rows], sent=sent)


def test_what_waits_and_what_was_given_up(tmp_path: Path) -> None:
    spool = Outbox(tmp_path / "outbox-demo-bridge.db", most_rows=5)
    fill(spool, "bms", 2)
    fill(spool, "meter", 3, sent=True)
    fill(spool, "meter", 2)
    assert look(spool.path) == [
        Waiting("bms", 1, 1000, NOON + 2, NOON + 2, 0, 1),
        Waiting("meter", 4, 4000, NOON + 2, NOON + 5, 2, 1),
    ]
    lines = [*report(spool.path, NOON + 7205)]
    assert lines[0].endswith("5 samples, 5 kB")
    assert lines[1] == "  3 wait to be sent, 2 were sent and wait for the archive, 2 were dropped"
    assert "2026-06-01 12:00:02 .. 2026-06-01 12:00:05  oldest 2 h  1 dropped" in lines[3]
    spool.close()


def test_what_nobody_takes_is_said(tmp_path: Path) -> None:
    path = tmp_path / "outbox-demo-bridge.db"
    path.write_text("no database " * 1000, encoding="utf-8")
    spool = Outbox(path)
    fill(spool, "old_meter", 2)
    fill(spool, "meter", 1)
    assert [one.served for one in look(path)] == [True, True], "nobody has said so yet"
    spool.serve(["meter", "bms"])
    assert [(one.device, one.served) for one in look(path)] == [("meter", True), ("old_meter", False)]
    lines = [*report(path, NOON + 3 * 86_400)]
    assert "old_meter" in lines[3]
    assert "2 samples" in lines[3]
    assert "oldest 3 d" in lines[3]
    assert "no device old_meter any more" in lines[4]
    assert "until they are 30 d old" in lines[4]
    assert ".damaged-" in lines[5]
    assert "set aside" in lines[5]
    spool.close()


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = Outbox(tmp_path / "outbox-demo-bridge.db")
    fill(spool, "meter", 3)
    monkeypatch.setenv("JOULEBUS_STATE", str(tmp_path))
    assert main(["outbox", "--site", str(DEMO)]) == 0
    by_site = capsys.readouterr().out
    assert main(["outbox", str(spool.path)]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == by_site.splitlines()[:2]
    assert "3 samples, 3 kB" in by_site
    spool.close()


def test_what_is_not_an_outbox_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Trouble, match="there is no outbox"):
        look(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("hello" * 1000, encoding="utf-8")
    with pytest.raises(Trouble, match="is not an outbox"):
        look(tmp_path / "text.db")
    assert main(["outbox", str(tmp_path / "none.db")]) == 1
    assert "there is no outbox" in capsys.readouterr().err
