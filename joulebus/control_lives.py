"""The page about control: the life of a command, of a device, and its start and stop."""

from bridges.control import command_life, device_life
from bridges.control.command_life import Stage
from bridges.control.device_life import WRITES, Life
from bridges.control.sequence import PATIENCE, STAGES
from joulebus.words import table
from schemas.messages import OutcomeState

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


START_STOP = (
    "A contactor is open, closed, unknown or not ours, and unknown is none of the others: no inverter starts on "
    "it. Each stage is told once and has its time."
)


def _stages() -> list[list[str]]:
    """Each state, the outcome that says it, and what it means."""
    rows = []
    for stage in Stage:
        said = {told for after, told in command_life.NEXT.values() if after is stage and told}
        outcomes = ", ".join(sorted(f"`{one}`" for one in said - ASIDE.keys())) or "none"
        rows.append([f"`{stage}`", outcomes, STAGES_OF[stage]])
    return [*rows, *(["none", f"`{one}`", words] for one, words in ASIDE.items())]


def sections() -> list[str]:
    """Of the page, in their order."""
    patience = [
        [f"`{goal.value}`", stage.value, f"{PATIENCE[stage]:.0f} s"]
        for goal, stages in STAGES.items()
        for stage in stages
    ]
    writes = [[f"`{life.value}`", LIVES[life], "yes" if written else "no"] for life, written in WRITES.items()]
    return [
        "## The life of a command",
        "What stands in brackets happens without a word. What is said is an [outcome](topics.md#deviceoutcome).",
        f"```mermaid\n{command_life.diagram()}\n```",
        table(["state", "outcome", "meaning"], _stages()),
        "## The life of a device",
        f"```mermaid\n{device_life.diagram()}\n```",
        table(["state", "meaning", "written to"], writes),
        STATUS,
        "## Start and stop",
        START_STOP,
        table(["goal", "stage", "at most"], patience),
    ]
