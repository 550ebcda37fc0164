"""A load with a measurement of its own."""

from schemas.messages import Value
from simulator.roles.role import Role
from simulator.world import PF_LOAD


class LoadRole(Role):
    """It draws its part of what the site takes, at most its rating; positive is drawn."""

    def shown(self) -> dict[str, Value]:
        plant, rated = self.world.plant, self.device.rated_power or 0.0
        p = plant.loads.get(self.device.name, 0.0) if plant.lit else 0.0
        return {
            **super().shown(),
            **self.phases(p, PF_LOAD * p, alive=plant.lit),
            **self.named("state", "running" if p > 0.001 * rated else "off"),
            "e_import": plant.e_loads.get(self.device.name, 0.0),
        }
