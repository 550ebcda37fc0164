"""A load that somebody has switched at the device is left so for an hour; a battery's setpoint is written again."""

from collections import Counter

import pytest

from bridges.control.setpoint_writer import BY_HAND, Put, SetpointWriter
from bridges.fieldbus.contract import Writable
from schemas.messages import Cause
from schemas.units import Kind
from tests.bridges.control.bare import Bare
from tests.virtual import virtual


class Told:
    """A writer and its device, and the second hand."""

    def __init__(self, kind: Kind) -> None:
        self.device = Bare("one", {"switch": Writable("switch", 0.0, 1.0, 0.0)}, kind=kind, points=("switch",))
        self.writer, self.now = SetpointWriter(self.device, Counter()), 100.0
        self.writer.recall(self.now)

    async def put(self, value: float) -> Put:
        self.now += 2.0
        found = await self.writer.put("switch", value, self.now, urgent=True, cyclic=True)
        assert (found.cause is Cause.FOREIGN_WRITE) is (found.put is Put.WAITS)
        self.writer.judge("switch", dict(self.device.held_values), self.now)
        return found.put

    def by_hand(self, value: float) -> None:
        self.device.held_values["switch"] = value
        self.now += 2.0
        self.writer.judge("switch", dict(self.device.held_values), self.now)


@pytest.mark.parametrize("ours", [0.0, 1.0])
@virtual
async def test_it_is_left_for_an_hour_and_no_longer(ours: float) -> None:
    it = Told(Kind.LOAD)
    assert await it.put(ours) is Put.WRITTEN
    it.by_hand(1.0 - ours)
    begun = it.now
    while it.now < begun + BY_HAND - 4:
        assert await it.put(ours) is Put.WAITS
        it.now += 60.0
    assert it.device.held_values["switch"] == 1.0 - ours
    it.now = begun + BY_HAND
    assert await it.put(ours) is Put.WRITTEN
    assert it.device.held_values["switch"] == ours


@virtual
async def test_who_puts_it_back_ends_that() -> None:
    it = Told(Kind.LOAD)
    await it.put(1.0)
    it.by_hand(0.0)
    assert await it.put(1.0) is Put.WAITS
    it.by_hand(1.0)
    assert await it.put(1.0) is Put.HELD
    assert await it.put(0.0) is Put.WRITTEN


@virtual
async def test_a_load_that_was_out_of_sight_has_lost_it_and_nobody_is_there() -> None:
    it = Told(Kind.LOAD)
    await it.put(1.0)
    it.writer.out_of_sight()
    it.by_hand(0.0)
    assert await it.put(1.0) is Put.WRITTEN


@virtual
async def test_a_device_that_takes_it_back_by_a_timer_is_no_person() -> None:
    it = Told(Kind.LOAD)
    await it.put(1.0)
    it.writer.renewals["switch"].says(60.0, it.now)
    it.by_hand(0.0)
    assert await it.put(1.0) is Put.WRITTEN


@virtual
async def test_any_other_device_is_told_again() -> None:
    it = Told(Kind.PCS)
    await it.put(1.0)
    it.by_hand(0.5)
    assert await it.put(1.0) is Put.WRITTEN
