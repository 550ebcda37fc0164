"""The generated page about control: the tables by which a bridge takes a command, knows a device, starts and stops."""

from bridges.control import command_life, device_life
from bridges.control.device_life import WRITES
from bridges.control.guard import LONGEST, SKEW
from bridges.control.sequence import PATIENCE, STAGES
from bridges.control.verification import REVERSING, SETTLING
from bridges.control.watchdog_care import BITES, LOOK
from joulebus.words import page, table
from schemas.messages import Authority
from schemas.topics import COMMAND_TTL

INTRO = f"""\
A bridge controls each device in a task of its own. Its cycle runs by time, with or without a reading: it takes the
commands that wait, decides, writes each value on its own, looks whether it arrived, and tells what became of it.

- A command is judged when it is taken, not when it is heard. One that is late, retained, repeated, older than the
  last one of  its source, of a stranger, or that claims more than its source may, is refused with a `cause`.
- Order is `epoch` and `number` where a source gives them, else time. A command that comes from more than
  {SKEW.total_seconds():.0f} s ahead, or lives longer than {LONGEST.total_seconds():.0f} s, is refused; deadlines
  run on the monotonic clock.
- Without a valid command (ttl {COMMAND_TTL:.0f} s) every point a bridge has moved goes to its fallback. A bridge
  that ends in  good order brings it there first, or holds it while the device's own watchdog is armed
  (`battery.on_stop`).
- What cannot be written for another ttl is not read either, where reading feeds the device's watchdog: it is left
  alone for  {BITES:g} times the watchdog's time. The watchdog is looked at each {LOOK:.0f} s and armed again.
- A power that stands apart from every setpoint that may be at work, and does not move, for {SETTLING:.0f} s is
  `not_obeyed`;  one that runs the other way for {REVERSING:.0f} s is `reversed`: the battery rests until a person
  sends `reset`."""


def control() -> str:
    """docs/control.md"""
    authority = [[f"`{one.value}`", str(one.rank + 1)] for one in Authority]
    stages = [
        [f"`{goal.value}`", stage.value, f"{PATIENCE[stage]:.0f} s"]
        for goal, stages in STAGES.items()
        for stage in stages
    ]
    writes = [[f"`{life.value}`", "yes" if written else "no"] for life, written in WRITES.items()]
    return page(
        "# Control",
        INTRO,
        "## The life of a command",
        "What stands in brackets happens without a word.",
        f"```mermaid\n{command_life.diagram()}\n```",
        "## The life of a device",
        f"```mermaid\n{device_life.diagram()}\n```",
        table(["state", "written to"], writes),
        "## Start and stop",
        "A contactor is open, closed, unknown or not ours, and unknown is none of the others: no inverter starts on "
        "it. Each stage is told once and has its time.",
        table(["goal", "stage", "at most"], stages),
        "## Authority",
        "The strongest first. A source may claim no more than the site file's `command_sources` says.",
        table(["authority", "rank"], authority),
    )
