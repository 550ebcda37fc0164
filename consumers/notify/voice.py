"""What was heard of the alarm service since there is a connection: without it nobody can say that an alarm is over."""

from dataclasses import dataclass, field


@dataclass
class Voice:
    """Of one connection."""

    there: bool = False
    """It says that it is online."""
    spoken: set[str] = field(default_factory=set)
    """Alarms that are not over by its last word, or by the broker's memory of it."""

    def hear(self, name: str, *, there: bool) -> None:
        """Of one alarm: whether it stands."""
        (self.spoken.add if there else self.spoken.discard)(name)
