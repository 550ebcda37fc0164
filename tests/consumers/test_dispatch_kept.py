"""What is kept on the disk, and in which mode the next run begins."""

import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dispatch.kept import SAFER, Kept, KeptBattery, Stored, begin_in
from consumers.dispatch.modes import expire
from consumers.dispatch.resets import Tried
from consumers.dispatch.state_file import ASIDE, read, write
from schemas.messages import Cause, ControlMode, ControlRequest, Mode
from tests.consumers.test_dispatch_desk import Story, plant_site

NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
DAY = 86_400.0


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def mode(name: Mode, who: str = "anna", lease: float | None = None) -> ControlMode:
    power = 5e3 if name is Mode.MANUAL else None
    return ControlMode(at=NOON, mode=name, who=who, power=power, until=at(lease) if lease else None)


def file(one: ControlMode, lease: float | None = None) -> Stored:
    return Stored(one, kept=Kept(at=NOON, mode=one, lease=lease))


@pytest.mark.parametrize(("here", "there"), list(product(Mode, Mode)))
def test_it_begins_in_the_safer_of_both(here: Mode, there: Mode) -> None:
    control = begin_in(file(mode(here, "file")), Stored(mode(there, "broker")), at(1), 1.0)
    lockout = Mode.LOCKOUT in (here, there)
    assert lockout == (control.mode.mode is Mode.LOCKOUT)
    assert control.mode.mode is max(here, there, key=lambda one: SAFER[one])
    if SAFER[here] == SAFER[there]:
        assert control.mode.who == "file", "it was written before the broker was told"


@pytest.mark.parametrize(
    ("here", "there", "begins", "words"),
    [
        (Stored(), Stored(), Mode.AUTO, "started"),
        (file(mode(Mode.LOCKOUT)), Stored(), Mode.LOCKOUT, ""),
        (Stored(), Stored(mode(Mode.LOCKOUT)), Mode.LOCKOUT, ""),
        (file(mode(Mode.AUTO)), Stored(), Mode.AUTO, ""),
        (Stored(fault="x: not JSON"), Stored(), Mode.LOCKOUT, "the mode that was kept cannot be read: x: not JSON"),
        (Stored(fault="x: not JSON"), Stored(mode(Mode.AUTO)), Mode.LOCKOUT, "cannot be read"),
        (file(mode(Mode.AUTO)), Stored(fault="mode: unknown"), Mode.LOCKOUT, "cannot be read: mode: unknown"),
    ],
    ids=[
        "the first run",
        "the broker forgot",
        "the disk was changed",
        "all is well",
        "a file that cannot be read",
        "whatever the broker says",
        "a mode of the broker that cannot be read",
    ],
)
def test_what_is_unknown_is_taken_for_the_worst(here: Stored, there: Stored, begins: Mode, words: str) -> None:
    begun = begin_in(here, there, NOON, 0.0).mode
    assert begun.mode is begins
    assert words in begun.why
    if "cannot be read" in words:
        assert begun.cause == Cause.INVALID


@pytest.mark.parametrize(
    ("later", "left"),
    [(5, 15.0), (19.9, 0.1), (25, 0.0), (DAY, 0.0), (-DAY, 20.0), (-1, 20.0)],
    ids=["goes on", "to its end", "over", "the clock was set ahead", "set back: no more than there was", "a little"],
)
def test_a_lease_goes_on_after_a_restart(later: float, left: float) -> None:
    one = mode(Mode.MANUAL, lease=20)
    control = begin_in(file(one, 20.0), Stored(one), at(later), 500.0)
    alive = expire(control, at(later), 500.0 + left - 0.05).mode.mode is Mode.MANUAL
    assert alive == (left > 0)
    assert expire(control, at(later), 500.0 + left).mode.mode is Mode.AUTO


@pytest.mark.parametrize(("until", "left"), [(20.0, 20.0), (-5.0, -5.0), (3e9, DAY)])
def test_a_lease_that_only_the_broker_knows_is_never_longer_than_any(until: float, left: float) -> None:
    control = begin_in(Stored(), Stored(mode(Mode.MANUAL, lease=until)), NOON, 500.0)
    assert control.ends == 500.0 + left


def test_nothing_that_is_kept_is_lost(tmp_path: Path) -> None:
    """Through the file and back, except what a clock has moved meanwhile."""
    story = Story(plant_site(tmp_path))
    story.hear_all(state="running")
    story.order()
    story.ask("lockout", id="l1", why="smoke")
    story.desk.batteries["pcs1"].resets.done(story.second)
    story.desk.peaks.peak = 88e3
    story.desk.batteries["pcs1"].lockout.stops.due(story.second)
    kept = story.desk.keep(story.now, story.second)
    assert kept is not None
    path = tmp_path / "kept.json"
    write(path, kept)
    assert read(path) == Stored(kept.mode, kept=kept)
    other = Story(plant_site(tmp_path))
    other.desk.begin(read(path), Stored(), story.now, 3.0)
    again = other.desk.keep(story.now, 3.0)
    assert again == kept
    assert other.desk.hear(_auto(story, "l1"), story.now, 4.0).cause == Cause.DUPLICATE


def _auto(story: Story, name: str) -> ControlRequest:
    return ControlRequest(id=name, at=story.now, mode=Mode.AUTO, who="anna")


@given(
    age=st.none() | st.floats(0, 1e6),
    tried=st.sampled_from(Tried),
    clock=st.floats(-1e8, 1e8),
    mono=st.floats(0, 1e7),
    count=st.integers(0, 10**6),
)
def test_any_state_can_be_gone_on_from(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    age: float | None,
    tried: Tried,
    clock: float,
    mono: float,
    count: int,
) -> None:
    story = Story(plant_site(tmp_path_factory.mktemp("site")))
    reset = None if age is None else (tried, age)
    its = KeptBattery(reset=reset, starts=(count, 30.0), stops=(count, 0.0))
    kept = Kept(at=NOON, mode=mode(Mode.AUTO), batteries={"pcs1": its})
    story.desk.begin(Stored(kept.mode, kept=kept), Stored(), at(clock), mono)
    again = story.desk.keep(at(clock), mono)
    assert again is not None
    one = again.batteries["pcs1"]
    assert one.starts[0] == count
    assert one.starts[1] == pytest.approx(30.0)
    if age is not None and one.reset is not None:
        assert one.reset[1] >= age - 1e-6, "a clock that was set back makes no reset younger"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"at": "2026-06-10T10:00:00Z"}', b'{"at": 1e999}', b"\0" * 4096],
)
def test_a_file_that_cannot_be_read_is_set_aside_and_is_no_auto(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dispatch-plant.json"
    path.write_bytes(content)
    found = read(path)
    assert found.mode is None
    assert str(path) in found.fault
    assert path.with_name(path.name + ASIDE).read_bytes() == content
    assert begin_in(found, Stored(), NOON, 0.0).mode.mode is Mode.LOCKOUT
    path.unlink(missing_ok=True)
    assert read(path) == Stored(), "there never was one"


def test_a_newer_program_may_have_kept_more(tmp_path: Path) -> None:
    path = tmp_path / "dispatch-plant.json"
    write(path, Kept(at=NOON, mode=mode(Mode.LOCKOUT)))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"more": 1}), encoding="utf-8")
    assert read(path).mode == mode(Mode.LOCKOUT)


WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime, timedelta
from consumers.dispatch.kept import Kept
from consumers.dispatch.state_file import write
from schemas.messages import ControlMode, Mode
noon, number = datetime(2026, 6, 10, 10, tzinfo=UTC), 0
print("begun", flush=True)
while True:
    number += 1
    mode = ControlMode(at=noon, mode=Mode.LOCKOUT, who="anna", why="x" * (number % 5000))
    write(Path(sys.argv[1]), Kept(at=noon + timedelta(seconds=number), mode=mode))
"""


def test_killed_while_it_writes_it_has_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "dispatch-plant.json"
    for number in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.05 + 0.007 * number)
            writer.kill()
        found = read(path)
        assert found.fault == ""
        assert found.mode is not None
        assert found.mode.mode is Mode.LOCKOUT


def test_a_disk_that_takes_nothing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "dispatch-plant.json"
    write(path, Kept(at=NOON, mode=mode(Mode.LOCKOUT)))
    path.with_name(path.name + ".new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write(path, Kept(at=NOON, mode=mode(Mode.AUTO)))
    assert read(path).mode == mode(Mode.LOCKOUT)
    assert not stat.S_ISCHR(os.stat(path).st_mode)  # noqa: PTH116  # the file itself, not what a link names
