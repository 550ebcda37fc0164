"""What holds at the grid connection, in words, and what of it can hardly be meant: for `joulebus check`. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from joulebus.signal_words import odd_signals, signal_lines
from schemas.messages import Authority, Direction
from schemas.pace import FAST
from schemas.site import Site
from schemas.site_device import Device
from schemas.site_grid import Grid
from schemas.site_reactive import RULES, Reactive

Odd = tuple[str, str]
"""Where in the file and what."""

LONGEST = 10.0
"""Seconds within which an export limit must be kept again after a load has gone off."""


def grid_lines(site: Site) -> Iterator[str]:
    """What will hold, a line each."""
    grid = site.grid
    export = f"export up to {kw(grid.export_limit)}" if grid.export_limit else "no export"
    yield f"import up to {kw(grid.import_limit)}, {export}{_never_binds(site)}"
    if site.pv_points:
        yield _curtailed(site)
    yield from _lost(site)
    yield from signal_lines(site)
    yield f"limits may be sent by {_senders(site)}" if site.mode == "control" else "the site is only watched"
    if grid.reactive is not None:
        yield f"reactive power: {_rule(grid.reactive)}"


def _never_binds(site: Site) -> str:
    most = _fed_in(site)
    return f" (never binds: PV and batteries give {kw(most)} at most)" if 0 < most < site.grid.export_limit else ""


def _fed_in(site: Site) -> float:
    """W that PV and batteries can give together; of a hybrid the PV goes through the inverter of its battery."""
    return site.rated_power + sum(one.rated_power or 0.0 for one in site.pv)


def _curtailed(site: Site) -> str:
    can = site.pv_limited
    if not can:
        return "no PV is curtailed"
    power = sum(one.rated_power or 0.0 for one in can)
    takes = f"a step is answered within {_reaction(site):.3g} s"
    return f"PV of {kw(power)} is curtailed when it must be, {takes}; untold each may give {site.pv_safe():.3g} %"


def _reaction(site: Site) -> float:
    """Seconds from a step at the connection until the slowest inverter was told, as long as nothing is lost: what the
    site file says the meter is late, the reading, a turn of dispatch, and the cycle the command waits for."""
    late = _latest(site).late or 0.0
    return late + site.named(site.grid.meter).poll + FAST + max(one.poll for one in site.pv_limited)


def _latest(site: Site) -> Device:
    """The meter of the connection that is late the most, as far as the site file says."""
    return max(map(site.named, site.grid.meters), key=lambda one: one.late or 0.0)


def _lost(site: Site) -> Iterator[str]:
    """What holds without a word of the network operator."""
    grid = site.grid
    safe = []
    if grid.safe_feed_in is not None:
        safe.append(f"feed-in {grid.safe_feed_in:g} % ({kw(_safe_feed_in(site))})")
    if grid.safe_consumption is not None:
        safe.append(f"consumption {kw(grid.safe_consumption)}")
    if safe:
        yield f"while the word for it is not known, first the last one for {grid.dso_hold:g} s: {', '.join(safe)}"
    if grid.dso_limit is not None:
        yield f"each device gives {grid.dso_limit:g} % at most until it is told, and {grid.dso_hold:g} s after that"


def _safe_feed_in(site: Site) -> float:
    whole = sum(one.rated_power or 0.0 for one in site.pv) or site.rated_power
    return whole * (site.grid.safe_feed_in or 0.0) / 100


def _senders(site: Site) -> str:
    """Who limits on `control/grid_limit`, beside the signals."""
    may = [f"{name} ({site.command_sources[name]})" for name in _others(site)]
    return ", ".join(may) or "nobody: command_sources names no other than dispatch with operator, dso or protection"


def _others(site: Site) -> list[str]:
    """Whose limits dispatch follows; it sends none to itself."""
    return [
        name
        for name, claim in site.command_sources.items()
        if claim.rank <= Authority.OPERATOR.rank and name != "dispatch"
    ]


def _rule(reactive: Reactive) -> str:
    name = next(one for one in RULES if getattr(reactive, one) is not None)
    return f"{name} {getattr(reactive, name)}"


def kw(power: float) -> str:
    """W as they are read."""
    return f"{power / 1000:.6g} kW"


# what can hardly be meant ----------------------------------------------------------------------------------


def grid_oddities(site: Site) -> Iterator[Odd]:
    """Limits that never hold or hold always, and what is too slow for them."""
    yield from _never(site)
    if site.mode == "control":
        yield from _always(site)
        yield from _unguarded(site)
        yield from _late(site)
    yield from odd_signals(site)


def _never(site: Site) -> Iterator[Odd]:
    """What narrows nothing."""
    grid = site.grid
    if grid.safe_consumption is not None and grid.safe_consumption >= grid.import_limit:
        says = f"{kw(grid.safe_consumption)} is not less than import_limit, {kw(grid.import_limit)}"
        yield "grid.safe_consumption", f"{says}: a signal that is lost narrows nothing"
    if grid.safe_feed_in is not None and _safe_feed_in(site) > grid.export_limit:
        says = f"{grid.safe_feed_in:g} % are {kw(_safe_feed_in(site))}, more than export_limit, {kw(grid.export_limit)}"
        yield "grid.safe_feed_in", f"{says}: a signal that is lost narrows nothing"
    if site.rated_power > grid.import_limit:
        says = f"the batteries can draw {kw(site.rated_power)}, more than {kw(grid.import_limit)}"
        yield "grid.import_limit", f"{says}: they are never charged with all they can"


def _always(site: Site) -> Iterator[Odd]:
    """A safe limit that nobody ever ends holds for ever."""
    told = {one.direction for one in site.grid.signal}
    for direction in get_args(Direction):
        if _safe(site.grid, direction) is not None and direction not in told and not _others(site):
            ends = 'no signal tells it, and command_sources lets nobody: add scada = "dso", or a [[grid.signal]]'
            yield f"grid.safe_{direction}", f"it holds always: {ends}"


def _unguarded(site: Site) -> Iterator[Odd]:
    """A limit that somebody sends, and whose loss ends it."""
    dso = [name for name, claim in site.command_sources.items() if claim.rank <= Authority.DSO.rank]
    declared = {one for one in get_args(Direction) if _safe(site.grid, one) is not None}
    for direction in get_args(Direction):
        if dso and declared and direction not in declared:
            says = f"{' and '.join(dso)} may limit {words(direction)}, and nothing says what holds when that is lost"
            yield "grid", f"{says}: give safe_{direction}"


def _late(site: Site) -> Iterator[Odd]:
    """Nothing may be fed in, and a device is too slow to keep that."""
    if site.grid.export_limit or not site.pv_limited:
        return
    reaction, latest = _reaction(site), _latest(site)
    slow = Counter({one.name: one.poll for one in [*site.pv_limited, *map(site.named, site.grid.meters)]})
    name, poll = slow.most_common(1)[0]
    if reaction > LONGEST:
        says = f"nothing may be fed in, and a load that goes off is answered after {reaction:.3g} s"
        why = f"{name} is read each {poll:g} s; {FAST:g} s or less would be right"
        if (late := latest.late or 0.0) > poll:
            why = f"{latest.name} is late by {late:g} s (delay, averaging), and so long PV is fed in"
        yield "grid.export_limit", f"{says}: {why}"


def _safe(grid: Grid, direction: Direction) -> float | None:
    return {"feed_in": grid.safe_feed_in, "consumption": grid.safe_consumption}[direction]


def words(direction: Direction) -> str:
    """As it is said."""
    return {"feed_in": "feed-in", "consumption": "consumption"}[direction]
