"""Each point of a device has a name for people."""

import pytest

from schemas.labels import KINDS, known, label, switched
from schemas.profiles import PROFILES, load_profile
from schemas.units import Kind

SAID = {
    "p": "Power",
    "u_l1n": "Voltage L1-N",
    "u_l31": "Voltage L3-L1",
    "p_l2": "Power L2",
    "t_0": "Temperature 0",
    "cell_u_12": "Voltage of cell 12",
    "dc2_p": "DC input 2 power",
    "dc_i_1": "DC current of input 1",
    "cell_t_max": "Highest cell temperature",
    "ccl": "Charge current limit",
    "rack_cell_u_min_16": "Lowest cell voltage of rack 16",
    "hood_soc": "Hood SoC",
}


@pytest.mark.parametrize(("point", "words"), SAID.items())
def test_points_are_called_as_people_do(point: str, words: str) -> None:
    assert label(point) == words


@pytest.mark.parametrize("profile", sorted(path.stem for path in PROFILES.glob("*.toml")))
def test_each_point_of_a_shipped_profile_stands_in_the_table(profile: str) -> None:
    """And no two of a device are called the same."""
    shipped = load_profile(profile)
    unnamed = [name for name in (*shipped.points, *shipped.commands) if known(name) in (None, name)]
    assert not unnamed, "give these a label in schemas/labels.py"
    said = [label(name) for name in shipped.points]
    assert len(said) == len({*said}), sorted(said)


def test_each_kind_is_said() -> None:
    assert KINDS.keys() == {*Kind}


def test_a_switch_is_on_or_off() -> None:
    assert [switched("switch", 0.0), switched("switch", 1.0), switched("t_0", 0.0)] == ["off", "on", None]
