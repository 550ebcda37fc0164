"""An alarm rule of the site file that is wrong: the service says so, as an alarm, and judges the others."""

from pathlib import Path

from schemas.topics import ALARM, SERVICE_STATUS
from tests.conftest import Broker
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_alarms_service import Plant, on_the_bus, running
from tests.ear import ear as hearing

RULES = """
[[alarm]]
name = "warm"
device = "bms1"
point = "cell_t_max"
above = 30
[[alarm]]
name = "wrong"
device = "bms1"
point = "cell_t_mxa"
above = 30
[[alarm]]
name = "unreadable"
device = "bms1"
above = 30
priority = "loud"
"""


async def test_a_wrong_rule_is_an_alarm_and_the_others_are_judged(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = small_site(tmp_path, site_name, RULES)
    async with (
        hearing(broker.url("admin"), f"ems/v1/{site_name}/#") as admin,
        on_the_bus(broker, "bridge") as bridge,
        running(broker, site),
    ):
        plant = Plant(bridge, site_name)
        await plant.say("bms1", cell_t_max=35.0)
        await admin.until(ALARM, lambda alarm: alarm.state == "unacknowledged", alarm="warm-bms1")
        await admin.until(ALARM, lambda alarm: alarm.state == "unacknowledged", alarm="rule_refused-alarms")
        said = admin.all(SERVICE_STATUS, service="alarms")[-1]
    assert said.causes == ["alarm_rule"]
    assert "alarm.1.point" in said.detail
    assert "did you mean 'cell_t_max'?" in said.detail
    assert "alarm.2.priority" in said.detail
