"""What the next bridge must know of a device: among it, that its patience with a sender does not begin anew."""

from pathlib import Path

import pytest

from bridges.control.device_memory import DeviceMemory
from bridges.control.grid_limit import GridLimit
from runtime.memory import Memory


def begins(path: Path, now: float) -> DeviceMemory:
    memory = DeviceMemory(Memory(path), GridLimit())
    memory.recall(now)
    return memory


def test_who_is_killed_again_and_again_has_no_new_patience(tmp_path: Path) -> None:
    """Each left what it found for 10 s more, and fed the device's watchdog meanwhile."""
    path = tmp_path / "control.json"
    assert [begins(path, now).wait(now + 10.0) for now in (100.0, 108.0, 116.0)] == [110.0] * 3


def test_who_has_heard_its_sender_has(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    first = begins(path, 100.0)
    first.wait(110.0)
    first.heard()
    assert begins(path, 105.0).wait(115.0) == 115.0


def test_a_machine_that_starts_anew_counts_from_0_and_waits_no_longer_for_that(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    begins(path, 1e6).wait(1e6 + 10.0)
    assert begins(path, 5.0).wait(15.0) == 15.0


@pytest.mark.parametrize("kept", ["NaN", "Infinity", '"soon"', "null", "[]"])
def test_what_is_no_moment_is_none(kept: str, tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    path.write_text(f'{{"waits": {kept}}}')
    assert begins(path, 5.0).wait(15.0) == 15.0
