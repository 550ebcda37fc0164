"""Loads in the energy balance: what is measured of them, what is not, and when it does not add up. No broker."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.alarms.catalog import load_catalog
from consumers.dispatch.balance_watch import BalanceWatch
from consumers.dispatch.modes import begin
from consumers.dispatch.service import Dispatch
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Telemetry
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import Quality
from tests.consumers.test_dispatch_desk import NOON, SITE, TARIFF

LOADS = """
    { name = "hall", profile = "eastron_sdm630", address = "tcp://127.0.0.1:506", measures = "load" },
    { name = "press", profile = "eastron_sdm630", address = "tcp://127.0.0.1:507", measures = "load"%s },
    { name = "pv_meter", profile = "eastron_sdm630", address = "tcp://127.0.0.1:508" },
]
"""


def load_plant(folder: Path, behind: str = "", more: str = "") -> Site:
    """The plant with two loads and the PV's own meter."""
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    devices = SITE.format(name="plant", battery="").rstrip().removesuffix("]") + LOADS % behind
    (folder / "site.toml").write_text(devices + more, encoding="utf-8")
    return load_site(folder / "site.toml")


class Story:
    """Two seconds between readings, as between two commands."""

    def __init__(self, site: Site) -> None:
        self.watch, self.mono = BalanceWatch(site), 0.0

    def run(self, seconds: float, powers: Mapping[str, float], **more: Any) -> str:
        begin = self.mono
        while self.mono < begin + seconds:
            self.mono += 2.0
            for device, power in powers.items():
                at = NOON + timedelta(seconds=self.mono)
                sample = Telemetry(at=at, epoch="0" * 16, seq=int(self.mono), values={"p": power}, **more)
                self.watch.hear(device, sample, self.mono)
            self.watch.look(self.mono)
        return self.watch.words


FINE = {"grid": 30e3, "pcs1": 10e3, "pv1": 20e3, "hall": 40e3, "press": 15e3, "pv_meter": 20e3}
"""60 kW come in, 55 kW are measured. The PV's own meter is part of no balance."""


def test_a_balance_with_a_rest_is_fine(tmp_path: Path) -> None:
    assert Story(load_plant(tmp_path)).run(3600, FINE) == ""


def test_loads_that_draw_more_than_comes_in_are_said_after_a_while_and_not_before(tmp_path: Path) -> None:
    story = Story(load_plant(tmp_path))
    assert story.run(298, FINE | {"hall": 80e3}) == ""
    words = story.run(10, FINE | {"hall": 80e3})
    assert words == (
        "the measured loads (hall 80.0 kW, press 15.0 kW) draw 35.0 kW more than grid, batteries and PV bring"
    )
    assert story.run(2, FINE | {"hall": 81e3}) == words, "it is told once"
    assert story.run(600, FINE) == ""


@pytest.mark.parametrize("what", ["a start", "within the meters' error", "a rest of nothing"])
def test_what_passes_or_is_small_is_no_trouble(tmp_path: Path, what: str) -> None:
    story = Story(load_plant(tmp_path))
    powers = {"a start": 55e3, "within the meters' error": 48e3, "a rest of nothing": 45e3}[what]
    story.run(60, FINE)
    story.run(200 if what == "a start" else 3600, FINE | {"hall": powers})
    assert story.run(600, FINE) == ""


@pytest.mark.parametrize("device", ["grid", "pcs1", "pv1", "hall"])
def test_who_is_silent_proves_nothing(tmp_path: Path, device: str) -> None:
    story = Story(load_plant(tmp_path))
    wrong = FINE | {"press": 80e3}
    assert story.run(400, wrong)
    assert story.run(60, {name: power for name, power in wrong.items() if name != device}) == ""
    assert story.run(400, wrong)
    assert story.run(2, wrong, quality={"p": Quality.IMPLAUSIBLE}) == ""


def test_a_load_behind_another_is_counted_once(tmp_path: Path) -> None:
    powers = FINE | {"hall": 58e3, "press": 50e3}
    assert Story(load_plant(tmp_path)).run(600, powers)
    assert Story(load_plant(tmp_path, ', behind = "hall"')).run(600, powers) == ""


def test_without_any_load_that_is_measured_a_load_below_zero_is_said(tmp_path: Path) -> None:
    site = load_plant(tmp_path)
    site = site.model_copy(update={"device": [one for one in site.device if one.measures is None]})
    assert Story(site).run(400, FINE) == ""
    assert Story(site).run(400, FINE | {"grid": -40e3}) == (
        "grid, batteries and PV come to -10.0 kW: no load gives power"
    )


REFUSED = {
    "a load nobody has": (', behind = "cellar"', "names device 'cellar'"),
    "no load": (', behind = "pv_meter"', "'pv_meter' is no load whose power is measured; there is: hall"),
    "itself": (', behind = "press"', "would stand behind itself"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_load_stands_behind_a_load(tmp_path: Path, what: str) -> None:
    behind, words = REFUSED[what]
    with pytest.raises(Trouble, match=words):
        load_plant(tmp_path, behind)


def test_dispatch_tells_it_of_itself_and_an_alarm_stands_for_it(tmp_path: Path) -> None:
    """From what is heard to the cause of the service that the catalog has an alarm for."""
    site = load_plant(tmp_path)
    dispatch = Dispatch(Part("dispatch", site, Settings(parse_broker("mqtt://127.0.0.1:1", "dispatch", None, {}), "")))
    dispatch.desk.control = begin(NOON)

    def after(seconds: range, **powers: float) -> list[str]:
        for second in seconds:
            now = NOON + timedelta(seconds=second)
            for device, power in (FINE | powers).items():
                sample = Telemetry(at=now, epoch="0" * 16, seq=second, values={"p": power})
                dispatch.desk.read(device, sample, now, float(second))
            dispatch.desk.instruct(now, float(second))
        dispatch._noting.limits()
        return [str(cause) for cause in dispatch.part.causes.names]

    assert after(range(1, 100)) == []
    assert after(range(100, 500), hall=90e3) == ["balance_implausible"]
    rules = [one for one in load_catalog().services if one.contains == "balance_implausible"]
    assert [rule.device for rule in rules] == ["dispatch"]
    assert after(range(500, 700)) == []
