"""The meter at the grid connection point, positive importing."""

from schemas.messages import Value
from simulator.roles.role import Role


class MeterRole(Role):
    """What flows through the grid connection."""

    def shown(self) -> dict[str, Value]:
        plant = self.world.plant
        (p, q), energies = self._powers(), (self.part * plant.e_import, self.part * plant.e_export)
        if "inverted" in self.on:
            p, q, energies = -p, -q, energies[::-1]
        phases = self.phases(p, q, alive=not plant.grid_lost)
        return {**super().shown(), **phases, "e_import": energies[0], "e_export": energies[1]}

    def _powers(self) -> tuple[float, float]:
        on, world = self.on, self.world
        seen = world.recent.mean(on.get("late", 0.0), on.get("averaging", 0.0)) if on else None
        p, q = seen or (world.plant.grid, world.reactive)
        return self.part * p, self.part * q

    @property
    def part(self) -> float:
        """Of the connection, where several meters measure it together: the same of each."""
        meters = self.world.site.grid.meters
        return 1 / len(meters) if self.device.name in meters else 1.0
