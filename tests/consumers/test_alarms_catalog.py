"""Which alarms a site has, and what the shipped ones promise an operator."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alarms.bits import of_device
from consumers.alarms.catalog import EVERY_SERVICE, load_catalog, watched
from consumers.alarms.expression.scope import Scope
from consumers.alarms.fit import is_alarms, missing, unsaid
from consumers.alarms.priorities import SEVERITY, priority
from schemas.alarm_name import LONGEST_ALARM, alarm_names
from schemas.messages import AlarmPriority, Cause
from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.register import Point
from schemas.site_alarm import AlarmRule
from schemas.site_file import load_site
from schemas.units import Kind

BMS = """
make = "ACME"
model = "rack"
kind = "bms"
source = "made up for tests"
[points]
soc = { register = 0, scale = 0.1, unit = "%" }
cell_u_max = { register = 1, scale = 0.001, unit = "V" }
cell_u_min = { register = 2, scale = 0.001, unit = "V" }
cell_t_max = { register = 3, type = "i16", scale = 0.1, unit = "degC" }
state = { register = 4, enum = { 1 = "connected", 9 = "fault" } }
alarms = { register = 5, flags = { 0 = "fan" } }
alarms_2 = { register = 6, flags = { 0 = "door" } }
"""
PCS = """
make = "ACME"
model = "pcs"
kind = "pcs"
source = "made up for tests"
[points]
p = { register = 0, type = "i32", unit = "W" }
state = { register = 2, first = { 0 = "running", 1 = "fault" } }
"""
METER = """
make = "ACME"
model = "meter"
kind = "meter"
source = "made up for tests"
[points]
p = { register = 0, type = "i32", unit = "W" }
"""
SITE = """
site = "{name}"
mode = "read_only"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 100e3, export_limit = 0.0 }}
battery = {{ pcs = "pcs1", bms = "bms1", energy = 200e3, chemistry = "lfp" }}
[[device]]
name = "grid"
profile = "meter"
address = "tcp://127.0.0.1:502"
[[device]]
name = "pcs1"
profile = "pcs"
address = "tcp://127.0.0.1:503"
rated_power = 100e3
[[device]]
name = "bms1"
profile = "bms"
address = "tcp://127.0.0.1:504"
"""

OTHER = """
[[alarm]]
name = "other"
device = "bms1"
point = "soc"
below = 5
"""
NAMES = st.text("a-", min_size=1, max_size=4).filter(lambda name: not name.startswith("-"))


def small_site(folder: Path, name: str = "plant", more: str = "") -> Path:
    """A site file with a meter, a PCS and a BMS, and their profiles and tariff beside it."""
    (folder / "profiles").mkdir(exist_ok=True)
    for profile, text in (("bms", BMS), ("pcs", PCS), ("meter", METER)):
        (folder / "profiles" / f"{profile}.toml").write_text(text, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(SITE.format(name=name) + dedent(more), encoding="utf-8")
    return path


def alarms_of(folder: Path, more: str = "") -> dict[str, object]:
    return dict(watched(load_site(small_site(folder, more=more)), load_catalog()).rules)


def test_a_site_has_the_shipped_alarms_its_devices_have_points_for(tmp_path: Path) -> None:
    assert set(alarms_of(tmp_path)) == {
        *(f"cell_voltage_{what}-bms1" for what in ("high", "too_high", "low", "too_low", "spread")),
        *(f"cell_temperature_{what}-bms1" for what in ("high", "too_high", "rise")),
        *(f"{what}-bms1" for what in ("soc_low", "bms_fault", "bms_fan", "bms_door", "bms_silent", "bms_degraded")),
        *(f"bms_{what}-bms1" for what in ("frozen", "critical_point_missing")),
        *(f"pcs_{what}-pcs1" for what in ("fault", "silent", "degraded", "command_refused", "command_failed")),
        *(f"pcs_{what}-pcs1" for what in ("not_obeyed", "reversed", "not_held", "foreign_write", "swinging", "local")),
        *(f"pcs_{what}-pcs1" for what in ("worn", "action_not_obeyed", "action_failed", "command_unanswered")),
        "pcs_left_alone-pcs1",
        *(f"pcs_{what}-pcs1" for what in ("watchdog_not_armed", "critical_point_missing", "interlock")),
        *(f"meter_{what}-grid" for what in ("silent", "degraded", "polarity", "frozen", "critical_point_missing")),
        *("peak_risk-grid", "peak_exceeded-grid", "clock_drift-grid"),
    }


HYBRID = """
battery = {{ pcs = "hybrid", energy = 10e3, chemistry = "lfp", charge_limit = 5e3, discharge_limit = 5e3{more} }}
[[device]]
name = "hybrid"
profile = "foxess_h3_pro"
address = "tcp://127.0.0.1:503"
rated_power = 10e3
"""


def test_the_cells_of_a_hybrid_are_watched_where_its_pcs_tells_them(tmp_path: Path) -> None:
    """The rules of cells are for a BMS, and there is none. Its current is none of the cells'."""
    path, own = small_site(tmp_path), '[[alarm]]\nname = "warm"\nkind = "bms"\npoint = "cell_t_max"\nabove = 30\n'
    head, tail = path.read_text(encoding="utf-8").split("battery = ")
    meter = tail[tail.index("[[device]]") : tail.index('[[device]]\nname = "pcs1"')]
    path.write_text(head + HYBRID.format(more="") + meter + own, encoding="utf-8")
    rules = watched(load_site(path), load_catalog())
    mine = {
        name for name, rule in rules.rules.items() if rule.device == "hybrid" and name.startswith(("cell", "soc", "wa"))
    }
    temperatures = {f"cell_temperature_{what}-hybrid" for what in ("high", "too_high", "rise", "low", "spread")}
    assert (mine, rules.refused) == (temperatures | {"soc_low-hybrid", "warm-hybrid"}, [])
    bms = tail[tail.index('[[device]]\nname = "bms1"') :]
    path.write_text(head + HYBRID.format(more=', bms = "bms1"') + meter + bms, encoding="utf-8")
    names = set(watched(load_site(path), load_catalog()).rules)
    assert "cell_temperature_rise-bms1" in names, "told twice it is watched once"
    assert not {name for name in names if name.startswith("cell") and name.endswith("-hybrid")}


def test_the_site_file_replaces_by_name_and_adds(tmp_path: Path) -> None:
    rules = watched(
        load_site(
            small_site(
                tmp_path,
                more="""
                [[alarm]]
                name = "soc_low"
                device = "bms1"
                point = "soc"
                below = 20
                [[alarm]]
                name = "import_high"
                kind = "meter"
                above = 90e3
                hold = 60
                text = "Close to the connection's limit."
                """,
            )
        ),
        load_catalog(),
    ).rules
    assert rules["soc_low-bms1"].below == 20
    assert rules["soc_low-bms1"].response.startswith("Find out why")
    assert rules["import_high-grid"].device == "grid"
    assert rules["import_high-grid"].response == "Close to the connection's limit."


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('device = "bms1"\npoint = "sco"\nbelow = 5', "alarm mine: point 'sco' of device 'bms1'.*mean 'soc'"),
        ('kind = "bms"\npoint = "state"\nequals = "falut"', "state 'falut' of device 'bms1'.*mean 'fault'"),
        ('kind = "pcs"\npoint = "state"\nequals = "faults"', "state 'faults' of device 'pcs1'.*mean 'fault'"),
        ('kind = "bms"\npoint = "alarms"\ncontains = "fann"', "flag 'fann' of device 'bms1'.*mean 'fan'"),
        ('kind = "pv"\nabove = 5', "alarm mine: a device of kind pv does not exist"),
        ('kind = "pcs"\npoint = "causes"\ncontains = "not_obeyd"', "causes 'not_obeyd' of device 'pcs1'.*'not_obeyed'"),
        ('kind = "pcs"\npoint = "causes"\nequals = "not_obeyed"', "another condition than `contains` for 'causes'"),
        ('kind = "pcs"\npoint = "link"\nequals = "offlien"', "link 'offlien' of device 'pcs1'.*mean 'offline'"),
        ('kind = "pcs"\npoint = "link"\nabove = 5', "another condition than `equals` for 'link'"),
        ('kind = "pcs"\npoint = "outcome"\nequals = "not obeyed"', "outcome 'not obeyed'.*mean 'not_obeyed'"),
        (
            'kind = "meter"\npoint = "doubt"\nequals = "meter_sign_suspect"',
            'alarm mine: point \'doubt\' is no more: write point = "causes" and contains = "meter_polarity"',
        ),
        (
            'kind = "meter"\npoint = "detail"\nequals = "clock_quarantine"',
            'alarm mine: point \'detail\' is no more: write point = "causes" and contains = "clock_quarantine"',
        ),
    ],
)
def test_an_alarm_that_could_never_be_raised_is_refused_and_the_others_run(
    tmp_path: Path, rule: str, words: str
) -> None:
    mine = f'[[alarm]]\nname = "mine"\n{rule}\n'
    found = watched(load_site(small_site(tmp_path, more=mine + OTHER)), load_catalog())
    ((place, said),) = found.refused
    assert place.startswith("alarm.0.")
    assert re.search(words, said), said
    assert "other-bms1" in found.rules
    assert not any(name.startswith("mine") for name in found.rules)


@pytest.mark.parametrize("rule", load_catalog().every, ids=lambda rule: rule.name)
def test_the_shipped_alarms_tell_an_operator_what_to_do(rule: AlarmRule) -> None:
    for words in (rule.cause, rule.consequence, rule.response):
        assert words.endswith("."), words
        assert words[0].isupper(), words
    assert len(rule.response.split()) + len(rule.consequence.split()) >= 8
    severe = rule.priority in (AlarmPriority.CRITICAL, AlarmPriority.HIGH)
    assert severe == (rule.time_to_respond is not None), "so long an operator has where it is urgent"
    assert rule.priority is priority(SEVERITY[rule.name], rule.time_to_respond), SEVERITY[rule.name]
    assert rule.priority is not AlarmPriority.CRITICAL or rule.latched
    assert rule.off_delay or rule.deadband, f"{rule.name} would flap"


def test_what_is_urgent_is_seen_among_the_rest() -> None:
    """About 80, 15 and 5 % of the rules (ISA-18.2, EEMUA 191)."""
    priorities = {rule.name: rule.priority for rule in load_catalog().every}
    assert SEVERITY.keys() == priorities.keys()
    seen = [priority for name, priority in priorities.items() if name not in NOT_TOLD_YET]
    share = {one: seen.count(one) / len(seen) for one in AlarmPriority}
    assert share[AlarmPriority.CRITICAL] <= 0.07
    assert share[AlarmPriority.HIGH] <= 0.19


def test_no_two_shipped_rules_are_one_alarm() -> None:
    """Two of one name are for different cells, and both say the chemistry."""
    catalog = load_catalog()
    names = [(rule.name, one) for rule in catalog.every for one in rule.chemistry or (None,)]
    assert len(names) == len({*names})
    assert {name for name, one in names if one is None} & {name for name, one in names if one} == set()


def test_what_explains_a_shipped_alarm_is_a_shipped_alarm() -> None:
    catalog = load_catalog()
    for kind in {(rule.kind, "") if rule.kind else (None, str(rule.device)) for rule in catalog.every}:
        same = {
            rule.name: rule
            for rule in catalog.every
            if (rule.kind, rule.device or "") == kind or (kind[1] and rule.device == EVERY_SERVICE)
        }
        for rule in same.values():
            whole = {f"{one.name}-archive" for one in catalog.services if one.device in (EVERY_SERVICE, "archive")}
            assert {*rule.suppressed_by} <= same.keys() | whole, f"{rule.name} is suppressed by what is not there"


def test_every_cause_that_a_person_must_see_to_has_an_alarm() -> None:
    """What a bridge finds between itself and a device, and what troubles a part: no cause stands only in a status."""
    catalog = load_catalog()
    told = {rule.contains for rule in [*catalog.rules, *catalog.services] if rule.point == "causes"}
    causes = [*Cause]
    field, parts = causes.index(Cause.NO_ANSWER), causes.index(Cause.CLOCK_STEP)
    by_other_rules = {
        *(Cause.NO_ANSWER, Cause.DECLINED, Cause.BMS_MISSING, Cause.METER_MISSING),  # `silent`, and the outcomes
        *(Cause.MISSING_POINTS, Cause.DOUBTED_VALUES),  # `degraded`
        Cause.TRIPPED,  # the state of the PCS
    }
    assert {*causes[field:parts], *causes[parts:], Cause.LOCAL, Cause.INTERLOCK} - by_other_rules == told


NOT_TOLD_YET = {"contactor_stuck", "bms_fault", "fire_detected", "emergency_stop_pressed", "sensor_insulation_too_low"}
"""No shipped profile has these states; the names are those a profile should use."""


def test_every_shipped_alarm_fits_a_shipped_profile() -> None:
    """Else it is dead text: its point, state or expression is spelled otherwise than the profiles do."""
    catalog, profiles = load_catalog(), [load_profile(path.stem) for path in PROFILES.glob("*.toml")]
    unfit = {rule.name for rule in [*catalog.rules, *catalog.site] if not any(fits(rule, one) for one in profiles)}
    assert unfit <= NOT_TOLD_YET
    for rule in catalog.services:
        assert unsaid(rule, str(rule.device), Scope({}).of_service(str(rule.device))) is None


def fits(rule: AlarmRule, profile: Profile) -> bool:
    scope = Scope({"it": profile}).of("it")
    if rule.kind is not profile.kind or missing(rule, profile) is not None:
        return False
    return unsaid(rule, "it", scope) is None


def test_all_registers_of_alarms_are_one_point(tmp_path: Path) -> None:
    rule = '[[alarm]]\nname = "mine"\nkind = "bms"\npoint = "alarms"\ncontains = "{}"\n'
    assert "mine-bms1" in alarms_of(tmp_path, rule.format("door"))
    assert "mine-bms1" not in alarms_of(tmp_path, rule.format("doors"))


def test_names_that_read_alike_are_two_alarms(tmp_path: Path) -> None:
    rule = """
        [[alarm]]
        name = "{name}"
        device = "{device}"
        point = "soc"
        below = {below}
    """
    more = f"""
        [[device]]
        name = "cells-bms1"
        profile = "bms"
        address = "tcp://127.0.0.1:505"
        {rule.format(name="low-cells", device="bms1", below=10)}
        {rule.format(name="low", device="cells-bms1", below=20)}
    """
    rules = watched(load_site(small_site(tmp_path, more=more)), load_catalog()).rules
    found = {name: (rule.name, rule.device) for name, rule in rules.items() if rule.name.startswith("low")}
    assert found == {"low-cells-bms1": ("low", "cells-bms1"), "low--cells-bms1": ("low-cells", "bms1")}


@given(st.lists(st.tuples(NAMES, NAMES), max_size=12, unique=True))
def test_no_two_alarms_have_one_name_and_each_fits_its_topic(pairs: list[tuple[str, str]]) -> None:
    names = alarm_names(pairs)
    assert len({*names.values()}) == len(names) == len(pairs)
    assert all(len(name) <= LONGEST_ALARM for name in names.values())


@pytest.mark.parametrize(
    ("chemistry", "limits"),
    [
        ('chemistry = "lfp"', {"high": 3.60, "too_high": 3.65, "low": 2.80, "too_low": 2.50}),
        ('chemistry = "nmc"', {"high": 4.18, "too_high": 4.25, "low": 3.00, "too_low": 2.50}),
        ('chemistry = "lto"', {"high": 2.70, "too_high": 2.80, "low": 1.70, "too_low": 1.50}),
        ("", {}),
    ],
    ids=["lfp", "nmc", "lto", "not told"],
)
def test_cells_have_the_limits_of_their_chemistry(tmp_path: Path, chemistry: str, limits: dict[str, float]) -> None:
    """A limit of LFP would let cells of LTO burn, and would call those of NMC overcharged at 60 %."""
    path = small_site(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('chemistry = "lfp"', chemistry or "wear = 0.02"), "utf-8")
    rules = watched(load_site(path), load_catalog()).rules
    names = {f"cell_voltage_{side}-bms1" for side in ("high", "too_high", "low", "too_low")} & rules.keys()
    assert names == {f"cell_voltage_{side}-bms1" for side in limits}
    for side, limit in limits.items():
        rule = rules[f"cell_voltage_{side}-bms1"]
        assert (rule.above if "high" in side else rule.below) == limit


def test_a_battery_is_empty_below_the_least_that_its_plan_uses(tmp_path: Path) -> None:
    """With soc_min = 5 an alarm at 8 would come each evening; with 30 one at 8 would come far too late."""
    for least, limit in ((5, 3.0), (10, 8.0), (30, 28.0), (1, 0.0)):
        path = small_site(tmp_path)
        text = path.read_text(encoding="utf-8").replace("energy = 200e3", f"energy = 200e3, soc_min = {least}")
        path.write_text(text, encoding="utf-8")
        assert watched(load_site(path), load_catalog()).rules["soc_low-bms1"].below == limit


def test_the_peak_is_projected_over_the_window_that_is_billed(tmp_path: Path) -> None:
    path = small_site(tmp_path)
    tariff = "[[import.period]]\nprice = 0.30\n[demand]\nprice = 12.5\nminutes = {}\n"
    for minutes in (15, 30):
        (tmp_path / "tariff.toml").write_text(tariff.format(minutes), encoding="utf-8")
        rule = watched(load_site(path), load_catalog()).rules["peak_risk-grid"]
        assert rule.when == f"projected(max(p, 0 W), {minutes} min) > site.peak_target"


PROFILED = {path.stem: load_profile(path.stem) for path in PROFILES.glob("*.toml")}
ANY = {rule.kind: rule for rule in load_catalog().rules if rule.contains == "*"}


def test_each_bit_of_each_shipped_map_is_an_alarm_that_names_it() -> None:
    """A person in the control room must not look a number up in a manual to know which bit it was."""
    known = {rule.name for rule in load_catalog().every}
    bits = 0
    for profile in PROFILED.values():
        flags = {f for name, one in profile.points.items() if is_alarms(name) for f in (one.flags or {}).values()}
        assert not flags or profile.kind in ANY, f"{profile.model} has alarms, and no rule looks at them"
        made = [*of_device(ANY[profile.kind], "a" * 64, profile, (), known)] if flags else []
        assert {rule.contains for rule in made} == flags
        bits += len(made)
        names = alarm_names([(rule.name, str(rule.device)) for rule in made], known)
        assert len({*names.values()}) == len(made)
        for rule in made:
            AlarmRule.model_validate(rule.model_dump(by_alias=True), strict=False)
            assert str(rule.contains).replace("_", " ") in rule.cause
            assert re.search(r" It is bit \d+ of alarms\w*, register \d+", rule.response)
            assert missing(rule, profile) is None, "its register says it"
            assert len(names[rule.name, str(rule.device)]) <= LONGEST_ALARM
    assert bits > 400


@pytest.mark.parametrize(
    ("flag", "priority", "whose"),
    [
        ("cell_over_voltage_warning", "low", "equipment"),
        ("cell_over_voltage_alarm", "medium", "equipment"),
        ("cell_over_voltage_protection", "high", "equipment"),
        ("contactor_adhesion", "critical", "safety"),
        ("ground_fault", "high", "safety"),
        ("heat_sink_over_temperature", "medium", "equipment"),
        ("device_fault", "high", "equipment"),
        ("internal_communication", "medium", "system"),
        ("fan", "medium", "equipment"),
    ],
)
def test_how_urgent_a_bit_is_follows_from_its_name(flag: str, priority: str, whose: str) -> None:
    register = {"register": 0, "flags": {"0": flag}}
    profile = PROFILED["sinexcel_pws2"].model_copy(update={"points": {"alarms_2": Point.model_validate(register)}})
    (rule,) = of_device(ANY[Kind.PCS], "pcs", profile, (), ())
    assert (rule.priority, rule.class_, rule.latched) == (priority, whose, priority == "critical")


OWN_BITS = """
[[alarm]]
name = "my_fan"
device = "bms1"
point = "alarms"
contains = "fan"
"""


@pytest.mark.parametrize(
    ("more", "bits"),
    [
        ("", {"bms_fan-bms1", "bms_door-bms1"}),
        (OWN_BITS, {"my_fan-bms1", "bms_door-bms1"}),
        (OWN_BITS.replace("my_fan", "bms_fan"), {"bms_fan-bms1", "bms_door-bms1"}),
        (OWN_BITS.replace('"fan"', '"fna"'), {"bms_fan-bms1", "bms_door-bms1"}),
        (OWN_BITS.replace('"fan"', '"*"').replace("my_fan", "bms_alarm"), {"bms_alarm-bms1"}),
    ],
    ids=["shipped", "one of the site", "of the same name", "a wrong one", "all together"],
)
def test_a_rule_for_a_bit_takes_its_place(tmp_path: Path, more: str, bits: set[str]) -> None:
    every = {"bms_fan-bms1", "bms_door-bms1", "my_fan-bms1", "bms_alarm-bms1"}
    assert every & alarms_of(tmp_path, more).keys() == bits


CYCLES = """
[[alarm]]
name = "a"
device = "bms1"
point = "soc"
below = 3
suppressed_by = ["b"]
[[alarm]]
name = "b"
device = "bms1"
point = "soc"
below = 2
suppressed_by = ["{}"]
[[alarm]]
name = "c"
device = "bms1"
point = "soc"
below = 1
suppressed_by = ["a"]
"""


@pytest.mark.parametrize(
    ("parent", "refused", "words"),
    [
        ("c", {"a", "b", "c"}, "a -> b -> c -> a is a cycle: each would hide the other"),
        ("a", {"a", "b"}, "a -> b -> a is a cycle"),
        ("c-bms1", {"a", "b", "c"}, "a -> b -> c -> a is a cycle"),
        ("nobody", {"b"}, "an alarm 'nobody' does not exist"),
        ("service_down-bridge", set(), ""),
        ("pcs_fault-pcs1", set(), ""),
        ("bms_silent", set(), ""),
    ],
)
def test_what_explains_an_alarm_exists_and_is_not_explained_by_it(
    tmp_path: Path, parent: str, refused: set[str], words: str
) -> None:
    """A rule that is refused takes no other with it: one that it would explain runs, and is explained by nobody."""
    found = watched(load_site(small_site(tmp_path, more=CYCLES.format(parent))), load_catalog())
    assert {"abc"[int(place.split(".")[1])] for place, _ in found.refused} == refused
    assert words in " ".join(said for _, said in found.refused)
    assert {f"{name}-bms1" for name in "abc"} & found.rules.keys() == {f"{name}-bms1" for name in {*"abc"} - refused}
