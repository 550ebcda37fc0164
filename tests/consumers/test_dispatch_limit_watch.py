"""A limit at the grid connection that is not held is said, whoever is at fault."""

from pathlib import Path

import pytest

from consumers.dispatch.limit_watch import LimitWatch
from optimizer.grid_bounds import Bounds
from schemas.messages import Telemetry
from tests.consumers.test_dispatch_desk import NOON, Story, plant_site


class Watched:
    """Seconds with a power at the grid meter; None: it says nothing."""

    def __init__(self, folder: Path, import_limit: float = 100e3, export_limit: float = 0.0) -> None:
        self.watch, self.bounds, self.mono = LimitWatch(plant_site(folder)), Bounds(import_limit, export_limit), 0.0

    def live(self, power: float | None, seconds: float) -> str:
        for _ in range(round(seconds / 2)):
            self.mono += 2.0
            if power is not None:
                said = Telemetry(at=NOON, epoch="0" * 16, seq=int(self.mono), values={"p": power})
                self.watch.hear("grid", said, self.mono)
            self.watch.look(self.bounds, self.mono)
        return self.watch.words


@pytest.mark.parametrize(
    ("power", "words"),
    [
        (101e3, ""),
        (103e3, "consumption is 103 kW, at most 100 kW may be"),
        (-900.0, ""),
        (-12e3, "feed-in is 12 kW, at most 0 kW may be"),
    ],
)
def test_what_lasts_for_a_minute_is_said(tmp_path: Path, power: float, words: str) -> None:
    it = Watched(tmp_path)
    assert it.live(power, 58) == ""
    assert it.live(power, 10) == words
    assert it.live(50e3, 4) == ""


def test_what_comes_and_goes_is_not(tmp_path: Path) -> None:
    it = Watched(tmp_path)
    for _ in range(10):
        assert it.live(150e3, 50) == ""
        it.live(90e3, 4)


def test_a_silent_meter_proves_nothing_and_ends_nothing(tmp_path: Path) -> None:
    it = Watched(tmp_path)
    it.live(150e3, 40)
    assert it.live(None, 60) == "", "nobody knows"
    it.live(150e3, 70)
    assert it.live(None, 60), "what was said is not taken back by silence"


def test_the_desk_looks_at_it(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path, more=""))
    for _ in range(40):
        story.second += 2
        story.hear("grid", p=300e3)
        story.orders()
    assert story.desk.watch.words == "consumption is 300 kW, at most 250 kW may be"
