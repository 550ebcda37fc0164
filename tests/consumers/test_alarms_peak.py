"""A new peak that is coming, after a restart in the middle of its window: neither a false alarm nor a missed one."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from consumers.alarms.beside import Beside
from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from schemas.messages import Telemetry
from schemas.site_file import load_site
from tests.consumers.test_alarms_catalog import small_site
from tests.consumers.test_alarms_site_values import at, billing, plan

TARGET = 80e3
RISK = "peak_risk-grid"
MINUTE_7 = 420
ON_DELAY, FEW = 10, 5


class Case(NamedTuple):
    power: Callable[[int], float]
    """W that are drawn, by the second of the window."""
    raised: int | None
    """From when on it is known that the peak will be passed."""
    begin: int = MINUTE_7
    """When the alarms begin."""
    mean: float = 0.0
    """W, of the window so far as optimize tells it, and how many of the first 420 s it has seen."""
    seen: float = 415.0
    until: int = 900
    """When optimize tells it last."""


CASES = {
    # 90 kW so far and 85 kW now lead to 86.9 kW
    "it was high before the restart": Case(lambda _: 85e3, MINUTE_7, mean=90e3),
    "the meter had gaps: nobody knows": Case(lambda _: 85e3, None, mean=90e3, seen=300.0),
    "nothing is told of it: nobody knows": Case(lambda _: 85e3, None, seen=0.0),
    "optimize follows it no more": Case(lambda _: 85e3, None, mean=90e3, until=400),
    # 20 kW so far and 100 kW now lead to 62.7 kW; of what was seen since the restart alone they are 100 kW
    "it was low before the restart": Case(lambda _: 100e3, None, mean=20e3),
    "it was low, and much is drawn now": Case(lambda _: 140e3, MINUTE_7, mean=20e3),
    # without a restart: what is fed in takes nothing off, so 160 kW for the last 480 s are 85.3 kW, and 140 kW 74.7
    "it fed in before": Case(lambda second: -100e3 if second < 420 else 160e3, 420, begin=1, until=0),
    "it fed in, and draws less": Case(lambda second: -100e3 if second < 420 else 140e3, None, begin=1, until=0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_restart_in_mid_window(tmp_path: Path, case: Case) -> None:
    """It was blind until nine tenths of the window were seen: a start at minute 7 lost the whole window."""
    site, catalog = load_site(small_site(tmp_path)), load_catalog()
    panel = Panel(watched(site, catalog).rules, catalog.services, at(case.begin), places=Places.of(site))
    beside, told = Beside(site, tmp_path, at(case.begin)), list[int]()
    beside.hear(plan(case.begin, peak=TARGET), at(case.begin))
    for second in range(case.begin, 890):
        if second % 10 == 0 and second <= case.until:
            covered = max(0.0, second - MINUTE_7 + case.seen)
            beside.hear(billing(second, 0, case.mean, covered=covered), at(second))
        sample = Telemetry(at=at(second).wall, epoch="0" * 16, seq=1, values={"p": case.power(second)})
        changes = panel.hear("grid", sample, at(second))
        changes += [*beside.tell(panel, at(second)), *panel.tick(at(second))]
        told += [second for name, alarm in changes if name == RISK and alarm.active]
    if case.raised is None:
        assert not told
    else:
        assert case.raised + ON_DELAY <= told[0] <= case.raised + ON_DELAY + FEW
