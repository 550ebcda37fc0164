"""An alarm with `effect` is an interlock of the bridge; one that cannot be is refused, and stops nothing else."""

# ruff: noqa: E501  # one rule a line reads as a table

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridges.control.interlock_memory import keep, recall
from bridges.control.interlock_rules import rules_for, without_effect, wrong_effects
from bridges.control.interlock_state import State
from bridges.control.interlocks import Memory, judge
from joulebus.check import check
from schemas.messages import Value
from schemas.site import Site
from schemas.site_alarm import AlarmRule, WrongAlarm
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import Chemistry
from tests.bridges.control.interlocked import site

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
HOT: dict[str, Any] = {"point": "cell_t_max", "above": 50, "deadband": 3, "on_delay": 5, "effect": ["zero"]}


def alarmed(*alarms: Mapping[str, Any], chemistry: Chemistry = Chemistry.LFP) -> Site:
    """The demo's site with alarms of its own; names and kinds are given where they matter."""
    made = site(chemistry=chemistry)
    rules = [
        AlarmRule.model_validate({"name": "mine", **({} if "device" in one else {"kind": "bms"}), **one})
        for one in alarms
    ]
    with_them = made.model_copy(update={"alarm": rules})
    with_them.__dict__["profiles"] = made.__dict__["profiles"]
    return with_them


@pytest.mark.parametrize(
    ("alarm", "lock", "is_so"),
    [
        (HOT, "mine-bms", {"point": "cell_t_max", "above": 50, "clear": 47, "hold": 5, "off": 0, "reset": "auto", "unknown_after": 10}),
        (HOT | {"effect": ["stop"], "latched": True}, "mine-bms", {"reset": "operator", "unknown_after": 60}),
        ({"point": "cell_u_min", "below": 3.0, "deadband": 0.2, "effect": ["block_discharge"]}, "mine-bms", {"below": 3.0, "clear": 3.2}),
        ({"point": "cell_t_spread", "above": 8, "deadband": 2, "effect": ["derate"], "derate": 30}, "mine-bms", {"derate": 30, "above": 8}),
        ({"kind": "pcs", "point": "state", "equals": "standby", "off_delay": 5, "effect": ["block_start"]}, "mine-pcs", {"equals": ["standby"], "off": 5}),
        ({"point": "alarms", "contains": "relay_error", "off_delay": 5, "effect": ["zero"]}, "mine-bms", {"contains": ["relay_error"], "point": None}),
        ({"kind": "meter", "point": "p", "above": 9e4, "off_delay": 5, "effect": ["block_charge"]}, "mine-meter", {"above": 9e4}),
        ({"silent": 30, "off_delay": 5, "effect": ["zero"]}, "mine-bms", {"silent": 25}),
        ({"no_data": 60, "on_delay": 3, "off_delay": 5, "effect": ["zero"]}, "mine-bms", {"silent": 58, "hold": 0}),
        ({"device": "bms", "point": "cell_t_max", "above": 50, "hold": 4, "off": 6, "text": "Cool.", "effect": ["zero"]}, "mine-bms", {"hold": 4, "off": 6, "text": "Cool."}),
    ],
)  # fmt: skip
def test_an_alarm_with_effect_is_an_interlock(alarm: dict[str, Any], lock: str, is_so: dict[str, Any]) -> None:
    made = alarmed(alarm)
    own = {one.name: one.rule for one in rules_for(made, made.units[0]) if not one.shipped}
    assert [*own] == [lock]
    assert {key: getattr(own[lock], key) for key in is_so} == is_so
    assert wrong_effects(made) == []


@pytest.mark.parametrize(
    ("alarm", "place", "says"),
    [
        ({"when": "abs(i) > 1.05 * ccl", "latched": True, "effect": ["zero"]}, "effect", "write above, below, equals, contains, silent or no_data instead of `when`"),
        (HOT | {"deadband": 0}, "off_delay", "it would flap: give `off_delay`"),
        (HOT | {"point": "cell_tt_max"}, "point", "point 'cell_tt_max' of device 'bms' does not exist; did you mean 'cell_t_max'"),
        (HOT | {"above": 120}, "above", "120 is never reached"),
        (HOT | {"effect": ["derate"]}, "derate", "give `derate`, % of the rated power"),
        (HOT | {"derate": 40}, "derate", "`derate` goes with one of the effects derate, derate_charge, derate_discharge"),
        (HOT | {"chemistry": ["nmc"]}, "chemistry", "the battery's is lfp"),
        (HOT | {"name": "cell_too_hot"}, "effect", "an interlock cell_too_hot-bms is shipped: give the alarm another name"),
        ({"point": "alarms", "contains": "*", "off_delay": 5, "effect": ["zero"]}, "contains", "name the flag"),
        ({"point": "causes", "contains": "frozen", "off_delay": 5, "effect": ["zero"]}, "contains", "flag 'frozen' of device 'bms' does not exist"),
    ],
)  # fmt: skip
def test_one_that_cannot_is_refused_and_the_others_act(alarm: dict[str, Any], place: str, says: str) -> None:
    made = alarmed(alarm, HOT | {"name": "other"})
    assert [one.name for one in rules_for(made, made.units[0]) if not one.shipped] == ["other-bms"]
    ((where, words),) = wrong_effects(made)
    assert where == f"alarm.0.{place}"
    assert says in words
    assert without_effect(made) == [f"{where}: this alarm should hold the battery and does nothing: {words}"]


def test_an_interlock_of_the_same_name_acts_and_the_alarm_is_refused() -> None:
    lock = {"name": "mine", "kind": "bms", "contains": ["relay_error"], "off": 1.0, "effect": ["stop"]}
    made = alarmed(HOT)
    both = made.model_copy(update={"interlock": site(own=[lock]).interlock})
    both.__dict__["profiles"] = made.__dict__["profiles"]
    assert [str(one.rule.contains) for one in rules_for(both, both.units[0]) if one.name == "mine-bms"] == [
        "['relay_error']"
    ]
    assert [where for where, _ in wrong_effects(both)] == ["alarm.0.effect"]


def test_an_alarm_for_other_cells_holds_nothing_of_these() -> None:
    made = alarmed(HOT | {"chemistry": ["lfp"]}, HOT | {"name": "nmc", "chemistry": ["nmc"]})
    assert [one.name for one in rules_for(made, made.units[0]) if not one.shipped] == ["mine-bms"]


RULES = """
[[alarm]]
name = "warm"
kind = "bms"
point = "cell_t_max"
above = 50
deadband = 3
effect = ["zero"]

[[alarm]]
name = "hot"
kind = "bms"
point = "cell_tt_max"
above = 50
deadband = 3
effect = ["zero"]

[[alarm]]
name = "hottest"
kind = "bms"
point = "cell_t_max"
abov = 50
effect = ["stop"]
"""


def test_a_wrong_alarm_stops_no_site_and_check_refuses_it_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "simulator").symlink_to(ROOT / "simulator")
    (tmp_path / "tariff.toml").write_text((ROOT / "tariff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    path = tmp_path / "site.toml"
    text = (ROOT / "tests" / "one_battery.toml").read_text(encoding="utf-8").replace("../tariff", "tariff") + RULES
    path.write_text(text, encoding="utf-8")
    made = load_site(path)
    first = len(made.alarm) - 3
    own = [one.name for one in rules_for(made, made.units[0]) if not one.shipped]
    assert own == ["warm-bms"]
    assert isinstance(made.alarm[-1], WrongAlarm)
    assert made.alarm[-1].drives
    said = without_effect(made)
    assert [re.split(": ", one)[0] for one in said] == [f"alarm.{first + 2}.abov", f"alarm.{first + 1}.point"]
    line = text[: text.index('point = "cell_tt_max"')].count("\n") + 1
    with pytest.raises(Trouble, match=rf"site\.toml:{line}: alarm\.{first + 1}\.point: point 'cell_tt_max'"):
        check(path)


def test_a_latched_one_waits_for_a_person_over_a_restart() -> None:
    made = alarmed(HOT | {"effect": ["stop"], "latched": True, "on_delay": 0})
    locks = [one for one in rules_for(made, made.units[0]) if one.name == "mine-bms"]
    shown: dict[str, Value] = {"cell_t_max": 51.0}
    says = judge(locks, Memory(), lambda _, point: shown.get(point), 0.0)
    assert says.stop
    again, unknown = recall(keep(says.memory, 1.0, NOON), locks, 100.0, NOON + timedelta(minutes=1))
    assert unknown == []
    shown = {"cell_t_max": 20.0}
    says = judge(locks, again, lambda _, point: shown.get(point), 101.0)
    assert ([one.state for one in says.acting], says.stop) == ([State.LATCHED], True)


def test_between_the_limit_and_its_deadband_nothing_changes() -> None:
    made = alarmed(HOT | {"on_delay": 0})
    locks = [one for one in rules_for(made, made.units[0]) if one.name == "mine-bms"]
    memory, acts, shown = Memory(), [], [0.0]
    for second, degrees in enumerate((49.0, 50.0, 50.1, 49.0, 47.1, 47.0, 49.0, 50.0, 51.0)):
        shown[0] = degrees
        says = judge(locks, memory, lambda _, __: shown[0], float(second))
        memory = says.memory
        acts.append(bool(says.acting))
    assert acts == [False, False, True, True, True, False, False, False, True]
