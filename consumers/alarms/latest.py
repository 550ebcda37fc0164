"""What is known now: the last believed value of each point, and how long each device has said nothing.

`now` is seconds on the monotonic clock throughout.
"""

from collections import deque
from math import inf

from consumers.alarms.expression.scope import OWN, SITE_PLACE, Place, Scope
from consumers.alarms.reading import alive
from schemas.messages import Telemetry, Value

MOST_KNOWN = 200
"""Messages that are kept to know one again."""

Held = tuple[Value | None, float]
"""A value, and until when it is known."""


class Latest:
    def __init__(self, scope: Scope, now: float) -> None:
        self._scope = scope
        self.values: dict[Place, Held] = {}
        """Of each place that was heard of. Read by what an expression was compiled to."""
        self.messages: dict[Place, int] = {}
        """How many different ones were said, of words that are messages."""
        self._known: deque[tuple[Place, str, str]] = deque(maxlen=MOST_KNOWN)
        self._places: dict[str, dict[str, tuple[Place, float]]] = {device: {} for device in scope.devices}
        self._alive: dict[str, float] = {}
        self._listening = now
        self._excused: dict[str, float] = {}
        """Seconds of each device's silence that are not its own, since it was heard."""
        self._alone: dict[str, tuple[float, float]] = {}
        """Devices that their bridge does not read on purpose: since when, and until when that is believed."""

    def hear(self, device: str, telemetry: Telemetry, now: float) -> bool:
        """A device's points. What is of bad quality is unknown at once; what is historical says nothing of now. True
        when it shows that the device answers."""
        places = self._places.get(device)
        if telemetry.historical or places is None:
            return False
        answers = alive(telemetry)
        if answers:
            self._alive[device] = now
            self._excused.pop(device, None)
            self._alone.pop(device, None)
        values, doubted = self.values, telemetry.quality
        for point, value in telemetry.values.items():
            known = places.get(point)
            if known is None:
                known = places[point] = (device, point), self._scope.patience((device, point))
            place, patience = known
            values[place] = None if point in doubted else value, now + patience
        return answers

    def tell(self, device: str, word: str, value: Value | None) -> None:
        """A word that is said of a device from outside of it. It holds until the next one; None: nobody knows."""
        self.values[device, word] = _plain(value), inf

    def say(self, device: str, word: str, value: str, name: str) -> None:
        """The same of a message about the command `name`. What is delivered twice, or said again of the same command,
        is no other message; one without a name is."""
        self.tell(device, word, value)
        place, known = (device, word), ((device, word), name, value)
        if not name or known not in self._known:
            self._known.append(known)
            self.messages[place] = self.messages.get(place, 0) + 1

    def tell_service(self, service: str, word: str, value: Value | None) -> None:
        """The same of a part of joulebus."""
        self.values[f"{OWN}{service}", word] = _plain(value), inf

    def tell_site(self, name: str, value: Value | None) -> None:
        """The same of the site."""
        self.values[SITE_PLACE, name] = _plain(value), inf

    def value(self, place: Place, now: float) -> Value | None:
        """None for what is not known, not believed or too old."""
        held = self.values.get(place)
        return None if held is None or held[1] < now else held[0]

    def age(self, device: str, limit: float, now: float) -> float | None:
        """Seconds since the device showed that it answers; None as long as we could not have heard for `limit`."""
        since, until = self._alone.get(device, (now, now))
        age = max(0.0, now - self._alive.get(device, self._listening) - max(0.0, min(now, until) - since))
        return age if device in self._alive or age > limit else None

    def deaf(self, now: float) -> None:
        """We heard nothing until now (no broker, a frozen process): nobody else's silence counts."""
        self._listening = now
        self._alive.clear()
        self._excused.clear()
        self._alone.clear()

    def left_alone(self, device: str, now: float, most: float) -> None:
        """Its bridge does not read it on purpose: its silence does not grow, for `most` seconds. 0: it does again."""
        if most > 0:
            self._alone.setdefault(device, (now, now + most))
        elif (found := self._alone.pop(device, None)) is not None:
            since, until = found
            self._alive[device] = self._alive.get(device, self._listening) + max(0.0, min(now, until) - since)

    def heard_nothing(self, begin: float, end: float, most: float = inf) -> None:
        """Nobody could be heard in between, because the broker stood still: nobody's silence grew in that time. Of one
        silence not more than `most` seconds are excused."""
        self._listening = self._later("", self._listening, begin, end, most)
        self._alive = {device: self._later(device, at, begin, end, most) for device, at in self._alive.items()}

    def _later(self, device: str, at: float, begin: float, end: float, most: float) -> float:
        """A moment, moved by the part of the gap that lies behind it."""
        excused = self._excused.get(device, 0.0)
        more = max(0.0, min(end - max(begin, at), most - excused))
        self._excused[device] = excused + more
        return at + more


def _plain(value: Value | None) -> Value | None:
    """As telemetry has it: an expression looks at the type, and an enum or a whole number is of another one."""
    match value:
        case None:
            return None
        case str():
            return str(value)
        case int() | float():
            return float(value)
    return [str(one) for one in value]
