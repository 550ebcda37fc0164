"""What was found by making the alarms and the interlock of a rise unsafe or blind: real parts, virtual time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bridges.control.battery_control import BatteryControl
from bridges.telemetry.latest_values import LatestValues
from schemas.messages import Telemetry
from tests.bridges.control.bare import Bare
from tests.bridges.control.test_search import SITE

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("readings", "acts"),
    [
        pytest.param({100: 45.0}, False, id="a telegram that was mixed up"),
        pytest.param({100: 45.0, **dict.fromkeys(range(101, 109))}, False, id="and then silence for 8 s"),
        pytest.param({second: 25.0 + second - 100 for second in range(101, 150)}, True, id="a fire"),
        pytest.param(
            {**{second: 25.0 + second - 100 for second in range(101, 110)}, **dict.fromkeys(range(110, 118))},
            True,
            id="a fire that takes its BMS along",
        ),
    ],
)
def test_one_reading_is_one_however_long_it_is_the_last(readings: dict[int, float | None], acts: bool) -> None:
    """The reading of a cut line was seen again after 1.5 s: it stopped the battery until a person came."""
    pcs: Any = Bare("pcs", {})
    latest, seen = LatestValues(), set[str]()
    control = BatteryControl(SITE.units[0], SITE, pcs, (), latest)
    for half in range(260):
        now = half / 2
        if half % 2 == 0 and (value := readings.get(half // 2, 25.0)) is not None:
            latest.note("bms", Telemetry(at=NOON, epoch="0" * 16, seq=half + 1, values={"cell_t_max": value}), now)
        control.interlocks.judge(now)
        judged = control.interlocks.judged
        assert judged is not None
        seen |= {one.name for one in judged.acting if one.state == "active"}
    assert ("cell_heats_up-bms" in seen) is acts
