"""What a commissioning finds in readings and steps: each check with the limit it is held against. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import fmean, pstdev

from joulebus.commission.trace import Response
from schemas.messages import Value
from schemas.profile import Profile
from schemas.site import Site
from schemas.site_device import Device

GOOD, WRONG, OPEN = "good", "WRONG", "not decided"
NEAR = 0.15
"""Share by which two measurements of the same thing may differ: losses and meters of class 1."""
SEES = 0.05
"""Share of a step below which a device does not see it."""
SURE = 3.0
"""Times what the load does by itself: a scale that is off by less may be the load."""
LATEST = 5.0
"""Seconds after which a step must be seen everywhere."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    device: str
    check: str
    verdict: str
    measured: str
    limit: str = ""
    """What is accepted."""


def line(one: Finding) -> str:
    """As it is said at the terminal."""
    limit = f" ({one.limit})" if one.limit else ""
    return f"  {one.device:<10} {one.check:<14} {one.verdict:<12} {one.measured}{limit}"


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the battery did. Powers in W, positive out of the device; means before and after."""

    wanted: float
    """By how much the setpoint was moved."""
    moved: Mapping[str, float]
    """By how much each device's power moved."""
    noise: float
    """W the grid wanders by itself."""
    delay: Mapping[str, float]
    """Seconds until half of it was seen."""
    response: Response = field(default_factory=lambda: Response(None, 0.0))
    """Of the PCS."""


def plausible(device: Device, profile: Profile, seen: Mapping[str, Value]) -> list[Finding]:
    """Are the points there, within their ranges, and do they agree with each other?"""
    missing = sorted(profile.points.keys() - seen.keys())
    outside = [
        f"{name} is {value:g} {point.unit}"
        for name, point in profile.points.items()
        if isinstance(value := seen.get(name), float)
        and ((point.low is not None and value < point.low) or (point.high is not None and value > point.high))
    ]
    absent = f"; without {', '.join(missing)}" if missing else ""
    read = f"{len(seen)} of {len(profile.points)} read{absent}"
    ranges = WRONG if outside else GOOD
    found = [
        Finding(device.name, "points", GOOD if seen else WRONG, read, "at least one"),
        Finding(device.name, "ranges", ranges, "; ".join(outside) or "all within", "low and high of the profile"),
    ]
    return [*found, *_rating(device, seen), *_triangle(device, seen)]


def _rating(device: Device, seen: Mapping[str, Value]) -> list[Finding]:
    given = {"p_max_inj": device.rated_power, "s_max": device.rated_apparent_power or device.rated_power}
    return [
        Finding(
            device.name,
            "rating",
            GOOD if abs(says - rated) <= 0.1 * rated else WRONG,
            f"the device ({point}) says {says:g}",
            f"{rated:g} of the site file, 10 %",
        )
        for point, rated in given.items()
        if rated is not None and isinstance(says := seen.get(point), float)
    ]


def _triangle(device: Device, seen: Mapping[str, Value]) -> list[Finding]:
    """Volts times amperes are volt-amperes: a wrong scale of one of them shows."""
    volts = [value for phase in (1, 2, 3) if isinstance(value := seen.get(f"u_l{phase}n"), float)]
    amperes = [value for phase in (1, 2, 3) if isinstance(value := seen.get(f"i_l{phase}"), float)]
    p, q = seen.get("p"), seen.get("q", 0.0)
    if len(volts) != 3 or len(amperes) != 3 or not isinstance(p, float) or not isinstance(q, float):
        return []
    product, power = sum(u * abs(i) for u, i in zip(volts, amperes, strict=True)), sqrt(p**2 + q**2)
    if product < 500:
        return []  # too little flows to say
    good = abs(product - power) <= NEAR * product + 200
    says = f"U x I gives {product:.0f} VA, P and Q give {power:.0f} VA"
    return [Finding(device.name, "scale at rest", GOOD if good else WRONG, says, f"{NEAR:.0%} and 200 VA")]


def agreement(site: Site, seen: Mapping[str, Mapping[str, Value]]) -> list[Finding]:
    """Each PCS and each BMS of a battery look at the same DC link."""
    found = []
    for pcs, rack in ((pcs, rack) for one in site.battery for pcs in one.pcs for rack in one.bms):
        ours, theirs = seen.get(pcs, {}).get("dc_u"), seen.get(rack, {}).get("u")
        if isinstance(ours, float) and isinstance(theirs, float) and theirs > 0:
            verdict = GOOD if abs(ours - theirs) <= 0.05 * theirs else WRONG
            who = "PCS" if len(site.pcs) == 1 else pcs
            says = f"{who} {ours:.0f} V, BMS {theirs:.0f} V"
            found.append(Finding(rack, "DC voltage", verdict, says, "5 % apart"))
    return found


def judge(site: Site, steps: Sequence[Step]) -> list[Finding]:
    """Sign, scale and delay of every device, from a step up and a step down. Of several racks their sum follows the
    PCS, and each one's sign; a hybrid alone sees what flows into its cells."""
    pcs, meter = site.units[0].pcs, site.grid.meter
    racks = [name for name in site.units[0].racks if name != pcs]
    moved = fmean(abs(step.moved.get(pcs, 0.0)) for step in steps)
    against = {pcs: ("the setpoint", [step.wanted for step in steps], 1.0)}
    for device, slope in (*[("+".join(racks), 1.0)][: len(racks)], (meter, -1.0)):
        against[device] = ("the PCS", [step.moved.get(pcs, 0.0) for step in steps], slope)
    found = _backwards(pcs, racks, steps) if len(racks) > 1 else []
    for device, (reference, inputs, slope) in against.items():
        parts = racks if device == "+".join(racks) else [device]
        outputs = [sum(step.moved.get(part, 0.0) for part in parts) for step in steps]
        noise = max(step.noise for step in steps) if device == meter else 0.0
        if device == pcs or moved > 0:
            found += _sign_and_scale(device, reference, inputs, outputs, slope, noise)
        delays = [step.delay[part] for step in steps for part in parts if part in step.delay]
        if delays:
            verdict = GOOD if max(delays) < LATEST else WRONG
            found.append(Finding(device, "delay", verdict, f"{max(delays):.1f} s", f"less than {LATEST:g} s"))
    return [*found, *_dead_time(site, steps)]


def _backwards(pcs: str, racks: Sequence[str], steps: Sequence[Step]) -> list[Finding]:
    """One of several racks that counts the other way round hides in their sum."""
    found = []
    for rack in racks:
        pairs = [(step.moved[pcs], step.moved[rack]) for step in steps if {pcs, rack} <= step.moved.keys()]
        square = sum(a**2 for a, _ in pairs)
        share = sum(a * b for a, b in pairs) / square if square else 0.0
        verdict = WRONG if share < -SEES else GOOD if share > SEES else OPEN
        says = {WRONG: ": it counts backwards", GOOD: "", OPEN: ": it carries nothing, or is not read"}[verdict]
        found.append(Finding(rack, "sign", verdict, f"{share:+.2f} of a step of the PCS{says}", "in its direction"))
    return found


def _sign_and_scale(  # noqa: PLR0917  # the two sides of one comparison
    device: str, reference: str, inputs: Sequence[float], outputs: Sequence[float], slope: float, noise: float
) -> list[Finding]:
    square = sum(one**2 for one in inputs)
    share = slope * sum(a * b for a, b in zip(inputs, outputs, strict=True)) / square if square else 0.0
    says, right = f"{share:+.2f} of a step of {reference}", "in its direction"
    if noise > 0.3 * sqrt(square / len(inputs)):
        calm = f"{says}, but the load moves by {noise:.0f} W: repeat it when it is calm"
        return [Finding(device, "sign", OPEN, calm, right)]
    if abs(share) < SEES:
        return [Finding(device, "sign", WRONG, f"{says}: it does not see the step", right)]
    backwards = "" if share > 0 else ": it counts backwards"
    sign = Finding(device, "sign", WRONG if backwards else GOOD, says + backwards, right)
    size, within = abs(share), NEAR + noise / sqrt(square)
    limit = f"1.00, {within:.0%}"
    if abs(size - 1) <= within:
        return [sign, Finding(device, "scale", GOOD, f"{size:.2f}", limit)]
    if abs(size - 1) <= NEAR + SURE * noise / sqrt(square):
        calm = f"{size:.2f}, but the load moves by {noise:.0f} W: repeat it when it is calm"
        return [sign, Finding(device, "scale", OPEN, calm, limit)]
    factor = next(
        (f" (a factor of {ten:g})" for ten in (0.001, 0.01, 0.1, 10, 100, 1000) if 0.8 < size / ten < 1.25), ""
    )
    return [sign, Finding(device, "scale", WRONG, f"{size:.2f}{factor}", limit)]


def dead_time(steps: Sequence[Step]) -> float | None:
    """Seconds, the longest of some steps, with the readings' own doubt. None: one was not followed."""
    found = [step.response.dead_time for step in steps if step.response.dead_time is not None]
    return max(found) if steps and len(found) == len(steps) else None


def _dead_time(site: Site, steps: Sequence[Step]) -> list[Finding]:
    pcs, limit = site.units[0].pcs, f"at most battery.dead_time, {site.battery[0].dead_time:g} s"
    measured = dead_time(steps)
    if measured is None:
        return [Finding(pcs, "dead time", WRONG, "it did not follow", limit)]
    gap = max(step.response.gap for step in steps)
    verdict = GOOD if measured <= site.battery[0].dead_time else WRONG
    return [Finding(pcs, "dead time", verdict, f"{measured:.2f} s (read each {gap:.2f} s)", limit)]


def wander(values: Sequence[float]) -> float:
    """W by which a power moves by itself."""
    return pstdev(values) if len(values) > 1 else 0.0
