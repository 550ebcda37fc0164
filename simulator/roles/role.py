"""A device of the site as it is seen from behind its registers: what any of them shows and suffers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import hypot
from zlib import crc32

from schemas.messages import Value
from schemas.profile import Profile
from schemas.site_device import Device
from simulator.enables import Enables
from simulator.image import Image
from simulator.wishes import Wish
from simulator.world import World


@dataclass
class Role:
    """What a kind of device shows of the world, and what it obeys."""

    world: World
    device: Device
    profile: Profile
    now: Callable[[], datetime]
    image: Image
    enables: Enables = field(init=False)

    def __post_init__(self) -> None:
        self.enables = Enables(self.profile)

    @property
    def on(self) -> Mapping[str, float]:
        """Its faults, each with its size."""
        return self.world.faults.of(self.device.name)

    def values(self) -> dict[str, Value]:
        """Every quantity of the kind; the profile picks those it has registers for."""
        self.world.advance(self.now())
        return self.shown()

    def shown(self) -> dict[str, Value]:
        """The same at the instant the world stands at."""
        return {"model_name": f"{self.profile.model} (simulated)", "serial": self._serial()}

    def _serial(self) -> Value:
        """A text, or a number where the map has one."""
        point = self.profile.points.get("serial")
        name = self.device.name
        return f"SIM-{name}" if point is None or point.type == "text" else float(crc32(name.encode()) % 10**9)

    def obey(self, wish: Wish) -> None:
        """Someone wrote: first what happened until now, and at once what it changes."""
        self.world.advance(self.now())
        fresh = "wants_enable" in self.on
        self.take(self.enables.take(wish, self.world.at.timestamp(), wants_enable=fresh))
        self.world.advance(self.now(), told=True)

    def take(self, wish: Wish) -> None:
        """Most devices are only read."""

    def heard(self, *, write: bool) -> None:
        """Most devices have no watchdog."""

    def suffer(self, on: Mapping[str, float]) -> None:
        """What the faults that are on do to the physics. Called when they change, and in each step while one is on."""
        gone = [name for name in self.enables.on if "clears_enable" in on]
        self.enables.on.difference_update(gone)
        after = on.get("reverts", on.get("reverts_untold"))
        if after is not None:
            gone += self.enables.lapsed(self.world.at.timestamp(), after)
        if "reverts" in on:
            for name in self.enables.names:
                self.image.tell_reversion(name, on["reverts"])
        for name in gone:
            self.image.disable(name)
            self.take(Wish(name, 0.0))
        self.once(on, "clears_enable")

    def once(self, on: Mapping[str, float], fault: str) -> bool:
        """Whether a fault is on that happens once; it is over now."""
        if fault in on:
            self.world.faults.off(f"{self.device.name}:{fault}")
        return fault in on

    def flags(self, active: Iterable[str]) -> dict[str, Value]:
        """The names that are set, each in the point that has its bit."""
        names = set(active)
        return {
            point: [flag for flag in spec.flags.values() if flag in names]
            for point, spec in self.profile.points.items()
            if spec.flags is not None
        }

    def named(self, point: str, *names: str) -> dict[str, Value]:
        """The first of these names that the point can show."""
        spec = self.profile.points.get(point)
        if spec is None:
            return {}
        known = {*(spec.enum or spec.first or {}).values(), *([spec.otherwise] if spec.first else [])}
        return next(({point: name} for name in names if name in known), {})

    def phases(self, p: float, q: float, *, alive: bool = True) -> dict[str, Value]:
        """Three equal phases; without a voltage nothing flows."""
        voltages = self.world.voltages if alive else (0.0, 0.0, 0.0)
        s = hypot(p, q)
        shown: dict[str, Value] = {"f": self.world.frequency if alive else 0.0, "p": p, "q": q, "s": s}
        shown["pf"] = p / s if s else 1.0
        total = 0.0
        for phase, u in enumerate(voltages, 1):
            i = s / 3 / u if u else 0.0
            total += i
            shown |= {f"u_l{phase}n": u, f"i_l{phase}": i, f"p_l{phase}": p / 3, f"q_l{phase}": q / 3}
        shown["i"] = total
        return shown
