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
    text = text.replace("sunspec_pv", "growatt_tl_x")
    site.write_text(text.replace("export_limit = 100e3 }", f"export_limit = 100e3, reactive = {rule} }}"))
    with pytest.raises(Trouble, match=words):
        load_site(site)


@pytest.mark.parametrize(("q", "power"), [(20e3, 40e3), (-20e3, 40e3), (20e3, -40e3), (-20e3, -40e3)])
def test_a_pcs_that_takes_a_power_factor_only_is_told_one(tmp_path: Path, q: float, power: float) -> None:
    """Over-excited is positive, whether it charges or discharges."""
    story = both(tmp_path, f"{{ q = {q} }}")
    site = story.desk.site
    own = site.profiles["pcs2"].commands
    factor = own["q_set_pct"].model_copy(update={"low": -1.0, "high": 1.0, "fallback": 1.0})
    commands = {name: one for name, one in own.items() if name != "q_set_pct"} | {"pf_set": factor}
    site.profiles["pcs2"] = site.profiles["pcs2"].model_copy(update={"commands": commands})
    story = Both(site)
    story.hear_both(grid=power)
    for _ in range(20):
        story.hear_both(grid=power)
        orders = story.orders()
    values, told = orders["pcs2"].values, orders["pcs2"].wanted.power
    assert values.keys() == {"p_set", "pf_set"}
    assert abs(values["pf_set"]) == 1.0 if told == 0 else 0.8 <= abs(values["pf_set"]) < 1.0
    assert told == 0 or values["pf_set"] * q > 0
    assert sum(one.reactive or 0.0 for one in orders.values()) == pytest.approx(q, abs=1)


def test_who_does_not_give_it_is_named_after_a_while_and_others_give_it(tmp_path: Path) -> None:
    story = both(tmp_path, "{ q = 30e3 }")
    for _ in range(45):
        story.hear_both()
        story.hear("pcs2", p=0.0, q=0.0, state="running")
        orders = story.orders()
        if story.second < 160:
            assert orders["pcs1"].reactive == pytest.approx(20e3, abs=1), "it has a minute"
    assert orders["pcs1"].reactive == pytest.approx(30e3, abs=1)
    assert "pcs2 gives 0.0 kvar, not the" in story.desk.detail
