"""An alarm with `effect` over real lines: Modbus, broker and dispatch at the rhythm of the field."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.interlock import InterlockRule
from schemas.messages import ControlRequest, Mode
from schemas.site_alarm import AlarmRule, WrongAlarm
from schemas.topics import COMMAND, CONTROL_DISPATCH, CONTROL_REQUEST, DEVICE_STATUS, SERVICE_STATUS, TELEMETRY
from schemas.units import Kind, utc_now
from tests.bridges.conftest import Bench, Start
from tests.conftest import Broker
from tests.consumers.test_dispatch_service import dispatching, until
from tests.ear import ear

SOON = 1.0
"""Seconds from the reading to the register."""
HOT = AlarmRule.model_validate(
    {"name": "mine", "kind": "bms", "point": "cell_t_max", "above": 30, "deadband": 1, "effect": ["block_charge"]}
)
WRONG = WrongAlarm("gone", (("abov", "unknown key; did you mean 'above'?"),), drives=True)
OMIT = InterlockRule(name="cell_heats_up", kind=Kind.BMS, omit="one module is made hotter at once")


def told(bench: Bench) -> float:
    """W in the register."""
    return bench.simulated.world.plant.pcs.p_set


def read(bench: Bench) -> float:
    """The temperature that was read last."""
    return bench.hears.all(TELEMETRY, device="bms")[-1].number("cell_t_max") or 0.0


def doing(bench: Bench) -> str:
    """What dispatch says last."""
    return bench.hears.all(CONTROL_DISPATCH)[-1].reason


async def test_what_an_alarm_blocks_is_blocked_within_a_second_and_dispatch_says_why(
    start: Start, broker: Broker, tmp_path: Path
) -> None:
    bench = await start(alarm=[HOT, WRONG], interlock=[OMIT])
    status = await bench.hears.until(SERVICE_STATUS, lambda one: "alarm_effect" in one.causes, service="bridge")
    assert "alarm.1.abov: this alarm should hold the battery and does nothing" in status.detail
    (tmp_path / "dispatch").mkdir()
    async with dispatching(broker, bench.site, tmp_path / "dispatch"), ear(broker.url("operator")) as person:
        await bench.hears.until(CONTROL_DISPATCH)
        hour = utc_now() + timedelta(hours=1)
        asks = ControlRequest(at=utc_now(), mode=Mode.MANUAL, power=-50e3, until=hour, who="anna")
        await person.bus.say(CONTROL_REQUEST, asks, site=bench.site.site)
        await until(lambda: told(bench) == pytest.approx(-50e3, abs=100))
        bench.simulated.faults.on("bms:hot", 6.0)
        await until(lambda: read(bench) > 30, 5)
        await until(lambda: told(bench) == 0.0, SOON)
        said = await bench.hears.until(DEVICE_STATUS, lambda one: bool(one.interlocks), device="pcs")
        assert said.interlocks == {"mine-bms": ["block_charge"]}
        words = "but charging is blocked by interlock mine-bms"
        await until(lambda: words in doing(bench), 5)
        await bench.hears.until(COMMAND, lambda one: words in one.reason, device="pcs")
        bench.simulated.faults.off("bms:hot")
        await until(lambda: told(bench) == pytest.approx(-50e3, abs=100), 10)
        await until(lambda: "interlock" not in doing(bench), 5)
