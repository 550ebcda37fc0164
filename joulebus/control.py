"""The generated page about control: the tables by which a bridge takes a command, knows a device, starts and stops."""

from dataclasses import replace
from datetime import UTC, datetime

from bridges.control import command_life, device_life
from bridges.control.command_life import Stage
from bridges.control.device_life import WRITES, Life
from bridges.control.guard import LONGEST, SKEW
from bridges.control.limits import BUDGET, OWN_PV, RAMP, TRIAL, WORN, Limit, LimitInputs, limits
from bridges.control.meter_trial import FROM, LETS_BE, NOTHING, PEACE, SHARE, VAIN, Loop
from bridges.control.power_control import limit_chain
from bridges.control.renewal import LATE
from bridges.control.sequence import PATIENCE, STAGES
from bridges.control.verification import REVERSING, SETTLING
from bridges.control.watchdog_care import BITES, LOOK
from bridges.control.write_budget import MOST_URGENT
from bridges.fieldbus.contract import Writable
from consumers.dispatch.modes import NEXT, Control, act
from joulebus.words import page, table
from optimizer import dispatch, grid_target, meter_doubt, running_step, without_policy
from schemas.messages import Action, Authority, ControlMode, ControlRequest, Mode, OutcomeState
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


TRIALS = f"""\
Only steps of the battery show which way round the grid meter is. A battery that does all it can, while the meter asks
for still more, makes none. So where the batteries together stand still at {FROM:.0%} of their rating or more and the
meter asks for more, they give up to {SHARE:.0%} of their rating less for some seconds, towards 0 and along the ramp,
and then all again, until the means of what the meter shows tell which way round it is: `meter:trial`. Two steps are
enough at a load that rests, a restless one takes more; each lasts for another time, so that no machine is in step.
The right sign ends a trial, the wrong one the closed loop; what shows neither after {VAIN} steps names nobody.

The meter asks for more beyond a limit of the site: then the next trial comes {PEACE / 60:.0f} minutes later at the
earliest, and later each time that one has shown nothing. Within the limits it asks for more when dispatch has followed
it to the end of what the battery may do: then it is tried when no step has shown the right sign for
{LETS_BE[Loop.END][NOTHING] / 60:.0f} minutes, and only as far as the limit is kept. A register whose writes are counted
(flash) is not tried: each trial is two writes and more. Who steers by hand is not disturbed, as long as no limit of the
site moves the battery."""


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


STAGES_OF = {
    Stage.TAKEN: "judged and followed; nothing is written yet",
    Stage.ACCEPTED: "it waits: for the write budget, or for a start or a stop on its way",
    Stage.APPLIED: "written, and the device has confirmed it",
    Stage.VERIFIED: "the measured power, or the device's state, proves it",
    Stage.LIMITED: "proven, and a limit made it less than what was asked: `limited_by` names it",
    Stage.NOT_HELD: "the register reads back something else than was written",
    Stage.NOT_OBEYED: "the measured power, or the state, does not follow",
    Stage.FAILED: "it could not be written; it is tried again as long as the command lives",
    Stage.SUPERSEDED: "the end: a newer command took its place; not said of one that was proven",
    Stage.EXPIRED: "the end: its time was over before a newer one came, or the bridge or the device's panel ended it",
}
"""What a command in each stage has come to."""

ASIDE = {
    OutcomeState.REFUSED: "it was never taken: `cause` and `reason` say why",
    OutcomeState.FOREIGN_CHANGE: "somebody else wrote to the register; said beside the state, which stays as it is",
}
"""Outcomes that are no stage of a command."""

LIVES = {
    Life.UNKNOWN: "not read since the bridge began",
    Life.KNOWN: "read, and a valid command holds, or the first one is waited for",
    Life.FALLBACK: "no valid command is left: it is told what was declared safe, answering or not",
    Life.LOCAL: "it says that it is steered at its own panel: it is watched",
    Life.OFFLINE: "it does not answer while a command holds: what must be written is tried all the same",
}
"""Who has a device."""

STATUS = """\
The state in a device's [status](topics.md#devicestatus) says something else, namely how it is read: `online` is read,
`degraded` is read with a cause against it (as one that is steered at its panel), `offline` does not answer, or is left
alone. So a device without commands is `fallback` here and `online` there, one that was never read is `unknown` and
`offline`, and one that falls silent in its fallback stays `fallback` and is `offline`."""


def _stages() -> list[list[str]]:
    """Each state, the outcome that says it, and what it means."""
    rows = []
    for stage in Stage:
        said = {told for after, told in command_life.NEXT.values() if after is stage and told}
        outcomes = ", ".join(sorted(f"`{one}`" for one in said - ASIDE.keys())) or "none"
        rows.append([f"`{stage}`", outcomes, STAGES_OF[stage]])
    return [*rows, *(["none", f"`{one}`", words] for one, words in ASIDE.items())]


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

CURTAILED = """\
PV that can be limited (`p_limit_pct`) is curtailed when more would be fed in than may be, or when the plan's step
pays less than nothing for it. The batteries take first. Dispatch tells each inverter the same share of its rated
power, down at once and up by 10 % in 10 s; what an inverter in the shade leaves, or one that does not obey takes,
is shared by the others. A curtailed PV hides the surplus that a battery could store. So the batteries charge ahead of
it, with up to 10 % of the PV's rating from the grid for some seconds, and PV follows what they take: nothing waits for
the meter, and what a battery does not take is not fed in. While PV is held at what the site takes, no battery covers
the load beside it; a plan that sells, a power by hand and the month's peak stand before.

The tolerance is 1 % of the rated PV power. A meter that is late, or an inverter that is slow, moves nothing at a
constant load; a step of the load is answered when the meter shows it. Without dispatch, or the meter, each inverter
gives what all of them may feed in without any load (`pv_fallback`): 0 where `export_limit` is 0. That is so, too,
where no bridge has moved it before."""


REACTIVE = """\
What the network operator wants (`[grid.reactive]`) is shared by the inverters of batteries and PV in proportion to
the room that their active power leaves of the S-circle; it never takes active power away. One that takes a power
factor only (`pf_set`) is told the factor that gives its part at its power of now, 0.8 at least: without active power
it gives none. A register of a power factor is coarse: near to its part it stays, and those told in var do the rest.
An inverter that is off, asleep or silent takes no part. One that gives something else than what it was told in the
last minute is named; it counts with what it gives, and the others give the rest. Without a valid command each goes to
its profile's fallback, 0 var or a factor of 1; without its bridge to what its own reversion timer brings, where the
installer has set one.

Positive feeds var in (over-excited), whichever way active power flows. SunSpec's model 123 counts a power factor by
the EEI, the other way round."""


POLICY = f"""\
A plan says what the battery is to give for whatever the load less PV turns out to be (`policy`), and the highest
window mean that is meant to be let pass (`cap`). Dispatch decides each 2 s:

- **The load of the step**: what was seen of it, and for the rest the present load, smoothed over
  {running_step.SMOOTH:g} s: a motor that starts is no news of the next ten minutes. The policy at that mean says what
  the grid is to carry.
- **Nothing, or one side whole** (it covers the load, stores PV): the measured load is followed second by second. An
  error of the forecast neither buys nor sells energy; with the load the other way round than the mean, the policy at
  the load of now counts.
- **A part**: the policy's power; what was given less or more so far is made up for over {grid_target.PATIENCE:g} s at
  least, and with twice that power at most.
- **A billed peak**: the mean of the window counts, not the power. What the window drew so far and the smoothed load
  say what the battery must give for the rest of it. A load that needs more than {grid_target.CALM:.0%} of what the
  battery has is answered faster, one that needs all of it within {running_step.QUICK:g} s; in the last
  {grid_target.ENDING:g} s the load of now counts. It aims {grid_target.MARGIN:.1%} below the peak. The room is what is
  billed already, or what the policy means where that is more: where the policy lets the peak rise, because its energy
  is worth more later or the battery has no more, it is not emptied for it.
- **Other demands**, and windows of 30 or 60 minutes or that slide, are held at the plan's peak in their own windows: a
  policy knows quarter hours only, and what one of them leaves the others may draw. Limits of battery and grid
  connection stand above all.
- **From plan to plan** a step begins anew: the new plan knows what the window had before. Where two powers cost the
  same, the one of the first {grid_target.TIE:g} s of a quarter hour goes on. Setpoints closer than
  {dispatch.DEADBAND:.1%} of the rating are the same, but at the end of a window. A plan that is late leaves its next
  steps for an hour, then the battery covers the load, holds the billed peak and keeps {without_policy.RESERVE:.0%}
  of its energy for it.

What a window has drawn is kept on the disk each minute: a restart knows it, also without the word of what is billed.
What nobody saw gives no room: it counts as the peak, or the load of now, of then or of when it was seen again,
whichever is most, and the reason says so. After a second silence in one window room is left for a third. A clock that
is set back goes on with the window it comes back to. A plan that cannot be read, as with a policy that does not rise,
is said, and the last one goes on.

The reason says what binds: `holds 448 kW mean of 17:15-17:30; 10 EUR/kW`. A meter that is late makes no swing, or one
where it is later than was known, up to 30 s: the load is told from readings and setpoints that belong together
([closed-loop.md](closed-loop.md)). While its measured delay goes to and fro by {meter_doubt.JUMP:g} s or more, the
mean that it shows of a window is not the true one, and dispatch aims lower by what it may be off. Flexible loads give
way by what is left when the meter will have shown what batteries and loads have done already."""


MODES = {
    "auto": "dispatch follows the plan and the billed peak, and starts the PCS if it may (`plan`: is there one)",
    "manual": "one `power` that a person gave, until the lease ends (at most 24 h); then `auto`",
    "local": "a person steers at the device: dispatch sends nothing. What was told last stands until its command runs "
    f"out, up to {COMMAND_TTL:.0f} s; then the bridge brings the battery to its fallback. `until` is optional",
    "lockout": "the PCS is stopped and stays so, until a named person asks for `auto`",
}
"""As dispatch takes them."""

POWER = """\
They hold for all batteries of the site together. `power` of a manual request is in W, positive discharges and negative
charges; it is the sum of all batteries, which dispatch shares among those that can be steered."""


def _grid_mode(mode: Mode) -> list[str]:
    """What becomes of a wish for a grid mode: at rest, and while the PCS runs."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    held = Control(ControlMode(at=now, mode=mode, who="anna"))
    wish = ControlRequest(at=now, action=Action.GRID_FORMING, who="anna", why="island test")
    found = [act(held, wish, "the PCS", state=state, able=[Action.GRID_FORMING]) for state in ("off", "running")]
    return ["followed" if no is None else f"refused: `{no.cause}`" for no in found]


def control() -> str:
    """docs/control.md"""
    authority = [[f"`{one.value}`", str(one.rank + 1)] for one in Authority]
    stages = [
        [f"`{goal.value}`", stage.value, f"{PATIENCE[stage]:.0f} s"]
        for goal, stages in STAGES.items()
        for stage in stages
    ]
    writes = [[f"`{life.value}`", LIVES[life], "yes" if written else "no"] for life, written in WRITES.items()]
    return page(
        "# Control",
        INTRO,
        "## The life of a command",
        "What stands in brackets happens without a word. What is said is an [outcome](topics.md#deviceoutcome).",
        f"```mermaid\n{command_life.diagram()}\n```",
        table(["state", "outcome", "meaning"], _stages()),
        "## The life of a device",
        f"```mermaid\n{device_life.diagram()}\n```",
        table(["state", "meaning", "written to"], writes),
        STATUS,
        "## Start and stop",
        "A contactor is open, closed, unknown or not ours, and unknown is none of the others: no inverter starts on "
        "it. Each stage is told once and has its time.",
        table(["goal", "stage", "at most"], stages),
        "## Limits",
        "The names in `limited_by` of an outcome, strongest first. A later one narrows what the earlier ones left.",
        table(["limit", "meaning"], [[f"`{name}`", MEANS[name]] for name in sources()]),
        "## Limits of the grid connection",
        LIMITED,
        "## A plan's policy",
        POLICY,
        "## Curtailed PV",
        CURTAILED,
        "## Reactive power",
        REACTIVE,
        "## Trials of the meter",
        TRIALS,
        "## Grid mode",
        "`grid_following` or `grid_forming` is asked for by a named person who says why. The PCS must be at rest: off, "
        "in standby or asleep, whoever brought it there. So it is followed in `auto` as well while the PCS is off; "
        "when dispatch starts it then, it runs in that grid mode. The bridge looks once more before it tells the PCS.",
        table(["mode", "PCS at rest", "PCS runs"], [[f"`{mode}`", *_grid_mode(mode)] for mode in Mode]),
        "## Modes",
        "Who steers the battery; asked for on [`control/request`](topics.md#controlrequest).",
        POWER,
        table(
            ["mode", "meaning", "may be followed by"],
            [[f"`{mode}`", MODES[mode], ", ".join(sorted(NEXT[mode]))] for mode in Mode],
        ),
        "## Authority",
        "The strongest first. A source may claim no more than the site file's `command_sources` says.",
        table(["authority", "rank"], authority),
    )
