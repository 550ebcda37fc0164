"""The rules of a site in dispatch, each 2 s, told by what was heard: without broker and clock, but for one."""

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.account import account
from consumers.dispatch.kept import Kept, Stored, understood
from schemas.messages import Plan, Step
from schemas.topics import CONTROL_DISPATCH
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import TARIFF, UNBILLED, Story, plant_site
from tests.consumers.test_dispatch_service import Ear, dispatching, is_power, on_the_bus, plant_of, until

MARKET = UNBILLED.replace(
    "import.period = [{ start = 17:00:00, end = 21:00:00, price = 0.30 }, { price = 0.12 }]",
    'import.day_ahead = { file = "prices.csv" }',
)
CAP = """
rule = [{ name = "cap", when = [{ device = "grid", point = "p", above = 60e3, hold = 10 }],
          then = { import_limit = 50e3 }, off = 20 }]
"""


def story(folder: Path, rules: str, tariff: str = UNBILLED) -> Story:
    """TOML has an inline table on one line."""
    return Story(plant_site(folder, tariff=tariff, more=" ".join(rules.split()) + "\n"))


def live(one: Story, seconds: float, load: float, soc: float = 50.0) -> list[float]:
    """The battery follows its setpoint, the meter shows the load less it; the setpoints of each 2 s."""
    sent = list[float]()
    power = one.desk.batteries["pcs1"].seen.power or 0.0
    for _ in range(round(seconds / 2)):
        one.hear_all(grid=load - power, power=power, soc=soc)
        power = one.power() or 0.0
        sent.append(power)
        one.second += 2
    return sent


def told(one: Story) -> dict[str, str]:
    found = account(one.desk, {}, one.now, one.second)
    assert found is not None
    return dict(found.rules)


def schedule(one: Story, hours: int = 24, **step: Any) -> Plan:
    """A plan that rests and has prices."""
    begin = one.now.replace(second=0)
    whole = {
        "seconds": 900,
        "power": 0,
        "soc": 50,
        "grid": 80e3,
        "load": 80e3,
        "pv": 0,
        "marginal_value": 0.1,
        "reason": "rests",
    }
    prices = {"price_import": 0.2, "price_export": 0.05}
    steps = [
        Step.model_validate({"at": begin + n * timedelta(minutes=15), **whole, **prices, **step})
        for n in range(4 * hours)
    ]
    return Plan(id="1", at=begin, until=begin + timedelta(hours=1), currency="EUR", steps=steps, cost=0, cost_idle=0)


def test_a_limit_narrows_the_plan_and_the_reason_names_the_rule(tmp_path: Path) -> None:
    """80 kW of load and a plan that rests: after ten seconds above 60 kW the rule lets 50 kW pass."""
    one = story(tmp_path, CAP)
    one.desk.plans.hear(schedule(one), one.now)
    sent = live(one, 30, load=80e3)
    assert sent[:5] == [0.0] * 5
    assert sent[-1] == pytest.approx(30e3, abs=500)
    says = "rule `cap` holds: grid.p 80 kW > 60 kW for 10 s; import limit 50 kW"
    assert one.desk.doing.reason == f"rests; limited by {says}"
    assert told(one) == {"cap": says}


def test_a_rule_that_answers_itself_does_not_chatter(tmp_path: Path) -> None:
    """The rule makes its own condition false: it ends after `off`, pauses, and begins once in 30 s at most."""
    one = story(tmp_path, CAP)
    one.desk.plans.hear(schedule(one, hours=2), one.now)
    sent = live(one, 600, load=80e3)
    begins = sum(after > 1e3 > before for before, after in pairwise(sent))
    assert 1 <= begins <= 600 / (20 + 20), sent


def test_a_silent_device_makes_its_rule_unknown_and_nothing_is_proposed(tmp_path: Path) -> None:
    rules = """
    rule = [{ name = "sun", when = [{ device = "pv1", point = "p", below = 1e3 }], then = { power = 0 } }]
    """
    one = story(tmp_path, rules)
    live(one, 4, load=30e3)
    assert told(one)["sun"] == "rule `sun` is unknown and proposes nothing: nobody knows pv1.p below 1 kW"
    assert "nobody knows pv1.p" in one.desk.detail
    one.hear("pv1", p=0.0)
    assert live(one, 4, load=30e3)[-1] == 0.0
    assert one.desk.doing.reason == "rule `sun` holds: pv1.p 0 kW < 1 kW; battery power 0 kW"
    assert live(one, 20, load=30e3)[-1] == 30e3, "it has been silent for more than 10 s"


def test_a_person_steers_past_a_rule_and_it_waits(tmp_path: Path) -> None:
    rules = 'rule = [{ name = "always", when = [{ quantity = "soc", above = 0 }], then = { power = 5e3 } }]\n'
    one = story(tmp_path, rules)
    assert live(one, 4, load=30e3)[-1] == 5e3
    one.ask("manual", power=-40e3, until=one.now + timedelta(minutes=10))
    assert live(one, 4, load=30e3)[-1] == -40e3
    assert one.desk.doing.reason == "manual by anna"
    one.ask("auto")
    assert live(one, 4, load=30e3)[-1] == 5e3


def test_a_network_operator_and_the_bms_stand_above(tmp_path: Path) -> None:
    """The rule wants to charge with 90 kW at 30 kW of load; 100 kW may be drawn by the site file, so 70 kW are left."""
    rules = 'rule = [{ name = "fill", when = [{ quantity = "soc", below = 89 }], then = { power = -90e3 } }]\n'
    one = story(tmp_path, rules)
    one.desk.site.grid.__dict__["import_limit"] = 100e3
    assert live(one, 6, load=30e3)[-1] == pytest.approx(-70e3, abs=500)
    assert "limited by the import limit" in one.desk.doing.reason
    assert live(one, 6, load=30e3, soc=90.0)[-1] == 0.0


def test_a_wished_limit_of_the_feed_in_holds_for_pv_too(tmp_path: Path) -> None:
    rules = 'rule = [{ name = "none", when = [{ quantity = "soc", above = 0 }], then = { export_limit = 0 } }]\n'
    one = story(tmp_path, rules)
    live(one, 4, load=-20e3)
    found = one.desk.rules.narrowed(one.desk.limits.said(one.now), one.now)
    assert (found.export_limit, found.held[0].source, found.held[0].authority) == (0.0, "rule:none", "plan")
    assert one.desk.limits.said(one.now).export_limit == 100e3, "bridges are told no wish"
    one.ask("manual", power=0.0, until=one.now + timedelta(minutes=10))
    live(one, 2, load=-20e3)
    assert one.desk.rules.narrowed(one.desk.limits.said(one.now), one.now).export_limit == 100e3


def test_pv_is_curtailed_for_a_rule_in_auto_and_not_past_a_person(tmp_path: Path) -> None:
    """A full battery, 40 kW of PV and 20 kW of load: the rule lets nothing be fed in, the site file 100 kW."""
    rules = 'rule = [{ name = "none", when = [{ quantity = "export", above = 10e3 }], then = { export_limit = 0 } }]\n'
    one = story(tmp_path, rules)

    def told_pv(seconds: int) -> tuple[float, str]:
        for _ in range(seconds // 2):
            one.hear_all(grid=-20e3, soc=90.0)
            one.hear("pv1", p=40e3)
            sent = one.desk.instruct(one.now, one.second)
            found = one.desk.limit_pv(sent, one.now, one.second)
            one.second += 2
        return found["pv1"].values["p_limit_pct"], one.desk.pv.reason

    percent, why = told_pv(8)
    assert percent < 40
    assert "limited by rule:none as plan" in why
    one.ask("manual", power=0.0, until=one.now + timedelta(minutes=10))
    percent, why = told_pv(120)
    assert (percent, "rule" in why) == (100.0, False), "it is given back step by step"


def test_prices_of_a_tariff_without_a_market_need_no_plan(tmp_path: Path) -> None:
    """0.12 at noon, 0.30 from 17 to 21 h."""
    rules = """
    rule = [{ name = "dear", when = [{ quantity = "price_import", dearest = 4 }], then = { charge_limit = 0 } },
            { name = "cheap", when = [{ quantity = "price_import", below = 0.2 }], then = { discharge_limit = 0 } }]
    """
    one = story(tmp_path, rules, TARIFF)
    live(one, 4, load=30e3)
    assert told(one)["dear"] == "rule `dear` is idle"
    assert told(one)["cheap"] == (
        "rule `cheap` holds: the price of import 0.12 per kWh < 0.2 per kWh; discharge limit 0 kW"
    )


def test_the_prices_of_a_market_are_known_from_plans_also_after_a_restart(tmp_path: Path) -> None:
    """A plan of yesterday evening has told the whole day; the run of noon ends, and the next one still knows the
    morning."""
    rules = 'rule = [{ name = "low", when = [{ quantity = "price_import", cheapest = 2 }], then = { power = -9e3 } }]\n'
    one = story(tmp_path, rules, MARKET)
    live(one, 2, load=30e3)
    assert "nobody knows the price of import" in told(one)["low"]
    one.ahead = -13 * 3600.0 - one.second
    one.desk.plans.hear(schedule(one, hours=48), one.now)
    live(one, 2, load=30e3)
    one.ahead = 0.0
    one.desk.plans.hear(schedule(one, hours=24), one.now)
    live(one, 2, load=30e3)
    assert told(one)["low"] == "rule `low` is idle", "equal prices: the first two hours of the day"
    kept = one.desk.keep(one.now, one.second)
    assert kept is not None
    again = Story(one.desk.site)
    again.second = one.second + 60
    again.desk.begin(
        Stored(kept.mode, kept=understood(kept.model_dump_json().encode())), Stored(), again.now, again.second
    )
    again.desk.plans.hear(schedule(again, hours=24), again.now)
    live(again, 2, load=30e3)
    assert told(again)["low"] == "rule `low` is idle"


def test_what_lasts_until_a_time_outlives_a_restart(tmp_path: Path) -> None:
    rules = """
    rule = [{ name = "long", when = [{ device = "grid", point = "p", above = 60e3 }], then = { power = 7e3 },
              until = { at = "13:00" } }]
    """
    one = story(tmp_path, rules)
    live(one, 4, load=80e3)
    kept = one.desk.keep(one.now, one.second)
    assert kept is not None
    again = Story(one.desk.site)
    again.second = one.second + 600
    again.desk.begin(Stored(kept.mode, kept=kept), Stored(), again.now, again.second)
    assert live(again, 4, load=10e3)[-1] == 7e3
    again.second += 3600
    assert live(again, 4, load=10e3)[-1] == pytest.approx(10e3)


def test_time_that_passes_is_no_write(tmp_path: Path) -> None:
    """A rule that lasts, and plans that come each minute: the file is written once a quarter of an hour."""
    rules = """
    rule = [{ name = "x", when = [{ quantity = "soc", above = 0 }], then = { power = 7e3 }, until = { after = 3000 } }]
    """
    one, writes, last = story(tmp_path, rules), 0, None
    for minute in range(30):
        one.desk.plans.hear(schedule(one, hours=2, pv=float(minute)), one.now)
        live(one, 60, load=10e3)
        kept = one.desk.keep(one.now, one.second)
        assert kept is not None
        writes += kept.differs(last)
        last = kept
    assert writes <= 4


def test_a_file_from_before_there_were_rules_is_read(tmp_path: Path) -> None:
    one = story(tmp_path, CAP)
    kept = one.desk.keep(one.now, one.second)
    assert kept is not None
    old = kept.model_dump(mode="json")
    del old["rules"]
    assert Kept.model_validate_json(json.dumps(old)).rules.lasting == {}


def test_one_wrong_rule_is_refused_and_the_others_run(tmp_path: Path) -> None:
    rules = """
    rule = [{ name = "wrong", when = [{ device = "grid", point = "pp", above = 1 }], then = { power = 0 } },
            { name = "Strange name!", when = [], then = {} },
            { name = "right", when = [{ quantity = "soc", above = 0 }], then = { power = 5e3 } }]
    """
    one = story(tmp_path, rules)
    assert live(one, 4, load=30e3)[-1] == 5e3
    found = told(one)
    assert found["wrong"].startswith("refused: rule 'wrong': point 'pp' of grid does not exist; did you mean")
    assert found["rule-2"].startswith("refused: rule 'Strange name!': a name holds only")
    assert "rule 'wrong' is refused, `joulebus check` says why" in one.desk.detail


def test_a_site_without_rules_keeps_and_hears_nothing_of_them(tmp_path: Path) -> None:
    one = story(tmp_path, "")
    one.desk.plans.hear(schedule(one), one.now)
    live(one, 4, load=30e3)
    kept = one.desk.keep(one.now, one.second)
    assert kept is not None
    assert (kept.rules.day, one.desk.rules.told, one.desk.rules.complaints()) == ([], {}, [])


def test_read_only_stays_read_only(tmp_path: Path) -> None:
    """The account says what would be done, and that nothing is; the shell sends nothing in this mode."""
    site = plant_site(tmp_path, tariff=UNBILLED, more='mode = "read_only"\n' + " ".join(CAP.split()) + "\n")
    one = Story(site)
    one.desk.plans.hear(schedule(one), one.now)
    live(one, 30, load=80e3)
    said = account(one.desk, {}, one.now, one.second)
    assert said is not None
    assert said.read_only
    assert "rule `cap` holds" in said.reason


async def test_a_rule_over_the_broker_and_over_a_restart(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """30 kW are drawn: it begins, and lasts while the next run sees 5 kW. The wrong one beside it is refused."""
    rules = """
    rule = [{ name = "long", when = [{ quantity = "import", above = 20e3 }], then = { power = 7e3 },
              until = { after = 3600 } },
            { name = "wrong", when = [{ quantity = "sock", above = 1 }], then = { power = 0 } }]
    """
    site = plant_site(tmp_path, site_name, more=" ".join(rules.split()) + "\n")
    async with plant_of(broker, site_name) as plant, on_the_bus(broker, "status") as status:
        ear = Ear(status, CONTROL_DISPATCH.at(site=site_name))
        async with dispatching(broker, site, tmp_path):
            command = await plant.told(is_power(7e3))
            says = "rule `long` holds: grid import 30 kW > 20 kW; battery power 7 kW until"
            assert command.reason.startswith(says)
            await until(lambda: [one for one in ear.messages if one and one.power == 7e3])
        plant.state["grid"] = {"p": 5e3}
        async with dispatching(broker, site, tmp_path):
            assert (await plant.told(lambda _: True)).reason == command.reason
        found = next(one.rules for one in reversed(ear.messages) if one)
        assert found["long"] == command.reason
        assert found["wrong"].startswith("refused: rule 'wrong': 'sock' is not known; did you mean 'soc'?")
        await ear.stop()
