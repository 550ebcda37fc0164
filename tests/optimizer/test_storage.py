"""Several batteries taken for one."""

import pytest

from optimizer.storage import Storage, soc, together
from schemas.site_battery import Battery


def battery(name: str, energy: float, **change: float) -> Battery:
    given = {"name": name, "pcs": f"{name}_pcs", "bms": f"{name}_bms", "energy": energy, **change}
    return Battery.model_validate(given)


A, B = battery("a", 100e3, efficiency=0.9, soc_min=20.0), battery("b", 300e3, efficiency=0.98, wear=0.04)


def test_one_is_itself() -> None:
    assert together([A]) == Storage(100e3, 20.0, 90.0, 0.9, 0.02)
    assert soc([A], [95.0]) == 95.0


def test_energies_add_up_and_the_rest_is_weighed_by_them() -> None:
    both = together([A, B])
    assert both.energy == 400e3
    assert [both.efficiency, both.wear, both.soc_min] == pytest.approx([0.96, 0.035, 12.5])


def test_one_that_is_overfull_gives_no_room_below_the_least_of_another() -> None:
    assert soc([A, B], [50.0, 50.0]) == pytest.approx(50.0)
    assert soc([A, B], [100.0, 10.0]) == pytest.approx((90 + 3 * 10) / 4)
