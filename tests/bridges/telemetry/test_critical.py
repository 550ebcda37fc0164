"""What the guard cannot do without is named when it is not there."""

import pytest

from bridges.telemetry.critical import CRITICAL, lacking
from schemas.messages import Value
from schemas.profiles import PROFILES, load_profile
from schemas.units import Kind, Quality

WHOLE: dict[str, Value] = {"soc": 50.0, "u": 780.0, "ccl": 100.0, "dcl": 100.0, "p": 0.0, "state": "running"}


@pytest.mark.parametrize(
    ("kind", "lost", "doubted", "said"),
    [
        (Kind.BMS, set(), {}, {}),
        (Kind.BMS, {"soc"}, {}, {"soc": "absent"}),
        (Kind.BMS, {"p", "state"}, {}, {}),
        (Kind.BMS, {"u", "dcl"}, {"soc": Quality.IMPLAUSIBLE}, {"soc": "implausible", "u": "absent", "dcl": "absent"}),
        (Kind.BMS, {"soc"}, {"soc": Quality.SUBSTITUTED}, {"soc": "substituted"}),
        (Kind.PCS, {"soc", "u"}, {"state": Quality.STALE}, {}),
        (Kind.PCS, {"p"}, {}, {"p": "absent"}),
        (Kind.METER, set(), {"p": Quality.FROZEN}, {"p": "frozen"}),
        (Kind.PV, {"p"}, {}, {}),
    ],
)
def test_what_is_lacking(kind: Kind, lost: set[str], doubted: dict[str, Quality], said: dict[str, str]) -> None:
    values = {name: value for name, value in WHOLE.items() if name not in lost}
    assert lacking(kind, values, doubted) == said


def test_a_word_is_no_number() -> None:
    assert lacking(Kind.PCS, {"p": "off"}, {}) == {"p": "absent"}


def test_every_kind_is_in_the_table() -> None:
    assert CRITICAL.keys() == set(Kind)


@pytest.mark.parametrize("name", sorted(one.stem for one in PROFILES.glob("*.toml")))
def test_every_shipped_profile_reads_its_critical_points_in_each_cycle(name: str) -> None:
    profile = load_profile(name)
    for point in CRITICAL[profile.kind]:
        assert profile.points[point].rate == "fast", point
