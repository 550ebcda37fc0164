"""How far off forecasts were, in a line of the page. Pure."""

from schemas.forecast_skill import ForecastSkill, LeadSkill

HOURS = 6, 24
"""Ahead: what a plan buys by."""
NAMES = {"load": "load", "pv": "PV"}


def skill(said: ForecastSkill | None) -> str | None:
    """Such as `Forecast: load ±8 kW, PV ±5 kW (6 to 24 h ahead); the 80 % band held in 79 %.`; None where nothing was
    compared. Of a site without PV nothing is said of it."""
    found = {one.of: one for one in said.skills if _meant(one)} if said else {}
    powers = [f"{NAMES[of]} ±{_kw(found[of].rmse)}" for of in NAMES if of in found and found[of].rmse >= 1]
    if not powers:
        return _prices(said).strip() or None
    held = found["net"].covered if "net" in found else None
    band = "" if held is None else f"; the 80 % band held in {held:.0f} %"
    return f"Forecast: {', '.join(powers)} ({HOURS[0]} to {HOURS[1]} h ahead){band}.{_outside(said)}{_prices(said)}"


def _meant(one: LeadSkill) -> bool:
    return one.source == "own" and (one.from_hours, one.to_hours) == HOURS and one.quarters > 0


def _kw(power: float) -> str:
    return f"{power / 1000:.3g} kW"


def _prices(said: ForecastSkill | None) -> str:
    """Of the market's prices of the next day."""
    found = [f"±{one.mae:.3f} {one.currency}/kWh" for one in (said.prices if said else [])]
    return f" Prices of the next day, before they were published: {', '.join(found)}." if found else ""


def _outside(said: ForecastSkill | None) -> str:
    """Those from outside that count, with their part in the hours that are told."""
    key = f"{HOURS[0]}-{HOURS[1]}"
    parts = {one.name: 100 * one.weights.get(key, 0.0) for one in (said.outside if said else [])}
    words = [f"{name} counts {part:.0f} %" for name, part in parts.items() if part >= 1]
    return f" From outside: {', '.join(words)}." if words else ""
