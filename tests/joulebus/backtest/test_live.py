"""What a backtest plays is what runs live: the same outlook, the same plan, the same answers."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from consumers.optimize.look import look
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from consumers.optimize.think import think
from joulebus.backtest.planner import Planner
from joulebus.backtest.prepare import Prepared, prepare
from joulebus.backtest.site import Flags, of_site
from joulebus.backtest.walk import Planned
from optimizer.record import QUARTER
from optimizer.verify import verify
from schemas.messages import Telemetry
from schemas.site import Site
from tests.consumers.test_dispatch_desk import plant_site
from tests.joulebus.backtest.files import START, lines, rows, write

DAYS = 66
SOC = 55.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return plant_site(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def ready(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("data")
    data = write(folder / "data.csv", lines([(at, load, 0.6 * pv) for at, load, pv in rows(DAYS + 1)]))
    terms = of_site(site.tariff_path.parent / "site.toml", Flags())
    return prepare(data, f"{START + timedelta(days=DAYS):%Y-%m-%d}", 1, site.zone, lambda _: terms)


def remembered(site: Site, ready: Prepared) -> Past:
    """The archive, with the same quarters in it."""
    past, found, begin = Past(site), ready.span.found, ready.span.played.start
    count = found.at(begin)
    times = [found.start + i * QUARTER for i in range(count)]
    for name, powers in (("grid", found.load - found.pv), ("pcs1", 0 * found.load), ("pv1", found.pv)):
        past.means[name] = dict(zip(times, powers[:count].tolist(), strict=True))
    past._fold(found.start, begin)
    past.newest = begin
    return past


def seen(site: Site, ready: Prepared, load: float, pv: float) -> Situation:
    """Telemetry of this moment."""
    situation, at = Situation.of(site), ready.span.played.start
    shown = {
        "grid": {"p": load - pv},
        "pcs1": {"p": 0.0},
        "bms1": {"soc": SOC, "u": 800.0, "ccl": 200.0, "dcl": 200.0},
        "pv1": {"p": pv},
    }
    for device, values in shown.items():
        situation.fold(device, Telemetry(at=at, epoch="0" * 16, seq=1, values=values), at, 0.0)  # type: ignore[arg-type]  # numbers alone
    return situation


def test_the_plan_of_a_backtest_is_that_of_the_service(site: Site, ready: Prepared) -> None:
    """At one instant, with the same past, prices and SoC, and a present load as it was forecast."""
    at = ready.span.played.start
    assert ready.span.terms.battery is not None
    mind = Planned(ready.span, "plan", ready.span.terms.battery)
    planner: Planner = mind.planner
    foreseen = planner.outlook(at, SOC, mind.meters)
    planner.renew(at, SOC, mind.meters)
    past, situation = remembered(site, ready), seen(site, ready, float(foreseen.load[0]), float(foreseen.pv[0]))

    live = look(situation, past, {}, at, 0.0).outlook
    for name in ("load", "pv", "buy", "sell"):
        assert getattr(live, name) == pytest.approx(getattr(foreseen, name)), name
    assert np.asarray(live.spread) == pytest.approx(np.asarray(foreseen.spread))
    for name in ("starts", "soc", "rated", "grid", "zone"):
        assert getattr(live, name) == getattr(foreseen, name), name
    for name in ("peaks", "expected", "imported", "daily"):
        assert [getattr(one, name) for one in live.charges] == [getattr(one, name) for one in foreseen.charges], name
    made, wrong, _ = think(situation, past, {}, at, 0.0)
    played = planner.checked
    assert wrong == []
    assert planner.refused == 0
    assert played is not None
    assert (played.peak, played.cost) == pytest.approx((made.peak, made.cost), rel=1e-6)
    for mine, other in zip(played.steps, made.steps, strict=True):
        assert (mine.power, mine.soc) == pytest.approx((other.power, other.soc), abs=1.0)
        assert np.array(mine.policy) == pytest.approx(np.array(other.policy), abs=1.0)
        assert mine.cap == (None if other.cap is None else pytest.approx(other.cap, abs=1.0))
    assert sum(bool(step.policy) for step in played.steps) == 4


def test_a_plan_that_the_second_check_refuses_is_counted_and_not_played(ready: Prepared) -> None:
    """As live: the last good one goes on for its hour, then dispatch does without."""
    at = ready.span.played.start
    assert ready.span.terms.battery is not None
    mind = Planned(ready.span, "plan", ready.span.terms.battery)
    mind.planner.renew(at, SOC, mind.meters)
    good = mind.planner.policy
    mind.planner.check = lambda made, outlook: verify(made, replace(outlook, rated=1.0))  # of a battery of 1 W
    mind.planner.checked = None  # this one is looked at, too
    mind.planner.renew(at + QUARTER, SOC, mind.meters)
    assert mind.planner.refused == 1
    assert mind.planner.policy is good
    assert mind.planner.step(at + 3 * QUARTER, SOC, mind.meters) is not None
    assert mind.planner.step(at + 4 * QUARTER, SOC, mind.meters) is None
