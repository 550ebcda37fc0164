"""Loads that wait for what is on its way, where a device is not heard for a while."""

from pathlib import Path

from tests.consumers.test_load_desk import BATTERY, SWITCHED, Story


def test_a_battery_that_is_heard_for_the_first_time_makes_no_room_for_a_load(tmp_path: Path) -> None:
    """All that it gave by then counted as on its way to the meter, which showed it long ago: after a start of the whole
    site a load went on beyond the import limit, and stayed so for its minimum time."""
    it = Story(tmp_path, SWITCHED + "minimum_on = 300\n", more=BATTERY.format(backup=0))
    it.base, it.rests["pcs"]["p"] = 90e3, 50e3
    it.silent = {"pcs", "two"}
    it.tick(4)
    it.silent = set()
    for _ in range(30):
        it.tick(2)
        assert it.shares["two"] == 0.0, it.why("two")
