"""What is known of a device, and who has it: one table. Pure. A missing key is an error of ours."""

from enum import StrEnum


class Life(StrEnum):
    UNKNOWN = "unknown"  # not read since the bridge began
    KNOWN = "known"  # read, and a valid command holds, or the first one is waited for
    FALLBACK = "fallback"  # no valid command is left: it is told what was declared safe
    LOCAL = "local"  # steered at its own panel: it is watched, and nothing is written
    OFFLINE = "offline"  # it does not answer; what must be written is tried all the same


class Turn(StrEnum):
    """What happens to it."""

    READ = "read"
    SILENT = "silent"
    TAKEN_OVER = "taken_over"  # it says that it is steered at its panel
    COMMAND = "command"
    RAN_OUT = "ran_out"


_L, _T = Life, Turn
_OF: dict[Life, dict[Turn, Life]] = {
    _L.UNKNOWN: {
        _T.READ: _L.KNOWN, _T.SILENT: _L.UNKNOWN, _T.TAKEN_OVER: _L.LOCAL, _T.COMMAND: _L.UNKNOWN,
        _T.RAN_OUT: _L.FALLBACK,
    },
    _L.KNOWN: {
        _T.READ: _L.KNOWN, _T.SILENT: _L.OFFLINE, _T.TAKEN_OVER: _L.LOCAL, _T.COMMAND: _L.KNOWN,
        _T.RAN_OUT: _L.FALLBACK,
    },
    _L.FALLBACK: {
        _T.READ: _L.FALLBACK, _T.SILENT: _L.FALLBACK, _T.TAKEN_OVER: _L.LOCAL, _T.COMMAND: _L.KNOWN,
        _T.RAN_OUT: _L.FALLBACK,
    },
    # Given back, it waits for a command as one that was just met: nothing of what held before counts.
    _L.LOCAL: {
        _T.READ: _L.FALLBACK, _T.SILENT: _L.LOCAL, _T.TAKEN_OVER: _L.LOCAL, _T.COMMAND: _L.LOCAL, _T.RAN_OUT: _L.LOCAL,
    },
    _L.OFFLINE: {
        _T.READ: _L.KNOWN, _T.SILENT: _L.OFFLINE, _T.TAKEN_OVER: _L.LOCAL, _T.COMMAND: _L.OFFLINE,
        _T.RAN_OUT: _L.FALLBACK,
    },
}  # fmt: skip

NEXT: dict[tuple[Life, Turn], Life] = {
    (life, turn): after for life, turns in _OF.items() for turn, after in turns.items()
}

WRITES: dict[Life, bool] = {
    Life.UNKNOWN: False, Life.KNOWN: True, Life.FALLBACK: True, Life.LOCAL: False, Life.OFFLINE: True,
}  # fmt: skip
"""Whether it is written to at all."""


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    lines = [f"    {a.value} --> {b.value}: {turn.value}" for (a, turn), b in NEXT.items() if a is not b]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Life.UNKNOWN.value}", *lines])
