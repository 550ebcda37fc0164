"""The device's own watchdog: armed, looked at, fed, and left alone when it must bite."""

import pytest

from bridges.control.watchdog_care import LOOK, Care, WatchdogCare
from bridges.fieldbus.contract import FedBy, Watchdog
from schemas.register import BITES


def care(fed_by: FedBy = "any", seconds: float = 10.0) -> WatchdogCare:
    return WatchdogCare(Watchdog(seconds, fed_by))


def test_it_is_armed_first_and_then_looked_at() -> None:
    one = care()
    assert one.due(0.0) is Care.ARM
    one.armed(0.0, holds=True)
    assert (one.due(LOOK - 0.1), one.due(LOOK)) == (Care.NOTHING, Care.LOOK)
    one.looked(LOOK, holds=False)
    assert one.due(LOOK) is Care.ARM, "a reset of the device took its time back"


def test_one_that_does_not_hold_is_a_trouble_and_tried_again_later_each_time() -> None:
    one, tries = care(), 0
    for second in range(600):
        if one.due(float(second)) is Care.ARM:
            tries += 1
            one.armed(float(second), holds=False)
    assert 10 <= tries <= 16
    assert "another time" in one.trouble
    one.armed(700.0, holds=True)
    assert one.trouble == ""


def test_one_that_cannot_be_read_back_is_believed() -> None:
    one = care()
    one.armed(0.0, holds=None)
    assert (one.trouble, one.due(1.0)) == ("", Care.NOTHING)


@pytest.mark.parametrize(
    ("fed_by", "due"), [("any", Care.NOTHING), ("write", Care.ARM), ("setpoint", Care.FEED)], ids=str
)
def test_what_feeds_it(fed_by: FedBy, due: Care) -> None:
    one = care(fed_by, 9.0)
    one.armed(0.0, holds=True)
    assert (one.due(2.9), one.due(3.1)) == (Care.NOTHING, due)


def test_without_a_watchdog_nothing_is_due_and_nothing_is_left_alone() -> None:
    none = WatchdogCare(None)
    assert none.due(0.0) is Care.NOTHING
    assert not none.let_it_bite(0.0)
    assert not none.bites(0.0)


@pytest.mark.parametrize("fed_by", ["any", "write", "setpoint"])
def test_whatever_feeds_it_one_that_must_bite_is_left_alone(fed_by: FedBy) -> None:
    one = care(fed_by)
    one.armed(0.0, holds=True)
    assert one.let_it_bite(1.0)
    assert one.bites(1.0 + BITES * 10 - 0.1)
    assert not one.bites(1.0 + BITES * 10)
