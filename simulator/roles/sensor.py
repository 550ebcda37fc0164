"""A box of contacts and sensors."""

from schemas.messages import Value
from schemas.register import Point
from simulator.roles.role import Role

ROOM = 22.0
"""degC"""


class SensorRole(Role):
    """Its contacts rest until a fault says otherwise; what it measures is that of a room. The network operator's box
    rests at no limit."""

    def shown(self) -> dict[str, Value]:
        return {**super().shown(), **{name: self._value(name, point) for name, point in self.profile.points.items()}}

    def _value(self, name: str, point: Point) -> Value:
        if point.enum is not None:
            said = next((state for state in point.enum.values() if f"{name}_{state}" in self.on), None)
            return said or point.enum.get("0", next(iter(point.enum.values())))
        if point.flags is not None:
            on = {flag for flag in point.flags.values() if f"{name}_{flag}" in self.on}
            return [flag for flag in point.flags.values() if flag in on | self._unlimited(name, on)]
        if point.first is not None:
            return next((state for state in point.first.values() if f"{name}_{state}" in self.on), point.otherwise)
        if point.type == "text":
            return ""
        for one in self.world.plant.driven.values():
            comfort = one.rule.comfort
            if comfort is not None and (comfort.device, comfort.point) == (self.device.name, name):
                return one.value or 0.0
        return ROOM if point.unit == "degC" else max(0.0, point.low or 0.0)

    def _unlimited(self, name: str, on: set[str]) -> set[str]:
        """Contacts that say `no limit` as long as no other one of their direction is closed."""
        told = [one for one in self.world.site.grid.signal if (one.device, one.point) == (self.device.name, name)]
        limited = {one.direction for one in told if one.contains in on}
        return {one.contains for one in told if one.percent == 100 and one.contains and one.direction not in limited}
