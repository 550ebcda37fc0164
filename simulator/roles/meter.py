"""The meter at the grid connection point, positive importing."""

from schemas.messages import Value
from simulator.roles.role import Role


class MeterRole(Role):
    """What flows through the grid connection."""

    def shown(self) -> dict[str, Value]:
        plant = self.world.plant
        (p, q), energies = self._powers(), (plant.e_import, plant.e_export)
        if "inverted" in self.on:
            p, q, energies = -p, -q, energies[::-1]
        phases = self.phases(p, q, alive=not plant.grid_lost)
        return {**super().shown(), **phases, "e_import": energies[0], "e_export": energies[1]}

    def _powers(self) -> tuple[float, float]:
        on, world = self.on, self.world
        seen = world.recent.mean(on.get("late", 0.0), on.get("averaging", 0.0)) if on else None
        return seen or (world.plant.grid, world.reactive)
