"""What a commissioning finds of all that stands beside the batteries: meter and PV, loads, contacts. Pure."""

from collections.abc import Iterator, Mapping

from consumers.dispatch.grid_signals import holds
from joulebus.commission.findings import GOOD, OPEN, WRONG, Finding
from joulebus.signal_words import signal_words
from schemas.messages import Value
from schemas.site import Site
from schemas.units import Kind

Seen = Mapping[str, Mapping[str, Value]]
"""What was read, by device and point."""

LEAST = 0.02
"""Of the rated power of all PV: less says nothing of a sign, or is what an inverter draws at night."""


def beside(site: Site, seen: Seen) -> list[Finding]:
    """Of a site as it stands, without a step."""
    return [*_balance(site, seen), *_signs(site, seen), *_contacts(site, seen), *_signals(site, seen)]


def _power(seen: Seen, device: str, point: str = "p") -> float | None:
    value = seen.get(device, {}).get(point)
    return value if isinstance(value, float) else None


def _balance(site: Site, seen: Seen) -> Iterator[Finding]:
    """What the grid, PV and batteries give is what the loads draw, and no load gives power."""
    sources = [*site.pv_points, *((pcs, "p") for pcs in site.pcs)]
    powers = {f"{name}.{point}": _power(seen, name, point) for name, point in sources}
    grid = _power(seen, site.grid.meter)
    limit = "loads draw, and never give"
    unread = [name for name, power in powers.items() if power is None]
    if grid is None or unread:
        yield Finding(site.grid.meter, "balance", OPEN, f"without {', '.join(unread) or site.grid.meter}", limit)
        return
    given = sum(power for power in powers.values() if power is not None)
    load, doubt = grid + given, LEAST * sum(one.rated_power or 0.0 for one in site.device)
    says = f"grid {grid / 1000:+.1f} kW, PV and batteries {given / 1000:+.1f} kW: loads {load / 1000:.1f} kW"
    if load < -doubt:
        wrong = f"{says}: the meter counts backwards, or something that gives power is not in the site file"
        yield Finding(site.grid.meter, "balance", WRONG, wrong, limit)
    else:
        yield Finding(site.grid.meter, "balance", GOOD, says, limit)


def _signs(site: Site, seen: Seen) -> Iterator[Finding]:
    """PV gives, a load draws: whatever is the other way round counts backwards."""
    for device in site.of_kind(Kind.PV, Kind.LOAD):
        power, kind = _power(seen, device.name), site.profiles[device.name].kind
        if power is None:
            continue
        doubt = LEAST * (device.rated_power or 0.0)
        limit = {Kind.PV: "it gives, and never draws", Kind.LOAD: "it draws, and never gives"}[kind]
        verdict = WRONG if power < -doubt else GOOD
        backwards = ": it counts backwards" if verdict == WRONG else ""
        yield Finding(device.name, "sign at rest", verdict, f"{power / 1000:+.1f} kW{backwards}", limit)


def _contacts(site: Site, seen: Seen) -> Iterator[Finding]:
    """As they stand: a person compares them with the box."""
    for device in site.of_kind(Kind.SENSOR):
        for point, value in seen.get(device.name, {}).items():
            if isinstance(value, list):
                shown = ", ".join(value) or "none"
                yield Finding(device.name, f"contacts {point}", GOOD, f"{shown} on", "as the box shows it")


def _signals(site: Site, seen: Seen) -> Iterator[Finding]:
    """What each declared signal says now. That all are open may be so, or a wire that is off."""
    now = list[bool]()
    for one in site.grid.signal:
        value = seen.get(one.device, {}).get(one.point)
        if value is None:
            yield Finding(one.device, "signal", WRONG, f"{one.point} was not read", signal_words(one))
            continue
        now.append(holds(one, value))
        yield Finding(one.device, "signal", GOOD, "holds" if now[-1] else "does not hold", signal_words(one))
    if now and not any(now):
        says = "none holds: what the network operator wants is not known; close one contact and look again"
        yield Finding(site.grid.signal[0].device, "signals", OPEN, says, "one of them holds")
