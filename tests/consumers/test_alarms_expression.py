"""The language of `when`: what it says of readings, and what it says of mistakes. No broker, no clock."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import Look, Watch, watch_text
from consumers.alarms.latest import Latest
from schemas.messages import Telemetry, Value
from schemas.profile import Profile
from schemas.units import Kind, Quality

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGIN = 500.0


def profile(kind: Kind, **points: dict[str, object]) -> Profile:
    return Profile.model_validate(
        {
            "make": "a",
            "model": "b",
            "kind": kind,
            "source": "test",
            "points": {name: {"register": place, **point} for place, (name, point) in enumerate(points.items())},
        }
    )


STATES: dict[str, object] = {"enum": {"0": "off", "1": "running", "2": "fault", "3": "maintenance"}}
BMS = profile(
    Kind.BMS,
    soc={"unit": "%"},
    i={"unit": "A"},
    u={"unit": "V"},
    ccl={"unit": "A"},
    riso={"unit": "kOhm"},
    cell_t_max={"unit": "degC"},
    cell_t_min={"unit": "degC"},
    cell_u_max={"unit": "V", "rate": "slow"},
    state=STATES,
    alarms={"flags": {"0": "epo", "1": "smoke"}},
    alarms_2={"flags": {"0": "fan"}},
)
PCS = profile(
    Kind.PCS, p={"unit": "W"}, q={"unit": "var"}, s={"unit": "VA"}, f={"unit": "Hz"}, u={"unit": "V"}, state=STATES
)
METER = profile(Kind.METER, p={"unit": "W"}, pf={}, t={"unit": "degC"}, name={"type": "text", "words": 4})
SITE = Scope({"bms-1": BMS, "bms-2": BMS, "pcs-1": PCS, "grid": METER}, {"grid": 2.0})
Readings = Mapping[str, Value | None]


class Story:
    """Readings go in, looks come out. `second`: since it began, on both clocks."""

    def __init__(self, scope: Scope = SITE) -> None:
        self.latest, self.step = Latest(scope, BEGIN), timedelta()
        self.second = 0.0

    def hear(self, readings: Readings) -> None:
        """By `device.point`, `site.value` or `@service.word`; None is a value that nobody believes."""
        for name, value in readings.items():
            device, point = name.split(".")
            if device == "site":
                self.latest.tell_site(point, value)
            elif device.startswith("@"):
                self.latest.tell_service(device[1:], point, value)
            elif point in ("link", "outcome", "action", "causes", "unanswered"):
                self.latest.tell(device, point, value)
            else:
                doubt = {point: Quality.IMPLAUSIBLE} if value is None else {}
                given = {point: 0.0 if value is None else value}
                said = Telemetry(at=NOON, epoch="0" * 16, seq=1, values=given, quality=doubt)
                self.latest.hear(device, said, BEGIN + self.second)

    def look(self, watch: Watch, active: bool = False) -> Look:
        wall = NOON + timedelta(seconds=self.second) + self.step
        return watch.look(self.latest, BEGIN + self.second, wall, active)


def one_look(text: str, readings: Readings, own: str = "bms-1") -> Look:
    story = Story()
    story.hear({name if "." in name else f"{own}.{name}": value for name, value in readings.items()})
    return story.look(watch_text(text, SITE.of(own)))


@pytest.mark.parametrize(
    ("text", "readings", "found"),
    [
        ("cell_t_max > 45 degC", {"cell_t_max": 46.0}, (True, 46.0, 45.0, "degC")),
        ("cell_t_max > 45", {"cell_t_max": 45.0}, (False, 45.0, 45.0, "degC")),
        ("cell_t_max > 45", {"cell_t_max": None}, (None, None, 45.0, "degC")),
        ("cell_t_max > 45", {"cell_t_max": "hot"}, (None, None, 45.0, "degC")),
        ("45 < cell_t_max", {"cell_t_max": 46.0}, (True, 46.0, 45.0, "degC")),
        ("abs(i) > 1.05 * ccl", {"i": -106.0, "ccl": 100.0}, (True, 106.0, 105.0, "A")),
        ("abs(i) > 105 % * ccl", {"i": -104.0, "ccl": 100.0}, (False, 104.0, 105.0, "A")),
        ("riso / u < 500 Ohm/V", {"riso": 400.0, "u": 800.0}, (False, 500.0, 500.0, "Ohm/V")),
        ("riso / u < 0.5 kOhm/V", {"riso": 399.0, "u": 800.0}, (True, 498.75, 500.0, "Ohm/V")),
        ("riso / u < 500", {"riso": 400.0, "u": 0.0}, (None, None, 500.0, "Ohm/V")),
        ("u * i > 50 kW", {"u": 800.0, "i": 63.0}, (True, 50400.0, 50000.0, "W")),
        ("cell_t_max - cell_t_min > 10", {"cell_t_max": 31.0, "cell_t_min": 20.0}, (True, 11.0, 10.0, "K")),
        ("cell_t_spread > 10 K", {"cell_t_max": 31.0, "cell_t_min": 20.0}, (True, 11.0, 10.0, "K")),
        ("cell_t_max > cell_t_min + 10", {"cell_t_max": 31.0, "cell_t_min": 20.0}, (True, 31.0, 30.0, "degC")),
        ("deviation(soc, bms-2.soc) > 5 %", {"soc": 50.0, "bms-2.soc": 56.0}, (True, 6.0, 5.0, "%")),
        ("spread(bms.soc) > 10 %", {"soc": 50.0, "bms-2.soc": 61.0}, (True, 11.0, 10.0, "%")),
        ("highest(bms.soc) > 60", {"soc": 50.0, "bms-2.soc": 61.0}, (True, 61.0, 60.0, "%")),
        ("highest(bms.soc) > 60", {"soc": 50.0}, (None, None, 60.0, "%")),
        ("highest(bms.soc) > 60", {"soc": 61.0}, (True, 61.0, 60.0, "%")),
        ("lowest(bms.soc) < 60", {"soc": 50.0}, (True, 50.0, 60.0, "%")),
        ("sum(bms.soc) > 60", {"soc": 61.0}, (None, None, 60.0, "%")),
        ("max(u, 900 V) > 800 V", {"u": 700.0}, (True, 900.0, 800.0, "V")),
        ("state == 'fault'", {"state": "fault"}, (True, "fault", "fault", "")),
        ("state in (off, maintenance)", {"state": "off"}, (True, "off", "off, maintenance", "")),
        ("state not in ('off')", {"state": "off"}, (False, "off", "off", "")),
        ("has(alarms, 'epo')", {"alarms": ["epo"]}, (True, ["epo"], "epo", "")),
        ("has(alarms)", {"alarms": [], "alarms_2": ["fan"]}, (True, ["fan"], None, "")),
        ("has(alarms)", {"alarms": [], "alarms_2": None}, (None, None, None, "")),
        ("has(alarms)", {"alarms": []}, (False, [], None, "")),
        ("state == 'fault' and not has(alarms, 'epo')", {"state": "fault", "alarms": []}, (True, "fault", "fault", "")),
        ("state == 'fault' and soc > 5", {"state": "off"}, (False, "off", "fault", "")),
        ("state == 'fault' or soc > 5", {"soc": 6.0}, (True, 6.0, 5.0, "%")),
        ("state == 'fault' or soc > 5", {"soc": 5.0}, (None, None, "fault", "")),
        ("link == 'degraded'", {"link": "degraded"}, (True, "degraded", "degraded", "")),
        ("has(causes, watchdog)", {"causes": ["watchdog"]}, (True, ["watchdog"], "watchdog", "")),
        ("unanswered > 5", {"unanswered": 6.0}, (True, 6.0, 5.0, "s")),
        ("i * u - site.import_limit > 2 kW", {"i": 10.0, "u": 800.0, "site.import_limit": 5e3}, (True, 3e3, 2e3, "W")),
        ("pcs-1.p > 0.9 * pcs-1.s", {"pcs-1.p": 95.0, "pcs-1.s": 100.0}, (True, 95.0, 90.0, "W")),
        ("pcs-1.p > 1 kW", {"pcs-1.p": 1001.0}, (True, 1001.0, 1000.0, "W")),
    ],
)
def test_a_look(text: str, readings: Readings, found: tuple[Value | None, ...]) -> None:
    for has, should in zip(one_look(text, readings), found, strict=True):
        assert has == (pytest.approx(should) if isinstance(should, float) else should)
