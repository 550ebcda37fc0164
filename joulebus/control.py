"""The generated page about control: how a bridge takes a command, and how dispatch decides which."""

from bridges.control.command_history import LONGEST
from bridges.control.guard import SKEW
from bridges.control.renewal import LATE
from bridges.control.verification import REVERSING, SETTLING
from bridges.control.watchdog_care import LOOK
from bridges.control.write_budget import MOST_URGENT
from joulebus import control_dispatch, control_limits, control_lives, control_modes
from joulebus.words import page
from schemas.register import BITES
from schemas.topics import COMMAND_TTL

INTRO = f"""\
A bridge controls each device in a task of its own. Its cycle runs by time, with or without a reading: it takes the
commands that wait, decides, writes each value on its own, looks whether it arrived, and tells what became of it.

- A command is judged when it is taken, not when it is heard. One that is late, retained, repeated, older than the
  last one of its source, of a stranger, or that claims more than its source may, is refused with a `cause`.
- Order is `epoch` and `number` where a source gives them, else time. A command that comes from more than
  {SKEW.total_seconds():.0f} s ahead, or lives longer than {LONGEST.total_seconds():.0f} s, is refused; deadlines
  run on the monotonic clock. One that may be from before our clock was set back is as old as it would be then.
- A register that wears out is written beyond its budget only to narrow what stands in it, at most {MOST_URGENT}
  times in a row: then it rests at 0 (`register:worn`) until the budget allows a value again. What waits for the
  budget is `accepted`, or `limited` by `register:budget`, never `verified`.
- A setpoint that its device takes back by a timer is written again while it is wanted: after a third of the time that
  the device or its profile says, or that was learned, at {LATE:.0%} of it at the latest; of the writes a day that a
  register which wears may take, renewals take half at most. What falls is written again in the same cycle.
- Without a valid command (ttl {COMMAND_TTL:.0f} s) every point a bridge has moved goes to its fallback. A bridge
  that ends in good order brings it there first, or holds it while the device's own watchdog is armed
  (`battery.on_stop`).
- What cannot be written for another ttl is not read either, where reading feeds the device's watchdog: it is left
  alone for {BITES:g} times the watchdog's time. The watchdog is looked at each {LOOK:.0f} s and armed again.
- A power that stands apart from every setpoint that may be at work, and does not move, for {SETTLING:.0f} s is
  `not_obeyed`; one that runs the other way for {REVERSING:.0f} s is `reversed`: the battery rests in a
  lockout until a person asks for `auto`, which resets it."""


def control() -> str:
    """docs/control.md"""
    return page(
        "# Control",
        INTRO,
        *control_lives.sections(),
        *control_limits.sections(),
        *control_dispatch.SECTIONS,
        *control_modes.sections(),
    )
