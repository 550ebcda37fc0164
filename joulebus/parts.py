"""The parts of joulebus that run until they are told to stop."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A part that runs until it is told to stop."""

    says: str
    health: int
    """Default port of its health endpoint."""


SERVICES = {
    "simulate": Service("a site that does not exist: Modbus servers with physics", 9180),
    "bridge": Service("read the devices, obey commands within the limits", 9181),
    "archive": Service("store what is said on the bus", 9182),
    "alarms": Service("judge the alarm rules", 9183),
    "optimize": Service("plan the battery's next hours", 9184),
    "dispatch": Service("turn the plan into commands, every two seconds", 9185),
    "status": Service("the page for operators", 9186),
    "notify": Service("tell people of alarms", 9187),
}
