"""The profile of each device of a site, sized for it, wired for it, and sent home by its load."""

from collections.abc import Sequence
from pathlib import Path

from schemas.profile import Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site_device import Device
from schemas.site_loads import FlexibleLoad
from schemas.site_meters import summed_profile


def profiles_of(
    devices: Sequence[Device], loads: Sequence[FlexibleLoad], sums: Sequence[Device], own: Path
) -> dict[str, Profile]:
    """By the name of the device. `own`: a folder whose profiles win over the shipped ones; `sums`: those that stand
    for several devices."""
    made = {  # two hundred devices of one make share one profile
        name: load_profile(name, own if (own / f"{name}.toml").is_file() else PROFILES)
        for name in dict.fromkeys(device.profile for device in devices)
    }
    sized: dict[tuple[str, float | None, str, str | None], Profile] = {}
    for device in devices:
        if device.kin not in sized:
            profile = made[device.profile].rated(device.rated_power).over(device.line)
            sized[device.kin] = profile.measuring(device.measures)
    found = {device.name: sized[device.kin] for device in devices}
    rated = {device.name: device.rated_power or 0.0 for device in devices}
    found |= {
        one.device: one.sent_home(found[one.device], rated[one.device])
        for one in loads if one.device in found
    }  # fmt: skip
    return found | {one.name: summed_profile([found[name] for name in one.members]) for one in sums}
