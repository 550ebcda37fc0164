"""The record of the version before, a file of JSON: read once, then kept under another name."""

from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from schemas.messages import Alarm

_ALARMS = TypeAdapter(dict[str, Alarm])


def read_former(path: Path) -> tuple[dict[str, Alarm] | None, str]:
    """What stands in it, and what is wrong with it. `path`: of the record of now. None: there is no former one."""
    former = path.with_suffix(".json")
    try:
        said = former.read_bytes()
    except FileNotFoundError:
        return None, ""
    except OSError as wrong:
        return None, f"{former} cannot be read: {wrong.strerror}"
    try:
        return _ALARMS.validate_json(said), ""
    except ValidationError:
        return _readable(said), f"{former} was damaged; what could be read of it holds"


def is_newer(path: Path) -> bool:
    """Whether it was written after the record of now: the version before was at work again meanwhile."""
    of_now = [path.with_name(path.name + end) for end in ("", "-wal")]
    try:
        former = path.with_suffix(".json").stat().st_mtime_ns
        return all(former > one.stat().st_mtime_ns for one in of_now if one.exists())
    except OSError:
        return False


def set_former_aside(path: Path) -> str:
    """It was taken over. What is wrong, if anything: then it is taken over again with the next start."""
    former = path.with_suffix(".json")
    try:
        former.replace(former.with_name(f"{former.name}.former"))
    except OSError as wrong:
        return f"{former} was taken over and cannot be set aside: {wrong.strerror}"
    return ""


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
