"""What `check` called good, found by reading the documents alone."""

import pytest

from tests.hostile.test_found_seven_docs import DEVICE
from tests.joulebus.test_check import SITE, Check
from tests.joulebus.test_check import check as check  # noqa: PLC0414  # a fixture

COLD = f"""{DEVICE}
[[load]]
device = "pump"
fallback = "on"
[load.comfort]
device = "grid"
point = "p"
low = 2.0
high = 6.0
time_constant = 20
"""


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("rest = 3.0\nper_kw = -2.0\n", "at rest it is 3, within 2 to 6: the load is never needed"),
        ("rest = 15.0\nper_kw = -1.0\n", "fully on it comes to 7.5 at last, and 2 to 6 is wanted: it never gets there"),
        (
            "rest = 15.0\nper_kw = 1.0\n",
            "at rest it is 15, and each kW moves it by 1, away from the band: mind the sign",
        ),
        ("rest = 15.0\nper_kw = -2.0\n", ""),
    ],
)
def test_a_temperature_that_a_load_cannot_keep_is_said(check: Check, more: str, says: str) -> None:
    """To the integrator: the plan then keeps a band that needs nothing, or that nothing reaches."""
    code, said = check.of(SITE + COLD + more)
    assert (code, says in said, "warning" in said) == (0, True, bool(says)), said
