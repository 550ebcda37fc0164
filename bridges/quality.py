"""How far a value can be believed. Pure."""

from collections.abc import Mapping

from schemas.messages import Value
from schemas.profile import Profile
from schemas.units import Quality


def judge(values: Mapping[str, Value], profile: Profile) -> dict[str, Quality]:
    """The points that are not good: a value outside of the profile's low..high is implausible."""
    found = {}
    for name, value in values.items():
        point = profile.points[name]
        if isinstance(value, float) and not (
            (point.low is None or point.low <= value) and (point.high is None or value <= point.high)
        ):
            found[name] = Quality.IMPLAUSIBLE
    return found
