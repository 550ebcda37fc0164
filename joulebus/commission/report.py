"""The report of a commissioning. Pure."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from joulebus.commission.findings import OPEN, WRONG, Finding
from schemas.site import Site


def report(
    site: Site,
    findings: Sequence[Finding],
    at: datetime,
    notes: Sequence[str],
    *,
    dead_time: float | None = None,
    unit: str = "",
) -> str:
    """Markdown, for the site's folder and for the person who signs it. `dead_time`: as it was measured, s. `unit`: what
    was stepped, where it is not the whole battery."""
    devices = []
    for device in site.device:
        profile, rated = site.profiles[device.name], f"{device.rated_power:g}" if device.rated_power else ""
        devices.append(
            f"| {device.name} | {profile.make} {profile.model} | {device.address} | {device.unit} | {rated} |"
        )
    return "\n".join(
        [
            f"# Commissioning of {site.title or site.site}{f', battery {unit}' if unit else _which(site)}",
            "",
            f"{at:%Y-%m-%d %H:%M} UTC: **{verdict(findings)}**.",
            "",
            "| device | make and model | address | unit | rated W |",
            "|---|---|---|---|---|",
            *devices,
            "",
            "| device | check | verdict | measured | limit |",
            "|---|---|---|---|---|",
            *(f"| {one.device} | {one.check} | {one.verdict} | {one.measured} | {one.limit} |" for one in findings),
            "",
            *[f"- {note}" for note in notes],
            "",
            *site_file(site, dead_time),
            "Done by: ____________________    Signature: ____________________",
            "",
        ]
    )


def verdict(findings: Sequence[Finding]) -> str:
    """Whether all of it was right."""
    wrong, undecided = (sum(one.verdict == each for one in findings) for each in (WRONG, OPEN))
    return "passed" if not wrong and not undecided else f"not passed: {wrong} wrong, {undecided} not decided"


def site_file(site: Site, dead_time: float | None) -> list[str]:
    """What was measured, as it goes into the site file: rounded up, for a loop with less would swing."""
    if dead_time is None:
        return []
    named = [one.name for one in site.battery if "name" in one.model_fields_set]
    table = f"`[[battery]]` {named[0]}" if named else "`[battery]`"
    return [f"For {table} in the site file, in s: `dead_time = {max(0.1, ceil(dead_time * 10) / 10):.1f}`", ""]


def _which(site: Site) -> str:
    """The battery that was stepped, where it has a name."""
    named = [one.name for one in site.battery if "name" in one.model_fields_set]
    return f", battery {named[0]}" if len(named) == 1 else ""
