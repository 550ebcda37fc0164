"""How long a device has said nothing, in time in which it would have been heard. Pure.

A broker that stands still, or a line that is lost, silences all devices at once and is no fault of theirs: that time
does not count, and what counted before goes on to count.
"""


class Silence:
    """Of all devices. Seconds on the steady clock."""

    def __init__(self, now: float) -> None:
        self._began = self._until = now
        self._counted = 0.0
        self._last: dict[str, float] = {}
        """Of each device, when its last word came."""
        self._at: dict[str, float] = {}
        """The same in time that counts."""

    def deaf(self, now: float) -> None:
        """Until now nobody would have been heard."""
        self._until = max(self._until, now)
        self._at = {device: min(at, self._counted) for device, at in self._at.items()}

    def pass_time(self, until: float) -> None:
        """Until then everybody would have been heard."""
        self._counted += max(0.0, until - self._until)
        self._until = max(self._until, until)

    def heard(self, device: str, now: float) -> None:
        self._last[device] = now
        self._at[device] = self._counted + max(0.0, now - self._until)

    def known(self, device: str) -> bool:
        """Whether it ever said something to us."""
        return device in self._at

    def age(self, device: str) -> float:
        """Seconds of silence that count."""
        return self._counted - self._at.get(device, 0.0)

    def since(self, device: str, now: float) -> float:
        """Seconds since its last word, whether they count or not."""
        return now - self._last.get(device, self._began)
