"""The reactive power that the network operator wants goes out with the setpoints."""

from pathlib import Path

import pytest

from schemas.site_file import load_site
from schemas.troubles import Trouble
from tests.consumers.test_dispatch_batteries import SITE, Both, two
from tests.consumers.test_dispatch_desk import plant_site


def both(folder: Path, rule: str) -> Both:
    path = two(folder)._folder / "site.toml"
    text = SITE.format(name="plant").replace("export_limit = 100e3 }", f"export_limit = 100e3, reactive = {rule} }}")
    path.write_text(text, encoding="utf-8")
    return Both(load_site(path))


def test_each_inverter_is_told_its_part(tmp_path: Path) -> None:
    story = both(tmp_path, "{ q = 30e3 }")
    story.hear_both(grid=90e3)
    orders = story.orders()
    assert sum(order.values["q_set"] for order in orders.values()) == pytest.approx(30e3, abs=1)
    assert all("p_set" in order.values for order in orders.values())


def test_at_the_meter_it_comes_to_the_power_factor(tmp_path: Path) -> None:
    """60 kW and 40 kvar are drawn; 0.95 allows 0.329 of the active power, 19.7 kvar."""
    story, given = both(tmp_path, "{ meter_power_factor = 0.95 }"), 0.0
    for _ in range(120):
        story.hear_both(grid=60e3)
        story.hear("grid", p=60e3, q=40e3 - given)
        given = sum(order.values["q_set"] for order in story.orders().values())
    assert 20.3e3 < given < 20.7e3


def test_active_power_comes_first(tmp_path: Path) -> None:
    story = both(tmp_path, "{ q = 30e3 }")
    for _ in range(3):
        story.hear_both(grid=200e3)  # both are at their ratings, and these are their apparent powers as well
        orders = story.orders()
    assert {pcs: order.values for pcs, order in orders.items()} == {
        "pcs1": {"p_set": 100e3, "q_set": 0.0},
        "pcs2": {"p_set": 50e3, "q_set": 0.0},
    }


def test_an_action_is_sent_alone_and_a_site_without_a_rule_tells_none(tmp_path: Path) -> None:
    story = both(tmp_path, "{ q = 30e3 }")
    story.hear_both(states=("off", "running"))
    orders = story.orders()
    assert all(not order.values for order in orders.values() if order.action is not None)
    plain = Both(two(tmp_path))
    plain.hear_both()
    assert all("q_set" not in order.values for order in plain.orders().values())


@pytest.mark.parametrize(
    ("pcs", "meter", "rule", "words"),
    [
        ("refustore_88k", "janitza_umg96rme", "{ q = 0 }", "can be told a reactive power"),
        ("sinexcel_pws2", "carlo_gavazzi_em24_rtu", "{ meter_power_factor = 0.95 }", "no q"),
    ],
)
def test_a_rule_nobody_could_follow_is_refused(tmp_path: Path, pcs: str, meter: str, rule: str, words: str) -> None:
    site = plant_site(tmp_path)._folder / "site.toml"
    text = site.read_text(encoding="utf-8").replace("sinexcel_pws2", pcs).replace("janitza_umg96rme", meter)
    site.write_text(text.replace("export_limit = 100e3 }", f"export_limit = 100e3, reactive = {rule} }}"))
    with pytest.raises(Trouble, match=words):
        load_site(site)
