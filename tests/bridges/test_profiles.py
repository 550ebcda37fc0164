"""A profile with a mistake is refused with file, line and a suggestion; the shipped ones have none."""

# ruff: noqa: E501  # one mistake a line reads as a table

from pathlib import Path

import pytest

from schemas.profile import PROFILES, Grade, load_profile
from schemas.troubles import Trouble

HEAD = 'make = "A"\nmodel = "B"\nkind = "meter"\nsource = "test"\n'


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
        ("[points]\na = { register = 1, type = 'i32' }\n[commands]\na = { register = 2, low = 0, high = 1 }", "bad.toml:8: commands.a: overlaps points.a"),
        ("[points]\nx = { register = 65535, type = 'f32' }", "bad.toml:6: points.x: no request can read registers 65535-65536: the last register is 65535"),
        ("[points]\np = { register = 1, unit = 'A' }", 'bad.toml:6: points.p: p is in W everywhere in joulebus, not in A: give unit = "W"'),
        ("[points]\nx = { register = 1, low = 5, high = -5 }", "bad.toml:6: points.x: low 5 is not below high -5; did you mean low = -5, high = 5?"),
        ("[points]\nx = { register = 1, type = 'i16', absent = [0x8000] }", "bad.toml:6: points.x: absent 32768 never comes: i16 holds -32768 to 32767; did you mean -32768?"),
        ("[points]\nx = { register = 1, flags = { 16 = 'x' } }", "bad.toml:6: points.x: bit 16 does not exist: u16 has the bits 0 to 15"),
        ("[points]\nx = { register = 1, enum = { on = 'x' } }", "bad.toml:6: points.x: enum key 'on' is not a number"),
        ("[points]\nx = { register = 1, enum = { 1 = 'x' }, flags = { 1 = 'y' } }", "bad.toml:6: points.x: has enum and flags"),
        ("[points]\nx = { register = 1, type = 'u32', scale_register = 2 }", "bad.toml:6: points.x: its scale_register 2 lies inside of the value itself"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_what_would_be_right(tmp_path: Path, body: str, says: str) -> None:
    lines = refused(tmp_path, body)
    assert any(line.startswith(says) for line in lines), lines


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
    assert len(profiles) >= 16
    assert {profile.kind.value for profile in profiles} == {"pcs", "bms", "meter", "pv"}
    assert sum(profile.grade is Grade.RECORDED for profile in profiles) >= 2
    for profile in profiles:
        assert {"pcs": "p", "bms": "soc", "meter": "p", "pv": "p"}[profile.kind.value] in profile.points


def test_percent_of_the_rated_power_is_watts() -> None:
    """KACO's W_SET_PCT 50 means 46 kW for a gridsave 92, and 25 kW for one of 50 kW."""
    profile = load_profile("kaco_gridsave")
    assert [profile.rated(power).commands["p_set"].scale for power in (92_000.0, 50_000.0)] == [920.0, 500.0]
    assert profile.rated(92_000.0).rated(92_000.0).points["p_set"].scale == 920.0, "once is enough"
    other = load_profile("sinexcel_pws2")
    assert other.rated(50_000.0) is other, "two hundred devices share one profile"
