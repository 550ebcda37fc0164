"""What is not normal, on our own disk: a broker that dies forgets the last seconds it has confirmed, and more."""

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from schemas.messages import Alarm, AlarmState

ALARMS = TypeAdapter(dict[str, Alarm])

ATTENTION = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.LATCHED_UNACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.LATCHED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.SUPPRESSED,
    AlarmState.SHELVED,
    AlarmState.OUT_OF_SERVICE,
    AlarmState.NORMAL,
)
"""What asks more of an operator stands first."""


class Record:
    """A file with the alarms that are not normal. Written before the broker is told, and as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()

    def read(self) -> tuple[dict[str, Alarm], str]:
        """The alarms, and what is wrong with the file. One that is damaged is set aside; what can be read of it
        holds."""
        try:
            said = self.path.read_bytes()
        except FileNotFoundError:
            return {}, ""
        except OSError as wrong:
            return {}, f"{self.path} cannot be read: {wrong.strerror}"
        try:
            return ALARMS.validate_json(said), ""
        except ValidationError:
            return _readable(said), self._set_aside()

    def _set_aside(self) -> str:
        aside = self.path.with_suffix(".damaged")
        try:
            self.path.replace(aside)
        except OSError as wrong:
            return f"{self.path} is damaged and cannot be set aside: {wrong.strerror}"
        return f"{self.path} was damaged; it is kept as {aside.name}"

    def write(self, alarms: Mapping[str, Alarm]) -> None:
        """All of it or nothing, also when the power fails. For a thread: it waits for the disk. Raises OSError."""
        with self._turn:
            new = self.path.with_suffix(".new")
            with new.open("wb") as file:
                file.write(ALARMS.dump_json(dict(alarms)))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _readable(said: bytes) -> dict[str, Alarm]:
    """What can be read of a file that is damaged: one alarm takes no other with it."""
    try:
        found = from_json(said)
    except ValueError:
        return {}
    alarms: dict[str, Alarm] = {}
    for name, alarm in found.items() if isinstance(found, dict) else ():
        with suppress(ValidationError):
            alarms[name] = Alarm.model_validate_json(to_json(alarm))
    return alarms


def together(ours: Mapping[str, Alarm], stored: Mapping[str, Alarm]) -> dict[str, Alarm]:
    """What holds of our file and the broker's store: what either of them knows; of two the one in force.

    Our file is written first, so that the broker is behind it. Where it says something later all the same (the file is
    a copy of long ago, or a clock was set back) the one that asks more of an operator is in force.
    """
    return {**stored, **{name: _in_force(mine, stored.get(name)) for name, mine in ours.items()}}


def _in_force(mine: Alarm, stored: Alarm | None) -> Alarm:
    if stored is None or mine.at >= stored.at:
        return mine
    return min(mine, stored, key=lambda one: ATTENTION.index(one.state))
