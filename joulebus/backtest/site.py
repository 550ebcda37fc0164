"""The terms a year is played under: battery, grid, tariff and clock, out of a site file or out of flags."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from optimizer.storage import Storage, together
from optimizer.tariff import Series
from schemas.site_grid import Grid
from schemas.tariff import Side, Tariff
from schemas.tariff_demand import Demand
from schemas.troubles import Usage

Known = Literal["all", "day-ahead"]

DEAREST = 1e6
"""Per kWh and per kW: of no currency."""
WIDE = 1e9
"""W: a grid connection nobody gave a limit for."""
ASSUMED = (0.20, 0.05)
"""Per kWh drawn and fed in, where neither file nor flags say a price; the result says so."""


HOURLY, AS_LIVE = 60, 15
"""Minutes from plan to plan: of a year, which would take hours otherwise, and of what ran: there one comes each minute,
and quarters of an hour are the nearest to it."""


@dataclass(frozen=True)
class Flags:
    """As they stand on the command line; None was not given."""

    battery_kw: float | None = None
    battery_kwh: float | None = None
    efficiency: float | None = None
    soc_min: float | None = None
    soc_max: float | None = None
    wear_eur_per_kwh: float | None = None
    demand_eur_per_kw: float | None = None
    import_price: float | None = None
    export_price: float | None = None
    import_limit_kw: float | None = None
    export_limit_kw: float | None = None
    timezone: str | None = None
    prices_known: Known | None = None
    replan_minutes: int = HOURLY
    phase_minutes: int = 0


@dataclass(frozen=True)
class Terms:
    """What does not change in a run."""

    battery: Storage | None
    """None: there is nothing to steer."""
    rated: float
    """W."""
    grid: Grid
    tariff: Tariff
    series: Mapping[str, Series]
    """Market prices by their place in the tariff."""
    zone: ZoneInfo
    known: Known
    replan: timedelta
    phase: timedelta
    curtails: bool = True
    """What would be fed in beyond the limit is PV that gives way."""
    notes: tuple[str, ...] = ()

    @property
    def charged(self) -> list[Demand]:
        """What costs something by the kW."""
        return [one for one in self.tariff.components if one.rate or one.contract]


def zone_of(name: str, where: str) -> ZoneInfo:
    """Raises Trouble for a zone nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        words = f"{where}: {name!r} is no time zone: write one such as Europe/Berlin or America/Los_Angeles"
        raise Usage(words) from None


def of_flags(flags: Flags, priced: tuple[bool, bool]) -> Terms:
    """Without a site file. `priced`: whether the CSV has prices of what is drawn and of what is fed in."""
    _priced(flags)
    notes = list[str]()
    if flags.timezone is None:
        notes.append("no --timezone: months and hours are those of UTC")
    battery, rated = _battery(flags, None, 0.0, notes)
    tariff: dict[str, Any] = {
        "import": _flat("import", flags.import_price, priced[0], notes),
        "export": _flat("export", flags.export_price, priced[1], notes, paid=not priced[0]),
    }
    demand = flags.demand_eur_per_kw or 0.0
    if demand:
        tariff["demand"] = {"price": demand, "minutes": 15}
    return Terms(
        battery,
        rated,
        _grid(flags, Grid.model_validate({"meter": "grid", "import_limit": WIDE, "export_limit": WIDE})),
        Tariff.model_validate(tariff),
        {},
        zone_of(flags.timezone or "UTC", "--timezone"),
        flags.prices_known or "all",
        *_rhythm(flags),
        notes=tuple(notes),
    )


def of_site(path: Path, flags: Flags, env: Mapping[str, str] = os.environ) -> Terms:
    """A site file, of which flags say another thing where they are given. Raises Trouble."""
    from joulebus.market_prices import MarketPrices  # noqa: PLC0415  # loads what reads price documents
    from runtime.settings import read_settings  # noqa: PLC0415
    from schemas.site_file import load_site  # noqa: PLC0415

    site, notes = load_site(path), list[str]()
    tariff = site.prices
    _priced(flags)
    series = MarketPrices(read_settings("backtest", env)).of(site) if tariff.markets else {}
    battery, rated = _battery(flags, together(site.battery), site.rated_power, notes)
    tariff = _with_flags(tariff, flags)
    return Terms(
        battery,
        rated,
        _grid(flags, site.grid),
        tariff,
        series,
        zone_of(flags.timezone, "--timezone") if flags.timezone else site.zone,
        flags.prices_known or ("day-ahead" if tariff.markets else "all"),
        *_rhythm(flags),
        curtails=bool(site.pv_limited),
        notes=tuple(notes),
    )


def _priced(flags: Flags) -> None:
    """Prices that are none. Raises Trouble."""
    for name, price in (("import", flags.import_price), ("export", flags.export_price)):
        if price is not None and abs(price) > DEAREST:
            raise Usage(f"--{name}-price {price:g}: no kWh costs that: write a price per kWh such as 0.20")
    demand = flags.demand_eur_per_kw or 0.0
    if not 0 <= demand <= DEAREST:
        raise Usage(f"--demand-eur-per-kw {demand:g}: a price per kW and month is 0 or more, such as 15")


def _with_flags(tariff: Tariff, flags: Flags) -> Tariff:
    changed = dict[str, Any]()
    for key, price in (("import_", flags.import_price), ("export", flags.export_price)):
        if price is not None:
            changed[key] = Side.model_validate({"period": [{"price": price}]})
    if flags.demand_eur_per_kw is not None:
        price = flags.demand_eur_per_kw
        changed["demand"] = [Demand.model_validate({"price": price, "minutes": 15})] if price else []
    return tariff.model_copy(update=changed)


def market(terms: Terms, import_: Series | None, export: Series | None) -> Terms:
    """With the prices of the CSV in place of the tariff's own."""
    changed, series = dict[str, Any](), dict(terms.series)
    for way, key, one in (("import", "import_", import_), ("export", "export", export)):
        if one is not None:
            changed[key] = Side.model_validate({"day_ahead": {"file": "data.csv"}})
            series = {place: found for place, found in series.items() if place.split(".")[0] != way}
            series[way] = one
    if not changed:
        return terms
    return _replaced(terms, tariff=terms.tariff.model_copy(update=changed), series=series)


def _replaced(terms: Terms, **changed: Any) -> Terms:  # noqa: ANN401  # fields of any type
    return Terms(**(terms.__dict__ | changed))


def _flat(
    way: str, price: float | None, in_file: bool, notes: list[str], paid: bool = True
) -> dict[str, list[dict[str, float]]]:
    """One price for all hours. `in_file`: the CSV has one that takes its place."""
    if price is None and not in_file:
        price = ASSUMED[way == "export"] if paid else 0.0
        said = "is assumed" if price else "is paid for what is fed in"
        notes.append(f"no {way} price in the CSV and no --{way}-price: {price:g} per kWh {said}")
    return {"period": [{"price": price or 0.0}]}


def _battery(flags: Flags, own: Storage | None, rated: float, notes: list[str]) -> tuple[Storage | None, float]:
    """The battery and the W of its PCS. Of one of zero nothing is steered."""
    default = own or Storage(0.0)
    power = rated if flags.battery_kw is None else 1000 * flags.battery_kw
    energy = default.energy if flags.battery_kwh is None else 1000 * flags.battery_kwh
    for name, value in (("--battery-kw", power), ("--battery-kwh", energy)):
        if not 0 <= value < WIDE:
            raise Usage(f"{name} {value / 1000:g}: write 0 or more, and less than {WIDE / 1000:g}")
    if own is None and (flags.battery_kw is None or flags.battery_kwh is None):
        raise Usage("which battery? Give --battery-kw 100 --battery-kwh 200, or --site with a site file")
    low, high, efficiency, wear = (
        own_ if given is None else given
        for given, own_ in (
            (flags.soc_min, default.soc_min),
            (flags.soc_max, default.soc_max),
            (flags.efficiency, default.efficiency),
            (flags.wear_eur_per_kwh, default.wear),
        )
    )
    if not 0 <= low < high <= 100:
        raise Usage(f"--soc-min {low:g} --soc-max {high:g}: write % of 0 to 100, the least below the most")
    if flags.soc_max is not None and high <= 1:
        raise Usage(f"--soc-max {high:g}: it is in %: for {100 * high:g} % write {100 * high:g}")
    if not 0.5 < efficiency <= 1:
        raise Usage(f"--efficiency {efficiency:g}: write that of one direction, such as 0.95")
    if not 0 <= wear < WIDE:
        raise Usage(f"--wear-eur-per-kwh {wear:g}: write 0 or more")
    if power == 0 or energy == 0:
        notes.append("the battery has no power or no energy: nothing is steered, and every strategy is `none`")
        return None, 0.0
    return Storage(energy, low, high, efficiency, wear), power


def _grid(flags: Flags, own: Grid) -> Grid:
    changed = dict[str, float]()
    for name, limit, least in (
        ("import_limit", flags.import_limit_kw, 1e-3),
        ("export_limit", flags.export_limit_kw, 0.0),
    ):
        if limit is not None:
            if not least <= limit:
                raise Usage(
                    f"--{name.replace('_', '-')}-kw {limit:g}: write kW, {'more than' if least else 'at least'} 0"
                )
            changed[name] = 1000 * limit
    return own.model_copy(update=changed)


def _rhythm(flags: Flags) -> tuple[timedelta, timedelta]:
    if flags.replan_minutes not in (15, 30, 45, 60):
        raise Usage(f"--replan-minutes {flags.replan_minutes}: write 15, 30, 45 or 60; a plan is valid for an hour")
    if not 0 <= flags.phase_minutes < 60:
        raise Usage(f"--phase-minutes {flags.phase_minutes}: write 0 to 59 minutes past the hour")
    return timedelta(minutes=flags.replan_minutes), timedelta(minutes=flags.phase_minutes)
