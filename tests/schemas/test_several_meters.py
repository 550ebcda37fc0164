"""Several meters of one grid connection in the site file: who may be named, and what stands for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from joulebus.check import check
from schemas.messages import Telemetry
from schemas.pace import too_slow
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import Kind
from simulator.past import past

TWO = Path(__file__).parents[1] / "two_meters.toml"


def written(folder: Path, *changes: tuple[str, str]) -> Site:
    """The site of two meters with other words. Raises Trouble."""
    text = TWO.read_text(encoding="utf-8").replace("../tariff.toml", str(TWO.parents[1] / "tariff.toml"))
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    (folder / "site.toml").write_text(text, encoding="utf-8")
    return load_site(folder / "site.toml")


def test_the_sum_is_one_more_device(tmp_path: Path) -> None:
    site = written(tmp_path)
    grid = site.named(site.grid.meter)
    assert (grid.name, grid.members, grid.poll) == ("grid", ("north", "south"), 1.0), "as slow as the slower one"
    assert site.profiles["grid"].kind is Kind.METER
    assert [one.name for one in site.of_kind(Kind.METER)] == ["north", "south", "grid"]
    assert "grid" not in [one.name for one in site.device], "nobody looks for it on a line"


@pytest.mark.parametrize("written_as", ['"north"', '["north"]'])
def test_one_in_brackets_is_one_meter(tmp_path: Path, written_as: str) -> None:
    site = written(tmp_path, ('["north", "south"]', written_as))
    assert site.grid.meter == "north"
    assert site.devices == site.device


WRONG: dict[str, tuple[tuple[str, str], str]] = {
    "a meter that does not exist": (('"south"]', '"sout"]'), r"grid.meter: names device 'sout'; there is: bms, north"),
    "one named twice": (('"south"]', '"north"]'), r"grid.meter: north is named twice: its power would count twice"),
    "none": (('["north", "south"]', "[]"), r"grid.meter"),
    "something else than a meter": (('"south"]', '"pv"]'), r"grid.meter: device 'pv' is a pv, a meter is needed"),
    "a device with the sum's name": (('name = "pv"', 'name = "grid"'), r"device.4.name: device 'grid' has the name"),
    "a load as a meter": (
        ('name = "south"\n', 'name = "south"\nmeasures = "load"\n'),
        r"device.3.measures: device 'south' is the grid's meter",
    ),
    "the delay of a device that is no grid meter": (
        ('name = "pv"\n', 'name = "pv"\ndelay = 3\n'),
        r"device.4.delay: device 'pv': delay is reckoned with where a loop is closed over a meter",
    ),
    "the mean of a day": (('name = "north"\n', 'name = "north"\naveraging = 900\n'), r"device.2.averaging: .*60"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_meant_is_refused_where_it_stands(tmp_path: Path, what: str) -> None:
    change, words = WRONG[what]
    with pytest.raises(Trouble, match=rf"site.toml:\d+: {words}"):
        written(tmp_path, change)


LATE: dict[str, tuple[str, str, float | None]] = {
    "nobody says": ("", "", None),
    "the later one counts": ("delay = 1", "delay = 8", 8.0),
    "a mean is as late as its end": ("averaging = 10", "delay = 2", 10.0),
    "both of one": ("delay = 2\naveraging = 10", "delay = 2", 12.0),
    "the other one may still be late": ("delay = 1", "", 5.0),
    "but the known one is later": ("delay = 8", "", 8.0),
    "prompt": ("delay = 0", "delay = 0.0", 0.0),
}


@pytest.mark.parametrize("case", LATE)
def test_the_sum_is_as_late_as_the_latest(tmp_path: Path, case: str) -> None:
    north, south, late = LATE[case]
    change = [(f'name = "{name}"\n', f'name = "{name}"\n{key}\n') for name, key in (("north", north), ("south", south))]
    assert written(tmp_path, *change).named("grid").late == late


def test_check_names_the_sum_and_the_meter_that_is_too_slow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = written(tmp_path, ('name = "south"\n', 'name = "south"\npoll = 5\n'))
    assert [one.split(":")[0] for one in too_slow(site)] == ["device south"]
    assert check(tmp_path / "site.toml") == 0
    assert "grid       meter  the sum of north + south" in capsys.readouterr().out


def test_rules_may_name_the_sum(tmp_path: Path) -> None:
    rule = '[[alarm]]\nname = "much"\ndevice = "grid"\nabove = 400e3\n\n[[device]]\nname = "pv"'
    assert written(tmp_path, ('[[device]]\nname = "pv"', rule)).alarms[0].device == "grid"


def test_the_past_of_a_demo_has_the_sum(tmp_path: Path) -> None:
    start = datetime(2026, 6, 16, 10, tzinfo=UTC)
    found: dict[str, list[Telemetry]] = {}
    for device, sample in past(written(tmp_path), start, start + timedelta(minutes=15)):
        found.setdefault(device, []).append(sample)
    parts = [found["north"], found["south"], found["grid"]]
    assert len(found["grid"]) == 3
    for north, south, grid in zip(*parts, strict=True):
        assert grid.number("p") == pytest.approx((north.number("p") or 0.0) + (south.number("p") or 0.0))
        assert grid.at == north.at
