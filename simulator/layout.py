"""Where everything of a device is: its registers, the points that stand in them, and what may be written. Pure."""

from itertools import pairwise

from bridges.fieldbus.modbus.direction import places
from schemas.profile import Profile
from schemas.register import WORDS, Point, Setpoint
from simulator.sunspec import Chain, chain

BOTH, SINGLE = frozenset((6, 16)), frozenset((6,))


class Layout:
    """Every register of a profile; for SunSpec, every register of the models it names."""

    def __init__(self, profile: Profile, *, rated: float, apparent: float, unit: int, begin: int | None = None) -> None:
        """`begin`: where its chain goes on, behind the models of another device of the unit."""
        self.profile = profile
        self.chain = _chain(profile, rated, apparent, unit, begin)
        self.held: dict[int, dict[int, int]] = {3: dict(self.chain.words), 4: {}}
        """By function, what each register holds when it is new."""
        self.at: dict[tuple[int, int], list[str]] = {}
        """The points that stand in a register, by function and address."""
        self.writable: dict[int, frozenset[int]] = dict.fromkeys(self.chain.writable, BOTH)
        """The functions that write a register."""
        self._map()
        self.told = {address: self._named(address) for address in self.writable}
        """The commands and actions that a register belongs to, and `watchdog`."""

    def address(self, register: int, model: int | None) -> int:
        """The protocol address of a register, also inside a SunSpec model."""
        return register if model is None else self.chain.models[model] + register

    def _map(self) -> None:
        for name, point in self.profile.points.items():
            self._show(name, point, point.register_, point.count)
            if point.sign is not None:
                self._show(name, point, point.sign.register_, 1)
                if point.sign.amount is not None:
                    self._show(name, point, point.sign.amount, point.count)
            if point.less is not None:
                self._show(name, point, point.less, point.count)
        self._map_commands()
        self._fill_gaps()

    def _show(self, name: str, point: Point, register: int, count: int) -> None:
        """A point stands in these registers."""
        function, start = point.function or self.profile.function, self.address(register, point.model)
        for address in range(start, start + count):
            self.held[function].setdefault(address, 0)
            self.at.setdefault((function, address), []).append(name)

    def _map_commands(self) -> None:
        profile = self.profile
        for setpoint in profile.commands.values():
            functions = _functions(setpoint.write)
            if setpoint.opposite is not None:
                self._allow(self.address(setpoint.opposite, setpoint.model), setpoint.count, functions)
            self._allow(self.address(setpoint.register_, setpoint.model), setpoint.count, functions)
            if setpoint.enable is not None:
                self._allow(self.address(setpoint.enable, setpoint.model), 1, functions)
            self._time(setpoint)
            if setpoint.modes is not None:
                for (model, register), count in places(setpoint, setpoint.modes).items():
                    self._allow(self.address(register, model), count, functions)
        orders = [write for writes in profile.actions.values() for write in writes]
        if heart := profile.heartbeat:
            count = WORDS[heart.type]
            self._allow(self.address(heart.register_, heart.model), count, _functions(heart.write))
        if dog := profile.watchdog:
            count = WORDS[dog.type]
            self._allow(self.address(dog.register_, dog.model), count, _functions(dog.write))
        for beside in (one for setpoint in profile.commands.values() for one in setpoint.companions):
            self._allow(self.address(beside.register_, beside.model), beside.count, _functions(beside.write))
        for order in orders:
            self._allow(self.address(order.register_, order.model), 1, _functions(order.write))

    def _time(self, setpoint: Setpoint) -> None:
        """The timer that takes a setpoint back: it never does, until somebody sets it."""
        timer = setpoint.reverts
        if timer is not None and timer.register_ is not None:
            start = self.address(timer.register_, setpoint.model)
            self.held[3] = dict.fromkeys(range(start, start + WORDS[timer.type]), 0) | self.held[3]

    def _allow(self, start: int, count: int, functions: frozenset[int]) -> None:
        for address in range(start, start + count):
            self.held[3].setdefault(address, 0)
            self.writable[address] = self.writable.get(address, frozenset()) | functions

    def _fill_gaps(self) -> None:
        """A profile says with `gap` that holes up to that width may be read: they hold 0."""
        for held in self.held.values():
            known = sorted(held)
            for left, right in pairwise(known):
                if 1 < right - left <= self.profile.gap + 1:
                    held.update(dict.fromkeys(range(left + 1, right), 0))

    def _named(self, place: int) -> frozenset[str]:
        found = set()
        for name, setpoint in self.profile.commands.items():
            own: list[tuple[int | None, int]] = [
                (setpoint.model, setpoint.register_ + n) for n in range(setpoint.count)
            ]
            own += [(setpoint.model, one) for one in (setpoint.enable, setpoint.opposite) if one is not None]
            own += [] if setpoint.modes is None else [*places(setpoint, setpoint.modes)]
            own += [(one.model, one.register_) for one in setpoint.companions]
            found |= {name for model, register in own if self.address(register, model) == place}
        for name, writes in self.profile.actions.items():
            found |= {name for one in writes if self.address(one.register_, one.model) == place}
        dog = self.profile.watchdog
        return frozenset(found | ({"watchdog"} if dog and self.address(dog.register_, dog.model) == place else set()))


def _functions(write: int) -> frozenset[int]:
    """Of a register: where 16 writes it, 6 does as well."""
    return BOTH if write == 16 else SINGLE


def _chain(profile: Profile, rated: float, apparent: float, unit: int, begin: int | None) -> Chain:
    if not profile.sunspec:
        return Chain()
    lengths: dict[int, int] = {}
    powers: set[tuple[int, int]] = set()
    for register in [*profile.points.values(), *profile.commands.values()]:
        starts = (register.register_, getattr(register, "less", None) or 0)
        last = max(max(starts) + register.count - 1, register.scale_register or 0)
        if register.model is not None:
            lengths[register.model] = max(lengths.get(register.model, 0), last - 1)
            if register.scale_register is not None and register.unit in ("W", "VA", "var"):
                powers.add((register.model, register.scale_register))
    powers -= {(one.model, one.scale_register) for one in profile.commands.values()}  # percent of the rated power
    return chain(lengths, powers, rated=rated, apparent=apparent, unit=unit, begin=begin)
