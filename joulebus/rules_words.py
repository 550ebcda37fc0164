"""What `joulebus rules try` prints. Pure."""

from collections.abc import Iterator
from datetime import datetime

from joulebus.difference import more
from optimizer.rules.effect import Money, energies, narrowed
from optimizer.rules.replay import Episode, Replay
from optimizer.rules.words import in_words
from schemas.site import Site
from schemas.site_rules import SiteRule

SHOWN = 20
"""Times of a rule that are printed; the others are counted."""
NAMES = {60.0: "a minute", 900.0: "a quarter of an hour"}


def report(site: Site, came: Replay, paid: Money | None, unpaid: str, span: tuple[datetime, datetime]) -> list[str]:
    """Line by line."""
    start, end = (f"{at.astimezone(site.zone):%Y-%m-%d %H:%M}" for at in span)
    said = [f"{start} to {end}, by means of {NAMES[came.seconds]}"]
    for rule in site.rules:
        said += ["", in_words(rule), *_rule(site, came, rule)]
    said += ["", *sorted(came.ties), *_energy(came), *_money(site, paid, unpaid)]
    return said


def _rule(site: Site, came: Replay, rule: SiteRule) -> Iterator[str]:
    episodes = came.of(rule.name)
    held = sum((one.end - one.begin).total_seconds() for one in episodes)
    times = "once" if len(episodes) == 1 else f"{len(episodes)} times"
    yield f"  held {times}, {held / 3600:.1f} h in all" if episodes else "  never held"
    if rule.name in came.unknown:
        hours = came.unknown[rule.name] / 3600
        yield f"  was unknown for {hours:.1f} h: nobody knew {came.missing[rule.name]}"
    yield from (_episode(site, one) for one in episodes[:SHOWN])
    if len(episodes) > SHOWN:
        yield f"  and {len(episodes) - SHOWN} times more"
    energy, most = narrowed(came, rule.name)
    if episodes:
        size = f"{energy / 1000:.1f} kWh, {most / 1000:.1f} kW at most"
        yield f"  the batteries would have done otherwise meanwhile: {size}"


def _episode(site: Site, one: Episode) -> str:
    begin, end = (at.astimezone(site.zone) for at in (one.begin, one.end))
    last = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"  {begin:%Y-%m-%d %H:%M} to {last}: {one.because}"


def _energy(came: Replay) -> Iterator[str]:
    if not came.changed:
        return
    was, would = energies(came, other=False), energies(came, other=True)
    yield "as it was, and as it would have been (an estimate: the battery does otherwise what it did):"
    for name, before, after in (
        ("drawn", was.drawn, would.drawn),
        ("fed in", was.fed, would.fed),
        ("discharged", was.discharged, would.discharged),
    ):
        yield f"  {name:<12}{before / 1000:>12.1f} kWh{after / 1000:>12.1f} kWh"
    peak, other = max(one.grid for one in came.changed), max(one.other_grid for one in came.changed)
    long = f"in the mean of {NAMES[came.seconds]}"
    yield f"  {'most drawn':<12}{peak / 1000:>12.1f} kW {other / 1000:>12.1f} kW, {long}"
    yield f"  the batteries would hold {more(came.gained / 1000, 'kWh', 1)} at the end"


def _money(site: Site, paid: Money | None, unpaid: str) -> Iterator[str]:
    if paid is None:
        yield f"what it would have cost is not told: {unpaid}"
        return
    currency = site.prices.currency
    yield f"it would have cost {more(paid.total, currency)}:"
    yield f"  energy {paid.energy:+.2f}, wear {paid.wear:+.2f}, energy that is then missing {paid.stored:+.2f}"
    if site.demands:
        yield f"  demand {paid.demand:+.2f}, as if the billed period began and ended with this time"
        for one in site.demands:
            found = paid.peaks.get(one.name)
            powers = f"{found[0] / 1000:.1f} kW, then {found[1] / 1000:.1f} kW" if found else "none was seen whole"
            yield f"    {one.name}: highest mean of {one.minutes} min that is billed: {powers}"
