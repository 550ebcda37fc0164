"""The demand charge of the ledger is that of the invoice with the peaks that `site/billing` tells: to the cent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from optimizer.billing import Quarter, quarter
from optimizer.demand_share import QUARTER, Metered, shares
from optimizer.invoice import invoice, total
from optimizer.site_billing import SiteBilling
from schemas.tariff import Tariff
from tests.optimizer.test_site_billing import archived

BERLIN, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
EVENING = [{"start": "16:00", "end": "21:30", "months": [1, 3, 4, 10]}]


def component(random: Random, name: str) -> dict[str, Any]:
    """One of a tariff that anybody may have."""
    minutes = random.choice([15, 30, 60])
    found: dict[str, Any] = {"name": name, "price": random.uniform(5, 20), "minutes": minutes}
    if minutes > 15 and random.random() < 0.4:
        found["sliding"] = random.choice([5, 15] if minutes == 30 else [5, 15, 30])
    if random.random() < 0.4:
        found["hours"] = EVENING
    if random.random() < 0.4:
        found["floor"] = random.uniform(1, 60)
    if random.random() < 0.4:
        found["known"] = [{"peak": random.uniform(10, 90), "on": "2026-01-10"}]
    if random.random() < 0.5:
        more = {"price": 2.0} if random.random() < 0.7 else {}
        found["contract"] = {"power": random.uniform(10, 80), "penalty": random.choice([0.0, 9.0]), **more}
    if random.random() < 0.3:
        return found | {"per": "year"}
    if random.random() < 0.6:
        found["ratchet"] = {"share": random.uniform(0.3, 1.0), "months": random.choice([1, 3, 11])}
    return found


def metered(random: Random, poll: float, begin: datetime, end: datetime) -> Iterator[Quarter]:
    """Whole days and gaps; of some quarters a part alone, or what no plant has drawn in the few seconds of a start."""
    at = begin
    while at < end:
        if random.random() < 0.02:
            at += random.randrange(1, 50) * QUARTER
            continue
        seconds = random.choice([900.0] * 8 + [870.0, 700.0, 30.0])
        power = random.uniform(0, 30e3) * random.choice([1, 1, 3]) + (400e3 if seconds < 100 else 0.0)
        readings = 3 if seconds > 800 else 2
        if poll > 60:
            seconds = 60.0 * readings
        yield quarter(at, power * seconds / 3600, seconds, readings, poll)
        at += QUARTER


@pytest.mark.parametrize("seed", range(10))
def test_the_ledger_of_a_month_is_its_bill(seed: int) -> None:
    random = Random(seed)
    zone, poll = random.choice([BERLIN, BERLIN, KATHMANDU]), random.choice([1.0, 10.0, 300.0])
    border = datetime(2026, random.choice([4, 11]), 1, tzinfo=zone)  # a clock was changed some days before
    names = ("all", "on-peak")[: random.choice([1, 2])]
    demand = [component(random, name) for name in names]
    tariff = Tariff.model_validate({"import": {"period": [{"price": 0.2}]}, "demand": demand})
    now = border.astimezone(UTC) + timedelta(days=2, hours=random.randrange(5))
    spans = [
        (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 17, tzinfo=UTC)),
        (now - timedelta(days=40), now - timedelta(days=36)),
        (now - timedelta(days=12), now - timedelta(hours=1)),
    ]
    seen = {one.at: one for span in spans for one in metered(random, poll, *span)}
    last = [now - number * QUARTER for number in range(4, 0, -1)]
    seen |= {at: quarter(at, 9000.0, 180.0 if poll > 60 else 900.0, 3, poll) for at in last}
    # a row is of a quarter whose energy is known: by a counter also where the meter was not read
    rows = {at for at, one in seen.items() if one.seconds > 600 or poll > 60} - {now - timedelta(days=5)}
    rows |= {now - timedelta(days=4) + number * QUARTER for number in range(9)}
    silent = border.astimezone(UTC) - timedelta(hours=random.choice([0, 3]))
    seen = {at: one for at, one in seen.items() if not silent <= at < silent + timedelta(hours=4)}
    rows = {at for at in rows if at in seen or not silent <= at < silent + timedelta(hours=4)}

    billing = archived(SiteBilling(zone, poll).of(tariff), [seen[at] for at in sorted(seen)], now)
    made = {name: billing.made(name, now) for name in names}
    found = shares(Metered(tariff.components, poll, zone), seen, rows, now)
    before = (border - timedelta(days=1)).replace(day=1)
    for begin, end in ((before, border), (border, now)):
        period = begin.astimezone(UTC), end.astimezone(UTC)
        drawn = {at: seen[at].imported * 900 / seen[at].seconds if at in seen else 0.0 for at in rows}
        ledger = sum(one.at(drawn[at]) for at, one in found.items() if period[0] <= at < period[1])
        assert ledger == pytest.approx(total(invoice(tariff, [], made, zone, {}, period)), abs=0.005)
