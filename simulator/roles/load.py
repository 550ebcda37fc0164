"""A load with a measurement of its own, or one that is told when to run."""

from collections.abc import Mapping

from schemas.messages import Value
from simulator.driven import Driven
from simulator.roles.role import Role
from simulator.wishes import Wish
from simulator.world import PF_LOAD


class LoadRole(Role):
    """It draws its part of what the site takes, at most its rating; positive is drawn. A flexible load of the site file
    draws what it is told."""

    @property
    def driven(self) -> Driven | None:
        return self.world.plant.driven.get(self.device.name)

    def shown(self) -> dict[str, Value]:
        plant, rated = self.world.plant, self.device.rated_power or 0.0
        p = plant.loads.get(self.device.name, 0.0) if plant.lit else 0.0
        return {
            **super().shown(),
            **self.phases(p, PF_LOAD * p, alive=plant.lit),
            **self.named("state", "running" if p > 0.001 * rated else "off"),
            **self.named("control_loc", "remote"),
            "e_import": plant.e_loads.get(self.device.name, 0.0),
            **({} if self.driven is None else self._flexible(self.driven)),
        }

    def _flexible(self, one: Driven) -> dict[str, Value]:
        comfort = one.rule.comfort
        own = comfort is not None and comfort.device in (None, self.device.name) and one.value is not None
        kept = {comfort.point: one.value} if own and comfort is not None and one.value is not None else {}
        return {one.rule.told_by(self.profile): one.told, **kept}

    def take(self, wish: Wish) -> None:
        if self.driven is not None and wish.name == self.driven.rule.told_by(self.profile):
            self.driven.told = wish.value

    def suffer(self, on: Mapping[str, float]) -> None:
        super().suffer(on)
        one = self.driven
        if one is None:
            return
        one.part = 0.0 if "idle" in on else on.get("weak", 1.0)
        if self.once(on, "by_hand"):
            one.told = one.rule.value(float(not one.share), self.profile, one.rated)
