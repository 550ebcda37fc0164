"""The states of a PCS, and the lockout of a battery, as a person says them."""

import pytest

from schemas.profiles import PROFILES, load_profile
from schemas.state_words import STATES, in_words, locked_out
from schemas.units import Kind


def test_each_state_of_a_shipped_pcs_has_its_words() -> None:
    """`the PCS is fault` was said."""
    found = set[str]()
    for path in PROFILES.glob("*.toml"):
        profile = load_profile(path.stem)
        if profile.kind is Kind.PCS and (state := profile.points.get("state")) is not None:
            found |= set((state.enum or {}).values())
    assert {"fault", "sleeping", "standby", "precharge"} <= found
    assert found <= STATES.keys()
    assert (in_words("fault"), in_words("")) == ("in fault", "silent")
    assert in_words("egg") == "in the state 'egg'"


@pytest.mark.parametrize(
    ("out", "why", "alone", "words"),
    [
        ("the PCS has tripped again", "the PCS has tripped", True, "locked out alone: the PCS has tripped again"),
        ("reversed: no", "stops the PCS", True, "locked out alone: reversed: no; stops the PCS"),
        ("reversed: no", "", False, "locked out: reversed: no"),
    ],
)
def test_a_lockout_says_a_cause_once(out: str, why: str, alone: bool, words: str) -> None:
    assert locked_out(out, why, alone=alone) == words
