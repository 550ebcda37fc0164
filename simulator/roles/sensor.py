"""A box of contacts and sensors."""

from schemas.messages import Value
from schemas.profile import Point
from simulator.roles.role import Role

ROOM = 22.0
"""degC"""


class SensorRole(Role):
    """Its contacts rest until a fault says otherwise; what it measures is that of a room."""

    def shown(self) -> dict[str, Value]:
        return {**super().shown(), **{name: self._value(name, point) for name, point in self.profile.points.items()}}

    def _value(self, name: str, point: Point) -> Value:
        if point.enum is not None:
            said = next((state for state in point.enum.values() if f"{name}_{state}" in self.on), None)
            return said or point.enum.get("0", next(iter(point.enum.values())))
        if point.flags is not None:
            return [flag for flag in point.flags.values() if f"{name}_{flag}" in self.on]
        if point.first is not None:
            return next((state for state in point.first.values() if f"{name}_{state}" in self.on), point.otherwise)
        if point.type == "text":
            return ""
        return ROOM if point.unit == "degC" else max(0.0, point.low or 0.0)
