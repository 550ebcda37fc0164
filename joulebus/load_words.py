"""Flexible loads in words, and what is odd of them: for `joulebus check`."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from optimizer.loads.load import Load
from schemas.magnitudes import LEAST
from schemas.site import Site
from schemas.site_loads import Comfort, FlexibleLoad

HOUR_S = 3600.0
WEEK = timedelta(days=7)


def load_lines(site: Site) -> Iterator[tuple[str, str]]:
    """A line each: name and words."""
    for rule in site.load:
        hours = ", touched in its hours only" if rule.hours else ""
        yield "load", f"{rule.device}: {_purpose(rule)}{hours}; {rule.fallback} when nobody tells it anything"


def _purpose(rule: FlexibleLoad) -> str:
    gives_way = ["gives way to limits"] if rule.sheds else []
    if rule.energy is not None and rule.deadline is not None:
        days = f" on {', '.join(rule.days)}" if rule.days else ""
        return ", ".join([f"{rule.energy / 1000:g} kWh until {rule.deadline:%H:%M}{days}", *gives_way])
    if (band := rule.comfort) is not None:
        where = f"{band.device or rule.device}.{band.point}"
        return ", ".join([f"keeps {where} between {band.low:g} and {band.high:g}", *gives_way])
    return "gives way to limits"


def load_oddities(site: Site, now: datetime) -> Iterator[tuple[str, str]]:
    """What can hardly be meant, with its place in the file."""
    rated = {one.name: one.rated_power or 0.0 for one in site.device}
    for number, rule in enumerate(site.load):
        whose, key = f"load {rule.device!r}: ", f"load.{number}.energy"
        if rule.comfort is not None:
            odd = _odd_comfort(rule.comfort, rated[rule.device] / 1000)
            yield from ((f"load.{number}.comfort", f"{whose}{words}") for words in odd)
        if rule.energy is None or not rated[rule.device]:
            continue
        if rule.energy < LEAST:
            yield key, f"{whose}{rule.energy:g} is in Wh: for {rule.energy:g} kWh write {1000 * rule.energy:.0f}"
        load = Load.of(rule, site.profiles[rule.device], rated[rule.device], site.zone)
        needs, has = rule.energy / load.rated * HOUR_S, _least(load, now)
        if needs > has:
            takes = f"{rule.energy / 1000:g} kWh take {needs / HOUR_S:.3g} h at {load.rated / 1000:g} kW"
            yield key, f"{whose}{takes}, and until a deadline there are {has / HOUR_S:.3g} h"


def _odd_comfort(band: Comfort, rated: float) -> Iterator[str]:
    """A temperature that is in its band without the load, or is never brought into it. `rated`: kW."""
    if band.rest is None or band.per_kw is None:
        return
    on = band.rest + band.per_kw * rated
    if band.low <= band.rest <= band.high:
        yield f"at rest it is {band.rest:g}, within {band.low:g} to {band.high:g}: the load is never needed"
    elif rated and (on > band.high if band.per_kw < 0 else on < band.low):
        yield f"fully on it comes to {on:g} at last, and {band.low:g} to {band.high:g} is wanted: it never gets there"
    elif rated and (band.rest < band.low if band.per_kw < 0 else band.rest > band.high):
        yield f"at rest it is {band.rest:g}, and each kW moves it by {band.per_kw:g}, away from the band: mind the sign"


def _least(load: Load, now: datetime) -> float:
    """Seconds in which it can run before the deadline of a week that leaves it the least."""
    spans, at = list[float](), load.deadline(now)
    while at is not None and at < now + WEEK:
        following = load.deadline(at)
        if following is None:
            break
        runs_alone = load.rule.fallback == "on"  # where nobody may touch it, it runs
        spans.append((following - at).total_seconds() if runs_alone else load.within(at, following))
        at = following
    return min(spans, default=float("inf"))
