"""Which interlocks a battery has: by its devices, by its chemistry, by the site file; a mistaken one is refused."""

# ruff: noqa: E501  # one mistake a line reads as a table

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bridges.control.interlock_rules import rules_for, shipped, unguarded
from schemas.interlock import InterlockRule
from schemas.profile import Profile
from schemas.profiles import load_profile
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import Chemistry, Kind
from tests.bridges.control.interlocked import INPUTS, locks_of, shipped_profiles, site

ROOT = Path(__file__).parents[3]
TWO = ROOT / "tests" / "two_batteries.toml"


def names(**change: Any) -> set[str]:
    return {lock.name for lock in locks_of(site(**change))}


def limits(**change: Any) -> set[str]:
    return {lock.rule.name for lock in locks_of(site(**change)) if lock.rule.chemistry}


def test_each_device_gets_what_it_has_points_and_flags_for() -> None:
    assert {"emergency_stop-inputs", "fire-inputs", "door-inputs", "insulation_too_low-inputs"} <= names()
    assert {"emergency_stop-pcs", "pcs_fault-pcs"} <= names()
    assert "emergency_stop-pcs" not in names(pcs="kaco_gridsave")
    assert {"stopped_by_hand-pcs", "door-pcs"} <= names(pcs="kaco_gridsave")
    assert "local-pcs" in names(pcs="sunspec_storage_701")
    assert {"insulation_too_low-bms", "insulation_low-bms"} <= names(bms="soltaro_single_rack_vc")
    assert "insulation_too_low-bms" not in names(bms="byd_c130")
    assert "contactor_welded-bms" in names(bms="byd_c130")
    assert not any(name.endswith(("-meter", "-pv")) for name in names())


def test_limits_of_cells_hold_for_their_chemistry_only() -> None:
    """3.65 V is an overcharged LFP cell and half a NMC cell."""
    lfp = {
        "cell_nearly_overcharged",
        "cell_over_voltage",
        "cell_over_voltage_stays",
        "cell_empty",
        "cell_under_voltage",
        "cell_dead",
    }
    assert limits() == lfp | {"cell_warm", "cells_unevenly_warm", "cell_too_hot", "cell_heats_up", "cell_freezes"}
    assert limits(chemistry=Chemistry.NMC) == {"cell_full", "cells_unevenly_warm", "cell_heats_up", "cell_freezes"}
    assert limits(chemistry=Chemistry.LTO) == set()
    assert limits(chemistry=None) == set()
    assert "over_voltage_protection-bms" in names(chemistry=None), "the BMS's own flags always act"


@pytest.mark.parametrize(
    ("chemistry", "says"),
    [
        (Chemistry.LFP, []),
        (Chemistry.NMC, ["cell_u_min too low", "cell_t_max too high"]),
        (None, ["cell_u_max too high", "cell_u_min too low", "cell_t_max too high", "cell_t_max rising fast", "cell_t_min too low"]),
    ],
)  # fmt: skip
def test_what_nobody_but_the_bms_guards_is_said(chemistry: Chemistry | None, says: list[str]) -> None:
    made = site(chemistry=chemistry)
    assert unguarded(made, made.units[0]) == says
    own = {
        "name": "low",
        "kind": "bms",
        "point": "cell_u_min",
        "below": 3.0,
        "clear": 3.2,
        "effect": ["block_discharge"],
    }
    made = site(chemistry=chemistry, own=[own])
    assert "cell_u_min too low" not in unguarded(made, made.units[0])


def test_the_site_file_adds_replaces_and_takes_out() -> None:
    hotter = {
        "name": "cell_too_hot",
        "kind": "bms",
        "point": "cell_t_max",
        "above": 60.0,
        "clear": 55.0,
        "effect": ["stop"],
    }
    smoke = {"name": "smoke", "device": "meter", "point": "p", "above": 1e6, "off": 5.0, "effect": ["zero"]}
    without = {"name": "emergency_stop", "kind": "pcs", "omit": "its bit floats"}
    locks = {lock.name: lock for lock in locks_of(site(own=[hotter, smoke, without]))}
    assert (locks["cell_too_hot-bms"].rule.above, locks["cell_too_hot-bms"].shipped) == (60.0, False)
    assert locks["smoke-meter"].points == ("p",)
    assert "emergency_stop-pcs" not in locks
    assert "emergency_stop-inputs" in locks, "that of another kind stays"


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ([{"name": "emergency_stopp", "kind": "pcs", "omit": "x"}], "interlock 'emergency_stopp' to omit does not exist; did you mean 'emergency_stop'?"),
        ([{"name": "a", "kind": "bms", "contains": ["relay_error"], "off": 1.0, "effect": ["zero"]}] * 2, "interlock 'a-bms' is given twice"),
    ],
)  # fmt: skip
def test_what_takes_out_nothing_or_hides_another_is_refused(own: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(Trouble, match=re.escape(says)):
        locks_of(site(own=own))


def test_an_input_whose_healthy_state_has_another_name_is_refused() -> None:
    """A profile that calls it `ok` would be active for ever, or, if it were left out, nobody's."""
    points = INPUTS.points | {
        "emergency_stop": INPUTS.points["emergency_stop"].model_copy(update={"enum": {"0": "hit", "1": "ok"}})
    }
    with pytest.raises(
        Trouble, match=r"emergency_stop.*state 'released' of device 'inputs' does not exist; there is: hit, ok"
    ):
        locks_of(site(inputs=INPUTS.model_copy(update={"points": points})))


# --- the site file ---------------------------------------------------------------------------------------

RULE = """
[[interlock]]
name = "mine"
kind = "bms"
point = "cell_t_max"
above = 50
clear = 45
effect = ["stop"]
reset = "operator"
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cell_t_max", "cell_tt_max", r"site\.toml:\d+: interlock\.0\.point: point 'cell_tt_max' of device 'bms' does not exist; did you mean 'cell_t_max'"),
        ("above = 50\nclear = 45", 'contains = ["relay_eror"]', r"give|`point` says"),
        ('point = "cell_t_max"\nabove = 50\nclear = 45', 'contains = ["relay_eror"]', r"interlock\.0\.contains: flag 'relay_eror' of device 'bms' does not exist; did you mean 'relay_error'"),
        ('"cell_t_max"\nabove = 50\nclear = 45', '"contactor"\nequals = ["opn"]', r"interlock\.0\.equals: state 'opn' of device 'bms' does not exist; did you mean 'open'"),
        ('"cell_t_max"\nabove = 50\nclear = 45', '"contactor"\nunless = ["close"]', r"interlock\.0\.unless: state 'close' of device 'bms' does not exist; did you mean 'closed'"),
        ('"cell_t_max"', '"contactor"', r"interlock\.0\.above: point 'contactor' of device 'bms' is no number"),
        ("above = 50\nclear = 45", 'equals = ["hot"]', r"interlock\.0\.equals: point 'cell_t_max' of device 'bms' has no states"),
        ('kind = "bms"', 'kind = "load"', r"interlock\.0\.kind: a device of kind load does not exist"),
        ('kind = "bms"', 'device = "bmss"', r"interlock\.0\.device: interlock mine names device 'bmss'; there is: bms, bms2, meter, pcs, pcs2, pv"),
        ('kind = "bms"\npoint = "cell_t_max"\nabove = 50', 'device = "bms"\npoint = "cell_t_max"\nabove = 120', r"interlock\.0\.above: 120 is never reached: the profile believes no cell_t_max of device 'bms' above 120"),
        ('kind = "bms"\npoint = "cell_t_max"\nabove = 50\nclear = 45', 'device = "bms"\npoint = "cell_t_max"\nbelow = -40\nclear = -35', r"interlock\.0\.below: -40 is never reached"),
        ('kind = "bms"\npoint = "cell_t_max"\nabove = 50\nclear = 45', 'device = "bms"\npoint = "cell_t_max"\nbelow = 121\nclear = 125', r"interlock\.0\.below: 121 is always passed: .* above 120"),
        ("clear = 45", "clear = 55", r"`clear` lies on the wrong side"),
        ('clear = 45\neffect = ["stop"]\nreset = "operator"', 'effect = ["stop"]', r"it would flap: give `off`"),
        ("clear = 45", "below = 3", r"give exactly one of above, below, .*; given: above, below"),
        ('effect = ["stop"]', "", r"an interlock without effect: give one or more of block_charge"),
        ('effect = ["stop"]', 'effect = ["stopp"]', r"'stopp'.*not known; did you mean 'stop'"),
        ('kind = "bms"', 'kind = "bms"\ndevice = "bms"', r"give either `device` or `kind`"),
        ('reset = "operator"', 'reset = "operatr"', r"'operatr' is not known; did you mean 'operator'"),
        ("above = 50", "abov = 50", r"abov: unknown key; did you mean 'above'"),
        ('reset = "operator"', 'chemistry = ["nmc"]', r"interlock\.0\.chemistry: the battery's is lfp: the interlock would never act"),
        ('reset = "operator"', 'omit = "why"', r"`omit` takes the interlock out"),
        ("hold", "hold", None),
    ],
)  # fmt: skip
def test_a_mistaken_rule_is_refused_with_file_line_and_what_would_be_right(
    tmp_path: Path, old: str, new: str, says: str | None
) -> None:
    (tmp_path / "simulator").symlink_to(ROOT / "simulator")
    (tmp_path / "tariff.toml").write_text((ROOT / "tariff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    path = tmp_path / "site.toml"
    rule = RULE.replace(old, new, 1)
    path.write_text(TWO.read_text(encoding="utf-8").replace("../tariff", "tariff") + rule, encoding="utf-8")
    if says is None:
        made = load_site(path)
        assert "mine-bms" in {lock.name for lock in rules_for(made, made.units[0])}
        return
    with pytest.raises(Trouble, match=says) as trouble:
        load_site(path)
    assert str(path) in str(trouble.value)


# --- what ships --------------------------------------------------------------------------------------------

SUMMARIES = {"current_protection", "voltage_protection", "temperature_protection"}
"""Pylontech sets them beside the flag that names the direction: they would block both."""


def flags(profile: Profile) -> set[str]:
    return {flag for point in profile.points.values() for flag in (point.flags or {}).values()}


@pytest.mark.parametrize("name", shipped_profiles(Kind.BMS))
def test_every_protection_of_every_bms_is_an_interlock(name: str) -> None:
    """Level 3 always, level 2 where it names a direction or a place."""
    named = {flag for lock in locks_of(site(bms=name)) for flag in lock.rule.contains or ()}
    levels = {flag for flag in flags(load_profile(name)) if flag.endswith(("_protection", "_alarm"))}
    unnamed = {"other_alarm", "configuration_alarm", "cell_voltage_spread_alarm"}
    assert levels - named - SUMMARIES - unnamed == set()


def test_no_shipped_flag_is_one_that_no_profile_has() -> None:
    known = {
        (kind, flag)
        for kind in (Kind.PCS, Kind.BMS)
        for name in shipped_profiles(kind)
        for flag in flags(load_profile(name))
    }
    named = {(rule.kind, flag) for rule in shipped() for flag in rule.contains or ()}
    assert named <= known


def test_shipped_rules_have_a_text_and_a_name_of_their_own() -> None:
    assert all(len(rule.text) > 30 for rule in shipped())
    twice = Counter((rule.kind, rule.name) for rule in shipped())
    assert [key for key, count in twice.items() if count > 1] == []


def test_what_stops_waits_for_the_bms_longer_than_its_limits_do() -> None:
    """A BMS that is silent for seconds means 0 W; nothing is opened for a lost telegram."""
    for rule in shipped():
        opens = bool({"stop", "lock_out"} & set(rule.effect))
        assert not opens or rule.kind is Kind.SENSOR or rule.patience >= 60, rule.name
        assert rule.kind is not Kind.SENSOR or rule.name not in ("emergency_stop", "fire") or rule.unknown == "active"


def test_a_rule_is_data() -> None:
    assert InterlockRule.model_validate(shipped()[0].model_dump()) == shipped()[0]
