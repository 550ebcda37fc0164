"""Faults have names that begin with a device, and an unknown one is refused with a hint."""

import pytest

from schemas.site import Site
from schemas.troubles import Trouble
from simulator.faults import Faults, known
from simulator.lies import SAYS, lie


def test_each_device_has_its_own(site: Site) -> None:
    names = known(site)
    assert {"meter:silent", "meter:inverted", "pcs:trip", "pcs:ignores_setpoint", "bms:hot", "bms:cell_high"} <= set(
        names
    )
    assert "pv:trip" not in names
    assert all(map(str, names.values()))


def test_on_and_off(site: Site) -> None:
    faults = Faults(known(site), ["bms:hot"])
    faults.on("pcs:trip")
    faults.off("bms:hot")
    assert [*faults.active] == ["pcs:trip"]
    assert faults.of("pcs") == {"trip": 1.0}


def test_an_unknown_name_is_refused_and_changes_nothing(site: Site) -> None:
    faults = Faults(known(site), ["bms:hot"])
    with pytest.raises(Trouble, match="did you mean 'bms:hot'"):
        faults.on("bms:hott")
    with pytest.raises(Trouble, match="did you mean 'bms:hot'"):
        faults.off("bms:hott")
    with pytest.raises(Trouble, match="did you mean 'bms:hot'"):
        faults.set(["pcs:trip", "bms:hott"])
    assert faults.active == {"bms:hot": 35.0}


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@pytest.mark.parametrize("name", SAYS)
def test_each_lie_changes_the_frames_that_know_it(name: str, rtu: bool) -> None:
    head = b"" if rtu else b"\x00\x07\x00\x00\x00\x07"
    frame = head + b"\x01\x03\x04\x00\x01\x00\x02" + (b"\x2a\x32" if rtu else b"")
    knows = ("RTU only" if rtu else "Modbus TCP only") in SAYS[name] or "only" not in SAYS[name]
    assert (lie(name, frame, rtu=rtu) != frame) == knows
