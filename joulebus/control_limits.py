"""The page about control: what narrows a command, and who may limit the grid connection."""

from dataclasses import replace

from bridges.control.limits import BUDGET, OWN_PV, RAMP, TRIAL, WORN, Limit, LimitInputs, limits
from bridges.control.power_control import limit_chain
from bridges.fieldbus.contract import Writable
from joulebus.words import table

MEANS = {
    WORN: "a register that wears out was written too often: it rests at 0 until its budget allows more",
    "DEVICE:range": "`low` and `high` of the command in the device's profile",
    "DEVICE:apparent_power": "the device's apparent power, for `q_set`",
    "interlock:NAME": "an [interlock](interlocks.md) blocks this direction",
    "pcs:reversed": "the power runs the other way",
    "loop:CAUSE": "the closed loop is not trusted: the meter's polarity, or it swings",
    "pcs:stopping": "the PCS is being stopped",
    "pcs:not_running": "the PCS does not run: a setpoint would jump at its start",
    "pcs:state_unknown": "nobody knows whether the PCS runs",
    "pcs:apparent_power": "S-circle: reactive power takes its share",
    "pcs:rated_power": "the rating",
    OWN_PV: "what the PV of a hybrid leaves of its inverter; for this alone no register is written in a hurry",
    "bms:missing": "voltage, CCL or DCL are not known: 0",
    "bms:current": "CCL or DCL, times the voltage",
    "bms:soc_missing": "the SoC is not known: 0",
    "battery:soc": "`soc_min` or `soc_max` is reached",
    "meter:missing": "the grid power is not known: 0",
    TRIAL: "a [trial](#trials-of-the-meter) of the grid meter: a fifth of the rating less, for a few seconds",
    "site:grid": "`import_limit` or `export_limit`, or a narrower one of `control/limits`: for all batteries together",
    "AUTHORITY:limit": "a limit in percent that was sent, such as `dso:limit`",
    RAMP: "`battery.ramp`",
    BUDGET: "the value waits for the register's write budget; what was written before stands there",
}
"""What stands in `limited_by`. One without a meaning is an error when the page is written."""

LIMITED = """\
The network operator, a protection or an operator limits feed-in or consumption on
[`control/grid_limit`](topics.md#controlgrid_limit), by `joulebus limit`, or by points of devices
(`[[grid.signal]]`: contacts of a control box, or a register). Dispatch keeps it on disk before it answers, and says
what holds on [`control/limits`](topics.md#controllimits); bridges narrow the batteries by it, keep it, and hold it
on when dispatch is gone; after `dso_hold` without dispatch what is declared safe narrows it. A limit only narrows: the
site file's own hold beside it.

- Of each authority, direction and scope the last word holds, and of all the narrowest: nobody overwrites another.
  100 % ends one's own.
- Without `safe_feed_in` (or `safe_consumption`) a limit ends at its `until`. With it somebody is expected to say it
  anew: when it is not, the last one holds for `dso_hold`, then the safe one; before the first word, too. A
  protection's is never widened. An operator's ends all the same, where the network operator's is awaited.
- A file that cannot be read is the safe one, or 0 where none is declared, until who is awaited speaks of that
  direction: the network operator, where `command_sources` or a signal names him; else a protection; else anybody.
- The plan is made for what holds, each limit until its end: a quarter hour that begins within one keeps it whole, one
  without an end, or whose word is expected anew, holds for all of the plan. It names them (`limits`, and the reason of
  each step that one shapes), and what it cannot keep (`shortage`): a plan there is. Another limit makes a plan at once,
  the next one 60 s later. What was said last holds when dispatch is gone, as for the bridges; `dso_hold` later what is
  declared safe. What of the PV is curtailed at the export limit, the plan does not know beforehand.
- Which broker user sent a word the broker does not tell: what a `source` may claim stands in `command_sources`, and
  only with a key of its own is it proven ([signed commands](security.md#signed-commands))."""


def sections() -> list[str]:
    """Of the page, in their order."""
    return [
        "## Limits",
        "The names in `limited_by` of an outcome, strongest first. A later one narrows what the earlier ones left.",
        table(["limit", "meaning"], [[f"`{name}`", MEANS[name]] for name in sources()]),
        "## Limits of the grid connection",
        LIMITED,
    ]


def sources() -> list[str]:
    """The limits in the order in which the guard applies them, by asking it at moments that have all of them."""
    blind = LimitInputs(
        rated_power=1.0, apparent_power=1.0, reactive_power=0.0, runs=False, charge=None, discharge=None,
        soc=None, soc_min=0.0, soc_max=100.0, net_load=None, import_limit=0.0, export_limit=0.0,
        position=0.0, ramp=0.0, sun=0.5, dso_name="AUTHORITY:limit",
        interlocks=(_any("interlock:NAME"), _any("pcs:reversed")),
    )  # fmt: skip
    seeing = replace(
        blind, runs=None, charge=1.0, discharge=1.0, soc=50.0, net_load=0.0,
        interlocks=(_any("interlock:NAME"), _any("loop:CAUSE")),
    )  # fmt: skip
    moments = [limits(one) for one in (replace(blind, stopping=True), blind, seeing)]
    battery = [one.source for slot in zip(*moments, strict=True) for one in slot]
    points = (Writable(point, 0.0, 1.0, None) for point in ("p_set", "q_set"))
    device = [one.source for point in points for one in limit_chain("DEVICE", point, None, "", 1.0)]
    return list(dict.fromkeys([WORN, *device, *battery, BUDGET]))


def _any(source: str) -> Limit:
    return Limit(source, 0.0, 0.0)
