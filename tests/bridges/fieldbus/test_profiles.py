"""A profile with a mistake is refused with file, line and a suggestion; the shipped ones have none."""

# ruff: noqa: E501  # one mistake a line reads as a table

from pathlib import Path

import pytest

from schemas.profile import Grade
from schemas.profiles import PROFILES, load_profile
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import Kind

HEAD = 'make = "A"\nmodel = "B"\nkind = "meter"\nsource = "test"\n'


COMMAND = "[points]\nx = { register = 1 }\n[commands]\n"


def refused(folder: Path, body: str) -> list[str]:
    (folder / "bad.toml").write_text(HEAD + body, encoding="utf-8")
    with pytest.raises(Trouble) as trouble:
        load_profile("bad", folder)
    return str(trouble.value).replace(str(folder / "bad.toml"), "bad.toml").splitlines()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('[points]\np = { register = 1, type = "u61", unit = "W" }', "bad.toml:6: points.p.type: 'u61' is not known; did you mean 'u64'?"),
        ('[points]\np = { register = 1, unit = "kW" }', "bad.toml:6: points.p.unit: 'kW' is not known; did you mean 'W'?"),
        ('[points]\nx = { register = 1, unit = "psi" }', "bad.toml:6: points.x.unit: 'psi' is not known; there is: W, var, VA"),
        ('[points]\nx = { register = 1 }\np = { register = 2, scale = 0 }', "bad.toml:7: points.p: scale is 0, every value would be 0: leave it out for 1"),
        ('[points]\nx = { register = 1, colour = 2 }', "bad.toml:6: points.x.colour: unknown key; take it out or correct its spelling"),
        ('[points]\nx = { registr = 1 }', "bad.toml:6: points.x.registr: unknown key; did you mean 'register'?"),
        ("[points.x]\nregister = 1\nrat = 'fast'", "bad.toml:7: points.x.rat: unknown key; did you mean 'rate'?"),
        ("[points]\nSoC = { register = 1 }", "bad.toml:6: points.SoC: a name holds only a-z, 0-9, _ and -; did you mean 'soc'?"),
        ("[points]\nx = { register = 1 }\n[commands]\np_set = { register = 2, unit = 'W', low = 0 }", "bad.toml:8: commands.p_set: a command without a limit (high missing): give low and high"),
        ("[points]\na = { register = 1, type = 'i32' }\nb = { register = 2 }", "bad.toml:7: points.b: overlaps points.a: register 2 and registers 1-2; did you mean register 3"),
        ("[points]\na = { register = 1 }\nb = { register = 1 }", "bad.toml:7: points.b: overlaps points.a: register 1 and register 1; one of them needs another register"),
        ("[points]\na = { register = 1, type = 'u32', flags = { 0 = 'x' } }\nb = { register = 1, flags = { 1 = 'y' } }", "bad.toml:7: points.b: overlaps points.a"),
        ("[points]\na = { register = 1, type = 'i32' }\n[commands]\na = { register = 2, low = 0, high = 1, fallback = 0 }", "bad.toml:8: commands.a: overlaps points.a"),
        ("[points]\nx = { register = 65535, type = 'f32' }", "bad.toml:6: points.x: no request can read registers 65535-65536: the last register is 65535"),
        ("[points]\np = { register = 1, unit = 'A' }", 'bad.toml:6: points.p: p is in W everywhere in joulebus, not in A: give unit = "W"'),
        ("[points]\nx = { register = 1, low = 5, high = -5 }", "bad.toml:6: points.x: low 5 is not below high -5; did you mean low = -5, high = 5?"),
        ("[points]\nx = { register = 1, type = 'i16', absent = [0x8000] }", "bad.toml:6: points.x: absent 32768 never comes: i16 holds -32768 to 32767; did you mean -32768?"),
        ("[points]\nx = { register = 1, flags = { 16 = 'x' } }", "bad.toml:6: points.x: bit 16 does not exist: u16 has the bits 0 to 15"),
        ("[points]\nx = { register = 1, enum = { on = 'x' } }", "bad.toml:6: points.x: enum key 'on' is not a number"),
        ("[points]\nx = { register = 1, enum = { 1 = 'x' }, flags = { 1 = 'y' } }", "bad.toml:6: points.x: has enum and flags"),
        (COMMAND + "x = { register = 2, low = 0, high = 1 }", "bad.toml:8: commands.x: a command without a fallback: give where it goes when no valid command is left, such as fallback = 0"),
        (COMMAND + "p_limit_pct = { register = 2, unit = '%', low = 0, high = 100 }", "bad.toml:8: commands.p_limit_pct: a command without a fallback: give where it goes when no valid command is left, such as fallback = 100"),
        (COMMAND + "q_set = { register = 2, unit = 'var', low = -1, high = 1 }", "bad.toml:8: commands.q_set: a command without a fallback"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 2 }", "bad.toml:8: commands.x: fallback 2 lies outside of its limits, low = 0 and high = 1"),
        (COMMAND + "p_set = { register = 2, unit = 'W', type = 'i32', write = 6, low = -1, high = 1 }", "bad.toml:8: commands.p_set: function 6 writes one register and i32 takes 2: give write = 16"),
        (COMMAND + "p_set = { register = 2, unit = 'W', type = 'f32', write = 6, low = -1, high = 1 }", "bad.toml:8: commands.p_set: function 6 writes one register and f32 takes 2: give write = 16"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, enable = 9 }", "bad.toml:8: commands.x: register 9 cannot be read back: give a point with function 3 whose enum has [1]"),
        (COMMAND + "x = { register = 2, type = 'u32', low = 0, high = 1, fallback = 0, enable = 3 }", "bad.toml:8: commands.x: register 3 goes with the value and lies inside of it, registers 2-3"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, enable_each = true }", "bad.toml:8: commands.x: `enable_each` goes with an `enable` or with `modes`"),
        (COMMAND + "p_set = { register = 2, type = 'i16', unit = 'W', low = -1, high = 1, opposite = 3 }", "bad.toml:8: commands.p_set: register 3 cannot be read back: give a point of the same type with scale = -1"),
        ("[points]\nx = { register = 3, scale = -1 }\n[commands]\np_set = { register = 2, unit = 'W', low = -1, high = 1, opposite = 3 }", "bad.toml:8: commands.p_set: `opposite` is a register beside a signed value, such as type = \"i16\""),
        (COMMAND + "p_set = { register = 2, unit = 'W', low = -1, high = 1, unseen = true }", "bad.toml:8: commands.p_set: `unseen` goes with `reverts`, which says how often it is written again"),
        ("[points]\np_set = { register = 2, unit = 'W' }\n[commands]\np_set = { register = 2, unit = 'W', low = -1, high = 1, unseen = true, reverts = { seconds = 9 } }", "bad.toml:8: commands.p_set: a point reads p_set: it is not `unseen`"),
        (COMMAND + "p_set = { register = 2, unit = 'W', low = -1, high = 1, unseen = true, enable = 9, reverts = { seconds = 9 } }", "bad.toml:8: commands.p_set: `unseen` goes with a signed value and `companions`"),
        (COMMAND + "p_set = { register = 2, unit = 'W', low = -1, high = 1, rating = 'x' }", "bad.toml:8: commands.p_set: rating = 'x': there is no point of that name in W"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, companions = [{ register = 3, value = 70000 }] }", "bad.toml:8: commands.x.companions.0: no u16 holds 70000: give type = \"u32\""),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, companions = [{ register = 3, type = 'u32', value = 802, write = 6 }] }", "bad.toml:8: commands.x: function 6 writes one register and u32 takes 2: give write = 16"),
        ("[points]\np = { register = 1, type = 'u32', unit = 'W', less = 2 }", "bad.toml:6: points.p: register 2 is taken away and lies inside of the value itself, registers 1-2"),
        ("[points]\np = { register = 1, unit = 'W', less = 2, sign = { register = 3, negative = [1] } }", "bad.toml:6: points.p: `less` goes with a number without `sign`"),
        ("[points]\nx = { register = 1, repeats = { every = 1, most = 2 } }\nx_2 = { register = 9 }", "bad.toml:5: points: x repeats, and its x_2 is a point of its own: give one another name"),
        ("[points]\nx = { register = 1, type = 'u32', repeats = { every = 1, most = 2 } }", "bad.toml:5: points.x_2: overlaps points.x_1: registers 2-3 and registers 1-2"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, reverts = { register = 2 } }", "bad.toml:8: commands.x: register 2 cannot hold the time of `reverts`"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, reverts = {} }", "bad.toml:8: commands.x.reverts: give the register that holds the time, or `seconds` where none does"),
        (COMMAND + "x = { register = 2, low = 0, high = 1, fallback = 0, reverts = { register = 7, seconds = 60 } }", "bad.toml:8: commands.x.reverts: give the register"),
        (COMMAND + "x = { register = 2, type = 'text', words = 2, low = 0, high = 1, fallback = 0 }", "bad.toml:8: commands.x: a command is a number: its type is not text"),
        (COMMAND + "p_set = { register = 2, unit = 'W', low = -1, high = 1 }\np_set_pct = { register = 3, unit = '%', low = -100, high = 100 }", "bad.toml:9: commands.p_set_pct: is p_set in another unit: give one of the two"),
        ("[points]\nx = { register = 1 }\n[watchdog]\nregister = 9\ntype = 'u32'\nseconds = 10\nwrite = 6", "bad.toml:7: watchdog: function 6 writes one register and u32 takes 2: give write = 16"),
        ("watchdog = { register = 9, seconds = 70000 }\n[points]\nx = { register = 1 }", "bad.toml:5: watchdog: 70000 s with scale 1 is 70000, which no u16 holds"),
        ("heartbeat = { register = 9, type = 'u32', write = 6 }\n[points]\nx = { register = 1 }", "bad.toml:5: heartbeat: function 6 writes one register and u32 takes 2: give write = 16"),
        ("line = { timeout = 0 }\n[points]\nx = { register = 1 }", "bad.toml:5: line.timeout: "),
        ("line = { pause = 1 }\n[points]\nx = { register = 1 }", "bad.toml:5: line.pause: unknown key"),
        ("[points]\nx = { register = 1, type = 'u32', scale_register = 2 }", "bad.toml:6: points.x: its scale_register 2 lies inside of the value itself"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(tmp_path: Path, body: str, says: str) -> None:
    lines = refused(tmp_path, body)
    assert any(line.startswith(says) for line in lines), lines


@pytest.mark.parametrize(("type_", "function"), [("u16", 6), ("u32", 16)])
def test_a_watchdog_is_written_whole_when_nothing_is_said(tmp_path: Path, type_: str, function: int) -> None:
    (tmp_path / "good.toml").write_text(
        f"{HEAD}watchdog = {{ register = 9, type = '{type_}', seconds = 10 }}\n[points]\nx = {{ register = 1 }}",
        encoding="utf-8",
    )
    dog = load_profile("good", tmp_path).watchdog
    assert dog is not None
    assert dog.write == function


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.toml")))
def test_a_shipped_profile_shows_all_that_its_commands_need(name: str) -> None:
    profile = load_profile(name)
    for key, one in profile.commands.items():
        assert (key in profile.points) != one.unseen, "it is read back, or said that it cannot be"
        assert one.fallback is not None or key == "p_set"
        shown = () if one.unseen else one.companions
        beside = {(each.model, each.register_) for each in shown} | {(one.model, one.enable)}
        seen = {(point.model, point.register_) for point in profile.points.values() if point.enum}
        assert beside - {(one.model, None)} <= seen


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    lines = refused(
        tmp_path, "[points]\na = { register = 1, unit = 'kW', typ = 'i16' }\nb = { register = 2, rate = 'fats' }"
    )
    assert [line.split(": ")[:2] for line in lines] == [
        ["bad.toml:6", "points.a.unit"],
        ["bad.toml:6", "points.a.typ"],
        ["bad.toml:7", "points.b.rate"],
    ]  # fmt: skip


def test_views_of_one_register_are_no_mistake(tmp_path: Path) -> None:
    body = "[points]\nstate = { register = 1, first = { 0 = 'off' } }\nalarms = { register = 1, flags = { 3 = 'fan' } }\nraw = { register = 1 }"
    (tmp_path / "good.toml").write_text(HEAD + body, encoding="utf-8")
    assert list(load_profile("good", tmp_path).points) == ["state", "alarms", "raw"]


def test_an_unknown_profile_is_compared_with_those_there_are() -> None:
    with pytest.raises(Trouble, match="did you mean 'sungrow_sh'"):
        load_profile("sungrow_sx")


def test_there_are_enough_profiles_of_every_kind() -> None:
    profiles = [load_profile(path.stem) for path in PROFILES.glob("*.toml")]
    assert len(profiles) >= 60
    assert {profile.kind for profile in profiles} == set(Kind)
    assert sum(profile.grade is Grade.RECORDED for profile in profiles) >= 11
    for profile in profiles:
        main = {Kind.PCS: "p", Kind.BMS: "soc", Kind.METER: "p", Kind.PV: "p"}.get(profile.kind)
        assert main is None or main in profile.points


def test_percent_of_the_rated_power_is_watts() -> None:
    """KACO's W_SET_PCT 50 means 46 kW for a gridsave 92, and 25 kW for one of 50 kW."""
    profile = load_profile("kaco_gridsave")
    assert [profile.rated(power).commands["p_set"].scale for power in (92_000.0, 50_000.0)] == [920.0, 500.0]
    assert profile.rated(92_000.0).rated(92_000.0).points["p_set"].scale == 920.0, "once is enough"
    other = load_profile("sinexcel_pws2")
    assert other.rated(50_000.0) is other, "two hundred devices share one profile"


AMOUNT = "[points]\np_set = { register = 2, unit = 'W', sign = { register = 1, negative = [7] } }\nway = { register = 1, enum = { 7 = 'in', 8 = 'out', 9 = 'rest' } }\n[commands]\n"
GOOD = "p_set = { register = 2, unit = 'W', low = -1, high = 1, modes = { register = 1, positive = 8, negative = 7, zero = 9 } }"


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("positive = 8", "positive = 7", "mode 7 stands for both directions"),
        ("unit = 'W', low", "type = 'i16', unit = 'W', low", "an amount is a u16, u32 or f32 with a positive scale and no scale_register, not i16"),
        ("unit = 'W', low", "unit = 'W', enable = 5, low", "`enable` goes with a setpoint that has a sign"),
        ("modes = { register = 1", "modes = { register = 3", "it cannot be read back: give a point p_set of its register, with sign = { register = 3, negative = [7] }"),
        ("negative = 7", "negative = 9", "its point takes [7] for negative, the command writes 9"),
        ("zero = 9", "zero = 6", "register 1 cannot be read back: give a point with function 3 whose enum has [6, 7, 8]"),
        ("low = -1", "companions = [{ register = 4, value = 2 }], low = -1", "register 4 cannot be read back"),
    ],
)  # fmt: skip
def test_a_direction_that_could_be_mistaken_is_refused(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    (tmp_path / "good.toml").write_text(HEAD + AMOUNT + GOOD, encoding="utf-8")
    assert load_profile("good", tmp_path).commands["p_set"].modes is not None
    lines = refused(tmp_path, AMOUNT + GOOD.replace(was, becomes))
    assert any(says in line for line in lines), lines


def test_only_a_pcs_gets_its_fallback_from_the_site_file(tmp_path: Path) -> None:
    """Of any other device what was commanded last would stay for ever."""
    demo = Path(__file__).parents[3]
    (tmp_path / "profiles").mkdir()
    (tmp_path / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    block = '[[device]]\nname = "boiler"\nprofile = "boiler"\naddress = "tcp://127.0.0.1:9"\nrated_power = 1e4\n'
    (tmp_path / "site.toml").write_text((demo / "site.toml").read_text(encoding="utf-8") + block, encoding="utf-8")
    body = "[points]\np = { register = 1, unit = 'W' }\n[commands]\np_set = { register = 2, unit = 'W', low = 0, high = 1 }"
    boiler = tmp_path / "profiles" / "boiler.toml"
    boiler.write_text(HEAD.replace("meter", "load") + body, encoding="utf-8")
    with pytest.raises(
        Trouble, match="device 'boiler': p_set of profile boiler has no fallback, and only a pcs gets one"
    ):
        load_site(tmp_path / "site.toml")
    boiler.write_text(HEAD.replace("meter", "load") + body.replace("low", "fallback = 0, low"), encoding="utf-8")
    assert load_site(tmp_path / "site.toml").profiles["boiler"].commands["p_set"].fallback == 0
