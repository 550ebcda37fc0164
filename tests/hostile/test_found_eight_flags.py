"""What the documents let somebody write, and was played as if it were meant."""

from dataclasses import replace

import pytest

from joulebus.backtest.site import Flags, of_flags
from schemas.troubles import Trouble

BATTERY = Flags(battery_kw=100.0, battery_kwh=200.0)


def test_a_soc_written_as_a_share_is_not_played_as_a_battery_of_a_hundredth() -> None:
    """`--soc-min 0.1 --soc-max 0.9` was 0.8 % of the battery, and the result told that it would earn nothing."""
    with pytest.raises(Trouble, match=r"--soc-max 0\.9: it is in %: for 90 % write 90"):
        of_flags(replace(BATTERY, soc_min=0.1, soc_max=0.9), (False, False))


@pytest.mark.parametrize(("low", "high"), [(0.0, 100.0), (0.5, 95.0), (10.0, 90.0)])
def test_a_soc_in_percent_is_played_as_it_is_written(low: float, high: float) -> None:
    battery = of_flags(replace(BATTERY, soc_min=low, soc_max=high), (False, False)).battery
    assert battery is not None
    assert (battery.soc_min, battery.soc_max) == (low, high)
