"""What a bridge says of its devices: which they are, how they are, and what is wrong with each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridges.control.controller import Controller
from bridges.fieldbus.contract import Doubt
from runtime.part import Part
from schemas.messages import Cause, DeviceState, DeviceStatus
from schemas.topics import DEVICE_STATUS, M, Topic
from schemas.units import Instant, utc_now


@dataclass
class DeviceStatuses:
    """Of all devices of a bridge."""

    part: Part
    dropped: Callable[[str], list[tuple[Instant, Instant]]]
    """The hours of which the outbox gave up samples of a device."""
    said: dict[str, DeviceStatus] = field(default_factory=dict)
    """What was said last of each device."""

    def troubles(self, name: str, controls: Mapping[str, Controller]) -> list[Doubt]:
        """What control knows of a device; what speaks against the meter is said of the meter."""
        site = self.part.site
        found = controls[name].troubles
        if name in site.pcs:
            return [one for one in found if one[0] is not Cause.METER_POLARITY]
        guard = next((controls[pcs] for pcs in site.pcs if pcs in controls), None)
        if name == site.grid.meter and guard is not None:
            return [*found, *(one for one in guard.troubles if one[0] is Cause.METER_POLARITY)]
        return found

    def tell(self, name: str, state: DeviceState, troubles: list[Doubt], control: Controller | None = None) -> None:
        """Say a device's state when it changes, and when samples of another hour were given up."""
        said, dropped = self.said.get(name), self.dropped(name)
        reason = "; ".join(words for _, words in troubles)
        causes = list(dict.fromkeys(cause.value for cause, _ in troubles))
        locks = None if control is None or control.battery is None else control.battery.interlocks
        acting, derated = ({}, {}) if locks is None else (locks.effects, locks.derated)
        status = DeviceStatus(
            at=utc_now(), state=state, causes=causes, reason=reason, interlocks=acting, derated=derated, dropped=dropped
        )
        if said is not None and said == status.model_copy(update={"at": said.at}):
            return
        if said is None or said.state != state:
            log = self.part.log.info if state is DeviceState.ONLINE else self.part.log.warning
            log("%s is %s%s", name, state.value, f": {reason}" if reason else "")
        self.said[name] = status
        self.say(DEVICE_STATUS, status, name)

    def say(self, topic: Topic[M], message: M, device: str) -> None:
        """Without waiting for the broker: it may be frozen, and the reading goes on. The archive gets it later, and
        what a new connection must know is said again when it is made."""
        try:
            self.part.events.post(topic, message, site=self.part.site.site, device=device)
        except ValueError as wrong:
            self.part.log.warning("not said: %s", wrong)
