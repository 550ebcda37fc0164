"""What a write to the registers of a device asks it for. Pure."""

from dataclasses import dataclass

from bridges.fieldbus.modbus.direction import amounts, companions, places
from schemas.profile import Profile
from schemas.register import Modes, Register, Setpoint
from simulator.registers import Registers


@dataclass(frozen=True, slots=True)
class Wish:
    """What a write asks for: a command or an action by its name, `<command>:enable` or `watchdog`."""

    name: str
    value: float


class Wishes:
    """Told by the registers as they stand after the write: what asks for one thing may stand in several of them."""

    def __init__(self, profile: Profile, registers: Registers) -> None:
        self.profile = profile
        self._registers = registers
        self._address = registers.address

    def of(self, span: range) -> list[Wish]:
        """Those of a write to these addresses."""
        return [*self._commands(span), *self._actions(span)]

    def _commands(self, span: range) -> list[Wish]:
        wishes = []
        for name, setpoint in self.profile.commands.items():
            if setpoint.modes is not None:
                wishes += self._steered(name, setpoint, setpoint.modes, span)
            elif any(at in span for at in self._own(setpoint)):
                wishes.append(Wish(name, 0.0 if self._asleep(setpoint) else self._asked(setpoint)))
            if setpoint.enable is not None:
                enable = self._address(setpoint.enable, setpoint.model)
                wishes += [Wish(f"{name}:enable", self._registers[enable])] if enable in span else []
        return wishes

    def _own(self, setpoint: Setpoint) -> list[int]:
        """The registers of which a write means a new setpoint."""
        start = self._address(setpoint.register_, setpoint.model)
        other = [] if setpoint.opposite is None else [self._address(setpoint.opposite, setpoint.model)]
        return [start, start + setpoint.count - 1, *other, *self._beside(setpoint)]

    def _asked(self, setpoint: Setpoint) -> float:
        """Of two limits the power nearest to 0 that both allow; none where they contradict each other."""
        most = self._number(setpoint, setpoint.register_)
        if setpoint.opposite is None:
            return most
        least = -self._number(setpoint, setpoint.opposite)
        return min(max(0.0, least), most) if least <= most else 0.0

    def _number(self, setpoint: Setpoint, register: int) -> float:
        raw = self._registers.raw(setpoint, self._address(register, setpoint.model))
        return raw * setpoint.scale * 10.0 ** self._registers.power(setpoint)

    def _steered(self, name: str, setpoint: Setpoint, modes: Modes, span: range) -> list[Wish]:
        """An amount counts only in the mode of its direction, and only beside its companions."""
        if not any(self._address(register, model) in span for model, register in places(setpoint, modes)):
            return []
        direction = self._registers[self._address(modes.register_, setpoint.model)]
        here = amounts(setpoint, modes)[-1 if direction == modes.negative else 0]
        amount = self._registers.raw(setpoint, self._address(here[1], here[0])) * setpoint.scale
        sign = 0 if self._asleep(setpoint) else {modes.positive: 1, modes.negative: -1}.get(direction, 0)
        return [Wish(name, sign * amount)]

    def _beside(self, setpoint: Setpoint) -> dict[int, int]:
        """Where its companions are, and what they must hold, word by word."""
        found: dict[int, int] = {}
        for one in companions(setpoint, self.profile.word_order):
            if one.place != (setpoint.model, setpoint.enable):
                found |= dict(enumerate(one.words, self._address(one.place[1], one.place[0])))
        return found

    def _asleep(self, setpoint: Setpoint) -> bool:
        return any(self._registers[address] != value for address, value in self._beside(setpoint).items())

    def _actions(self, span: range) -> list[Wish]:
        wishes = []
        for name, writes in self.profile.actions.items():
            last = self._address(writes[-1].register_, writes[-1].model)
            if last in span and self._registers[last] == writes[-1].value:
                wishes.append(Wish(name, 1.0))
        if (dog := self.profile.watchdog) and (place := self._address(dog.register_, dog.model)) in span:
            raw = self._registers.raw(Register(register=0, type=dog.type), place)
            wishes.append(Wish("watchdog", raw * dog.scale))
        return wishes
