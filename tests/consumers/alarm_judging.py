"""Whether SCADA saw of each row what is meant. What a machine that stood still may have made is told again."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from tests.consumers.alarm_rows import PULSE, Row
from tests.consumers.alarm_stage import Seen, Stage
from tests.timed import in_time

LATE, BEAT = 0.45, 0.95
"""Seconds that this machine may lose before what is wrong may be its own doing, for delays end in the middle between
two readings; and before a change is one of the next reading. Then the story is told again."""


@dataclass(frozen=True)
class Meant:
    text: str
    at: float
    by_clock: bool
    state: str
    active: bool
    began: float | None


def judge(stage: Stage, *, steps: bool = False, beside: Collection[str] = ()) -> None:
    """All rows. `beside`: alarms that may come as well. `steps`: clocks were set, so that what the service says of
    times is not compared."""
    wrong = [words for device, row in stage.rows.items() for words in _judge(stage, device, row, steps)]
    if wrong:
        in_time(stage.late < LATE and _stood(stage) < LATE, "this machine stood still: " + "\n".join(wrong))
    assert not wrong, "\n".join(wrong)
    assert not _strangers(stage) - {*beside}, "nothing else is raised"


def _stood(stage: Stage) -> float:
    """The most by which the service was behind the readings of the device that is wrong each second second."""
    late = 0.0
    for one in stage.changes(f"hot-{PULSE}"):
        active = one.alarm is not None and one.alarm.active
        said = [at for at, reading in stage.said[PULSE] if (reading.values["x"] > 30) is active]
        late = max([late, *[one.at - at for at in said if at <= one.at][-1:]])
    return late


def _strangers(stage: Stage) -> set[str]:
    known = {f"{rule}-{device}" for device, row in stage.rows.items() for rule in _sees(row)}
    return {one.name for one in stage.seen} - known - {f"hot-{PULSE}"}


def _judge(stage: Stage, device: str, row: Row, steps: bool) -> list[str]:
    wrong = []
    for rule, text in _sees(row).items():
        meant = [_meant(one) for one in text.split(", ") if one]
        came = stage.changes(f"{rule}-{device}")
        if [one.state for one in meant] != [f"{one.alarm.state}" for one in came if one.alarm]:
            had = ", ".join(f"{one.at:.1f} {one.alarm.state}" for one in came if one.alarm)
            wrong.append(f"{rule}-{device}: {text or 'nothing'} is meant, and it was: {had or 'nothing'}")
            continue
        for want, one in zip(meant, came, strict=True):
            wrong += [f"{rule}-{device}: {want.text}: {words}" for words in _compare(stage, want, one, steps)]
    asked = [(f"{device}: {ask}", ask.rpartition(" -> ")[2]) for ask in row.asks]
    wrong += [
        f"{ask}: the broker did not forbid it"
        for ask, end in asked
        if end == "forbidden" and ask not in stage.forbidden
    ]
    wanted = [end for _, end in asked if end != "forbidden"]
    told = [said.cause or "followed" for name, said in stage.answers if name.endswith(f"-{device}")]
    return wrong if wanted == told else [*wrong, f"{device}: the answers were {told}, and not {wanted}"]


def _compare(stage: Stage, want: Meant, seen: Seen, steps: bool) -> list[str]:
    alarm = seen.alarm
    assert alarm is not None
    slack = 1.2 if want.by_clock else 0.0
    patience = 3.0 if steps else BEAT
    in_time(-LATE < seen.at - want.at < patience + slack, f"{seen.name}: {want.text}: it came at {seen.at:.2f}")
    wrong = []
    if alarm.active is not want.active:
        wrong.append(f"active is {alarm.active}")
    if not steps:
        at = stage.second(alarm.at)
        in_time(abs(seen.at - at) < BEAT, f"{seen.name}: {want.text}: it says {at:.2f} and came at {seen.at:.2f}")
    if want.began is not None and not steps:
        began = stage.second(alarm.began) if alarm.began else None
        if began is None or abs(began - want.began) > LATE:
            wrong.append(f"began is {began}")
    return wrong


def _meant(text: str) -> Meant:
    found = re.fullmatch(r"([\d.]+)(~?) ([a-z_]+)([+-]?)(?: from ([\d.]+))?", text)
    assert found is not None, text
    at, by_clock, state, mark, began = found.groups()
    active = mark == "+" if mark else state in ("unacknowledged", "acknowledged")
    return Meant(text, float(at), bool(by_clock), state, active, None if began is None else float(began))


def _sees(row: Row) -> dict[str, str]:
    return row.sees if isinstance(row.sees, dict) else {"hot": row.sees}
