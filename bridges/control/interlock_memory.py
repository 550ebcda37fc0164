"""The interlocks on disk: one that acts, or waits for a person, does so after a restart. Pure: text in, text out."""

import json
from collections.abc import Container, Sequence
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_state import TABLES, Event, State
from bridges.control.interlocks import Entry, Memory
from schemas.units import Instant

KEPT = (State.ACTIVE, State.LATCHED)
"""Whatever else is found again by looking."""

_moment = TypeAdapter(Instant)


def keep(memory: Memory, now: float, at: datetime) -> str:
    """As it goes to disk, whenever a judgement has changes. `now` and `at` are one moment on both clocks."""
    kept = {
        name: {
            "state": entry.state.value,
            "since": (at - timedelta(seconds=max(0.0, now - entry.since))).isoformat(timespec="seconds"),
            "reason": entry.reason,
        }
        for name, entry in memory.entries.items()
        if entry.state in KEPT
    }
    return json.dumps(kept, indent=1, sort_keys=True)


def recall(text: str | None, locks: Sequence[Interlock], now: float, at: datetime) -> tuple[Memory, list[str]]:
    """What was kept (None: there is no file), and the names in it that no interlock has any more.

    A text that cannot be read hides what was latched: then every interlock that waits for a person does.
    """
    try:
        kept = {} if text is None else _read(text, now, at)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as wrong:
        why = f"what was kept of it cannot be read ({type(wrong).__name__}): look at its cause, then reset"
        latching = [lock.name for lock in locks if lock.rule.reset == "operator"]
        return Memory({name: Entry(State.LATCHED, now, why) for name in latching}), []
    tables = {lock.name: TABLES[lock.rule.reset] for lock in locks}
    entries = {name: _fitting(entry, tables[name]) for name, entry in kept.items() if name in tables}
    return Memory(entries), sorted(kept.keys() - tables.keys())


def _read(text: str, now: float, at: datetime) -> dict[str, Entry]:
    found = {}
    for name, said in json.loads(text).items():
        state, age = State(said["state"]), (at - _moment.validate_python(said["since"])).total_seconds()
        if state not in KEPT:
            raise ValueError(f"{name}: {state} is never kept")
        found[str(name)] = Entry(state, now - max(0.0, age), str(said["reason"]))
    return found


def _fitting(entry: Entry, table: Container[tuple[State, Event]]) -> Entry:
    """One whose rule ends by itself since then does not wait for a person any more, but for its cause to be gone."""
    return entry if (entry.state, Event.RIGHT) in table else Entry(State.ACTIVE, entry.since, entry.reason)
