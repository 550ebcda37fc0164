"""The generated page about control: the tables by which a bridge takes a command, knows a device, starts and stops."""

from bridges.control import command_life, device_life
from bridges.control.device_life import WRITES
from bridges.control.guard import LONGEST, SKEW
from bridges.control.sequence import PATIENCE, STAGES
from bridges.control.verification import REVERSING, SETTLING
from bridges.control.watchdog_care import BITES, LOOK
from consumers.dispatch.modes import NEXT
from joulebus.words import page, table
from schemas.messages import Authority, Mode
from schemas.topics import COMMAND_TTL

INTRO = f"""\
A bridge controls each device in a task of its own. Its cycle runs by time, with or without a reading: it takes the
commands that wait, decides, writes each value on its own, looks whether it arrived, and tells what became of it.

- A command is judged when it is taken, not when it is heard. One that is late, retained, repeated, older than the
  last one of its source, of a stranger, or that claims more than its source may, is refused with a `cause`.
- Order is `epoch` and `number` where a source gives them, else time. A command that comes from more than
  {SKEW.total_seconds():.0f} s ahead, or lives longer than {LONGEST.total_seconds():.0f} s, is refused; deadlines
  run on the monotonic clock.
- Without a valid command (ttl {COMMAND_TTL:.0f} s) every point a bridge has moved goes to its fallback. A bridge
  that ends in good order brings it there first, or holds it while the device's own watchdog is armed
  (`battery.on_stop`).
- What cannot be written for another ttl is not read either, where reading feeds the device's watchdog: it is left
  alone for {BITES:g} times the watchdog's time. The watchdog is looked at each {LOOK:.0f} s and armed again.
- A power that stands apart from every setpoint that may be at work, and does not move, for {SETTLING:.0f} s is
  `not_obeyed`; one that runs the other way for {REVERSING:.0f} s is `reversed`: the battery rests in a
  lockout until a person asks for `auto`, which resets it."""

SOURCES = {
    "interlock:NAME": "an [interlock](interlocks.md) blocks this direction",
    "loop:CAUSE": "the closed loop is not trusted: the meter's polarity, or it swings",
    "pcs:reversed": "the power runs the other way",
    "pcs:stopping": "the PCS is being stopped",
    "pcs:not_running": "the PCS does not run: a setpoint would jump at its start",
    "pcs:state_unknown": "nobody knows whether the PCS runs",
    "pcs:apparent_power": "S-circle: reactive power takes its share",
    "pcs:rated_power": "the rating",
    "bms:missing": "voltage, CCL or DCL are not known: 0",
    "bms:current": "CCL or DCL, times the voltage",
    "bms:soc_missing": "the SoC is not known: 0",
    "battery:soc": "`soc_min` or `soc_max` is reached",
    "meter:missing": "the grid power is not known: 0",
    "site:grid": "`import_limit` or `export_limit`: they hold for all batteries together",
    "AUTHORITY:limit": "a limit in percent that was sent, such as `dso:limit`",
    "battery:ramp": "`battery.ramp`",
    "DEVICE:range": "`low` and `high` of the command in the device's profile",
    "DEVICE:apparent_power": "the device's apparent power, for `q_set`",
}
"""What stands in `limited_by`, strongest first."""

MODES = {
    "auto": "dispatch follows the plan and the billed peak, and starts the PCS if it may",
    "manual": "one power that a person gave, until the lease ends (at most 24 h); then `auto`",
    "local": "a person steers at the device: nothing is sent, the bridge goes to its fallback; `until` is optional",
    "lockout": "the PCS is stopped and stays so, until a named person asks for `auto`",
}
"""As dispatch takes them."""


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
        "## Limits",
        "The names in `limited_by` of an outcome, strongest first. A later one narrows what the earlier ones left.",
        table(["limit", "meaning"], [[f"`{name}`", says] for name, says in SOURCES.items()]),
        "## Modes",
        "Who steers the battery; asked for on [`control/request`](topics.md#controlrequest).",
        table(
            ["mode", "meaning", "may be followed by"],
            [[f"`{mode}`", MODES[mode], ", ".join(sorted(NEXT[mode]))] for mode in Mode],
        ),
        "## Authority",
        "The strongest first. A source may claim no more than the site file's `command_sources` says.",
        table(["authority", "rank"], authority),
    )
