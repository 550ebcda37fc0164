"""Values that are allowed and can hardly be meant: kW typed for W, MW for kW, a year's price for a month's. Pure.

Every bound lies far outside of what is built, so that a word comes only where a factor of a thousand explains it.
"""

from collections.abc import Iterator

from schemas.interlock import InterlockRule
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_battery import Battery
from schemas.site_device import Device
from schemas.site_grid import Grid
from schemas.site_rules import SiteRule
from schemas.tariff import Demand, Layer, Priced, Tariff

Odd = tuple[str, str]
"""Where in the file and what."""

POWERS = ("p", "p_l1", "p_l2", "p_l3", "ac_p", "grid_p")
LEAST = 1000.0
"""W or Wh: what converts, stores or is connected at a site is larger."""
SMALL_SITE = 30_000.0
"""W of import limit: behind a smaller connection a PV inverter may have some hundred watts."""
FASTEST, SLOWEST = 20.0, 0.02
"""Rated power by energy in 1/h: from a capacitor to a battery for two days."""
OVER = 10.0
"""Times the import limit: no bill of the years before it was set."""
RAMP = 600.0
"""Seconds from 0 to the rated power: no setpoint is moved more slowly."""
SHARE = 0.01
"""Of the rated power: a limit or a fallback below it was meant a thousand times larger."""
LIKELY = 0.02
"""Of the rated power, in kW: a limit below was meant in W, such as 1 W for `it runs`."""
LIKE_EURO = frozenset({"EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"})
"""Currencies of which no kWh costs more than a few."""
DEAREST_KWH = 2.0
LEAST_PERCENT = 1.0
"""Of a layer: a smaller one was written as a part of 1."""
LEAST_TIMES, MOST_TIMES = 0.5, 4.0
"""A factor on the market price: what lies outside was meant as a part of it, or in %."""
LITTLE = 0.002
"""Of the import limit: a smaller contract was meant a thousand times larger, in MW."""
KW: dict[str, tuple[float, float, str]] = {
    "month": (0.25, 100.0, 'a price per kW and year is written with per = "year"'),
    "year": (1.5, 1200.0, "write what one kW costs in a year"),
}
"""Least and most of a price per kW by what it is for, and what would be right; below it is one per kWh."""


def odd_powers(site: Site) -> Iterator[Odd]:
    """Of the site file: W and Wh."""
    small = site.grid.import_limit < SMALL_SITE
    for number, device in enumerate(site.device):
        power = device.rated_power
        if power is not None and power < LEAST and not (small and device.name not in site.pcs and power >= 100):
            yield f"device.{number}.rated_power", _watts(power, f"device {device.name}: ")
        apparent = device.rated_apparent_power
        if power is not None and apparent is not None and apparent < 0.1 * power:
            yield f"device.{number}.rated_apparent_power", _watts(apparent, f"device {device.name}: ", "VA")
        yield from ((f"device.{number}.profile", words) for words in _wraps(site, device))
    for number, one in enumerate(site.battery):
        whose = f"battery {one.name}: " if len(site.battery) > 1 else ""
        yield from ((f"battery.{number}.{key}", whose + words) for key, words in _of_battery(one, site.rated(one)))
    most = max((device.rated_power or 0.0 for device in site.device), default=0.0)
    for key, limit in (("import_limit", site.grid.import_limit), ("export_limit", site.grid.export_limit)):
        if 0 < limit < max(600.0 if small else LEAST, SHARE * most):
            yield f"grid.{key}", _watts(limit)
    reactive = site.grid.reactive.q if site.grid.reactive else None
    if reactive and abs(reactive) < min(LEAST, SHARE * most):
        yield "grid.reactive.q", _watts(reactive, unit="var")
    yield from _odd_signals(site.grid)


def _odd_signals(grid: Grid) -> Iterator[Odd]:
    """What the network operator leaves: less than EnWG 14a leaves a single device is meant in kW, a part of 1 in %."""
    safe = grid.safe_consumption
    if safe is not None and 0 < safe < LEAST:
        yield "grid.safe_consumption", _watts(safe)
    for key, share in (
        ("safe_feed_in", grid.safe_feed_in),
        *((f"signal.{n}.percent", one.percent) for n, one in enumerate(grid.signal)),
    ):
        if share is not None and 0 < share < 1:
            yield f"grid.{key}", f"{share:g} is in %: for {100 * share:g} % write {100 * share:g}"
    for number, one in enumerate(grid.signal):
        if one.power is not None and 0 < one.power < LEAST:
            yield f"grid.signal.{number}.power", _watts(one.power)


def _wraps(site: Site, device: Device) -> Iterator[str]:
    """Powers that a register of the profile cannot say: beyond its end it begins again, often with the other sign."""
    most = device.rated_power or 0.0
    if device.name in site.grid.meters:
        most = max(most, site.grid.import_limit, site.grid.export_limit)
    for name in POWERS:
        point = site.profiles[device.name].points.get(name)
        if point is not None and point.unit == "W" and point.reach < most:
            says = f"{name} of {device.profile} ends at {point.reach / 1000:.4g} kW, and {most / 1000:.4g} kW can flow"
            yield f"device {device.name}: {says}: beyond its end a register begins anew, with the other sign"


def _of_battery(one: Battery, rated: float) -> Iterator[Odd]:
    energy, ramp = one.energy, one.ramp
    if energy < LEAST:
        yield "energy", f"{energy:g} is in Wh: for {energy:g} kWh write {1000 * energy:.0f}"
    elif rated and not SLOWEST <= rated / energy <= FASTEST:
        yield (
            "energy",
            f"{rated:g} W would empty {energy:g} Wh in {round(energy / rated, 4):g} h: it is in Wh, rated_power in W",
        )
    if rated and ramp < rated / RAMP:
        takes = f"{ramp:g} W/s takes {rated / ramp / 60:.0f} min to {rated:g} W"
        yield "ramp", f"{takes}: for {ramp:g} kW/s write {1000 * ramp:.0f}"
    for key, power in (
        ("fallback", one.fallback),
        ("charge_limit", one.charge_limit),
        ("discharge_limit", one.discharge_limit),
    ):
        if power is not None and 0 < abs(power) < min(LEAST, SHARE * rated):
            yield key, _watts(power)


def odd_limits(site: Site) -> Iterator[Odd]:
    """Of alarms and interlocks over a power: far below what the device is made for, and in kW a likely part of it."""
    rules: list[tuple[str, int, AlarmRule | InterlockRule]] = [
        ("alarm", n, rule) for n, rule in enumerate(site.alarm) if isinstance(rule, AlarmRule)
    ]
    rules += [("interlock", n, rule) for n, rule in enumerate(site.interlock)]
    for table, number, rule in rules:
        for device in site.devices:
            profile = site.profiles[device.name]
            if rule.device != device.name and profile.kind is not rule.kind:
                continue
            point = profile.points.get(rule.point or "")
            size = site.grid.import_limit if device.name == site.grid.meter else device.rated_power or 0.0
            for key in ("above", "below"):
                limit: float | None = getattr(rule, key)
                if point is None or point.unit not in ("W", "VA", "var") or not limit:
                    continue
                if abs(limit) < min(LEAST, SHARE * size) and LIKELY * size <= 1000 * abs(limit) <= 3 * size:
                    yield f"{table}.{number}.{key}", _watts(limit, f"{table} {rule.name} of {device.name}: ")


def odd_prices(tariff: Tariff, site: Site) -> Iterator[Odd]:
    """Of the tariff file: per kWh, and kW."""
    like_euro = tariff.currency in LIKE_EURO
    for place, demand in placed(tariff):
        yield from ((f"{place}.{key}", words) for key, words in _kilowatts(demand, site.grid.import_limit))
        if like_euro:
            yield from ((f"{place}.{key}", words) for key, words in odd_rates(demand))
    if not like_euro:
        return
    for name, side in (("import", tariff.import_), ("export", tariff.export)):
        for below, layer in side.layers:
            yield from _of_side(f"{name}.{below}".removesuffix("."), layer, tariff.currency)
    if tariff.reactive and tariff.reactive.price > DEAREST_KWH:
        price = tariff.reactive.price
        yield "reactive.price", f"{price:g} is in {tariff.currency} per kvarh: of {price:g} cents write {price / 100:g}"


def placed(tariff: Tariff) -> list[tuple[str, Demand]]:
    """The components with their place in the file: `demand`, or `demand.0` of several."""
    several = len(tariff.demand) > 1
    return [(f"demand.{number}" if several else "demand", one) for number, one in enumerate(tariff.demand)]


def _kilowatts(demand: Demand, import_limit: float) -> Iterator[Odd]:
    """What is in kW, against the connection in W."""
    if 1000 * demand.floor > import_limit:
        most = f"{demand.floor:g} kW is more than import_limit, {import_limit / 1000:g} kW"
        yield "floor", f"{most}: the floor is in kW"
    for number, one in enumerate(demand.known):
        if 1000 * one.peak > OVER * import_limit:
            most = f"{one.peak:g} kW is far more than import_limit, {import_limit / 1000:g} kW"
            yield f"known.{number}.peak", f"{most}: a known peak is in kW"
    if demand.contract is None:
        return
    power = demand.contract.power
    if 1000 * power > OVER * import_limit:
        yield (
            "contract.power",
            (f"{power:g} kW is far more than import_limit, {import_limit / 1000:g} kW: a contract is in kW"),
        )
    elif 1000 * power < LITTLE * import_limit:
        yield (
            "contract.power",
            (f"{power:g} kW is hardly a part of import_limit, {import_limit / 1000:g} kW: a contract is in kW"),
        )


def odd_rates(demand: Demand) -> Iterator[Odd]:
    """Prices per kW."""
    least, most, right = KW[demand.per]
    given = {"price": demand.rate}
    if demand.contract:
        given |= {"contract.price": demand.contract.price, "contract.penalty": demand.contract.penalty}
    for key, price in given.items():
        if price > most:
            yield key, f"{price:g} is per kW and {demand.per}: {right}"
        elif 0 < price < least:
            yield key, f"{price:g} is per kW and {demand.per}: it is no price of a kWh"


def _of_side(name: str, side: Priced, currency: str) -> Iterator[Odd]:
    words = "is in {} per kWh: of {} cents write {}"
    given = {f"period.{number}.price": period.price for number, period in enumerate(side.period)}
    if side.day_ahead is not None:
        given |= {"day_ahead.plus": side.day_ahead.plus, "day_ahead.floor": side.day_ahead.floor or 0.0}
        yield from _times(name, side.day_ahead.times)
    if isinstance(side, Layer):
        given["price"] = side.price or 0.0
    for key, value in given.items():
        if abs(value) > DEAREST_KWH:
            yield f"{name}.{key}", f"{value:g} {words.format(currency, f'{value:g}', f'{value / 100:g}')}"
    if isinstance(side, Layer) and side.percent is not None and 0 < side.percent < LEAST_PERCENT:
        yield f"{name}.percent", f"{side.percent:g} is in %: for {100 * side.percent:g} % write {100 * side.percent:g}"


def _times(name: str, times: float) -> Iterator[Odd]:
    if 0 < times < LEAST_TIMES or times > MOST_TIMES:
        percent = times if times > MOST_TIMES else 100 * times
        right = f"for {percent:g} % upon the market price write {1 + percent / 100:g}"
        yield f"{name}.day_ahead.times", f"{times:g} is a factor: {right}"


def odd_wear(site: Site) -> Iterator[Odd]:
    """Of the site file: what a kWh through a battery costs, in the tariff's currency."""
    if site.prices.currency in LIKE_EURO:
        for number, one in enumerate(site.battery):
            if one.wear >= 1:
                right = f"of {one.wear:g} cents write {one.wear / 100:g}"
                yield f"battery.{number}.wear", f"{one.wear:g} is in {site.prices.currency} per kWh: {right}"


def odd_rule_prices(rule: SiteRule, currency: str) -> Iterator[Odd]:
    """Of a rule that waits for a price: cents typed for the currency."""
    for number, one in enumerate(rule.when):
        for key in ("above", "below"):
            price: float | None = getattr(one, key)
            waits = one.quantity in ("price_import", "price_export") and currency in LIKE_EURO
            if waits and price is not None and abs(price) > DEAREST_KWH:
                yield (
                    f"when.{number}.{key}",
                    f"{price:g} is in {currency} per kWh: of {price:g} cents write {price / 100:g}",
                )


def _watts(value: float, whose: str = "", unit: str = "W") -> str:
    return f"{whose}{value:g} is in {unit}: for {value:g} k{unit} write {1000 * value:.0f}"
