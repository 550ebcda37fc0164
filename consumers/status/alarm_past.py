"""What the archive tells of alarms: their changes, who was told, and how the point went before one was raised."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from consumers.status.alarms import Row, row
from consumers.status.answers import Answers
from consumers.status.archive import Archive
from consumers.status.series import WIDTHS, Means
from consumers.status.state import Moment, State
from runtime.alarm_history import changes, told, without_repeats
from runtime.alarm_words import notified
from runtime.history import History
from schemas.messages import Alarm, AlarmState, Notified
from schemas.printable import cell
from schemas.units import utc_now

MOST = 2000
"""Changes in one answer; the newest."""
BEFORE, AFTER = timedelta(minutes=30), timedelta(hours=24)
"""Of a trend: so long before an alarm was raised, and behind it at most."""
INTERVALS = 400
LONGEST = timedelta(days=31)
"""An alarm that is over is looked for so far back."""
COLUMNS = (
    "at",
    "alarm",
    "state",
    "active",
    "priority",
    "device",
    "what",
    "value",
    "limit",
    "unit",
    "by",
    "why",
    "comment",
)
TOLD = ("told", "people", "channel", "message")
"""Of a line that says who was told."""
SILENT = "the archive cannot be read"


class AlarmPast:
    """Each question is asked once, whoever asks it."""

    def __init__(self, state: State, history: History, archive: Archive, moment: Callable[[], Moment]) -> None:
        self.state = state
        self.history = history
        self.archive = archive
        self.moment = moment
        self._changes: Answers[tuple[float, str | None], dict[str, Any]] = Answers(self._changed)
        self._trends: Answers[tuple[str, str, datetime], dict[str, Any] | None] = Answers(self._trend)

    async def changes(self, hours: float, alarm: str | None = None) -> dict[str, Any]:
        """What alarms did in the last hours, and who was told, each newest first; `more` says that there was more.
        Raises Busy."""
        found = await self._changes.to((hours, alarm))
        rows = [_changed(self.state, name, one, self.moment()) for name, one in found["changes"]]
        return found | {"changes": rows, "told": [_told(one) for one in found["told"]]}

    async def explain(self, name: str) -> dict[str, Any] | None:
        """One alarm, and how its point went around it; None for one that nobody knows. Raises Busy."""
        alarm = self.state.alarms.get(name)
        if alarm is None:
            found = await self._changes.to((LONGEST.total_seconds() / 3600, name))
            if found["fault"]:
                return {"fault": found["fault"], "alarm": None, "trend": None}
            alarm = next((one for _, one in found["changes"] if one.state is not AlarmState.NORMAL), None)
        if alarm is None:
            return None
        told = {"fault": "", "alarm": row(self.state, name, alarm, self.moment()), "trend": None}
        if (point := self._drawn(alarm)) is None:
            return told
        trend = await self._trends.to((alarm.device, point, alarm.since))
        return told | {"trend": trend, "fault": SILENT if trend is None else ""}

    def _drawn(self, alarm: Alarm) -> str | None:
        """The point whose curve explains it: its own, or of a device that was silent one that shows the gap."""
        profile = self.state.site.profiles.get(alarm.device)
        points = profile.points if profile else {}
        if alarm.silent:
            return next((one for one in ("p", "soc", *points) if one in points), None)
        return alarm.point if alarm.point in points else None

    async def _changed(self, question: tuple[float, str | None]) -> dict[str, Any]:
        hours, alarm = question
        end = utc_now()
        site, names = self.state.site.site, [alarm] if alarm else []
        asked = changes(self.history.engine, site, end - timedelta(hours=hours), end, names, MOST + 1)
        found = await self.archive.answer(asked)
        messages = None
        if found is not None:
            listening = told(self.history.engine, site, end - timedelta(hours=hours), end, names, MOST + 1)
            messages = await self.archive.answer(listening)
        more = len(found or []) > MOST or len(messages or []) > MOST
        newest = [*reversed(without_repeats(found or []))]
        fault = SILENT if found is None or messages is None else ""
        return {"fault": fault, "more": more, "changes": newest[:MOST], "told": [*reversed(messages or [])][:MOST]}

    async def _trend(self, question: tuple[str, str, datetime]) -> dict[str, Any] | None:
        """Means of a point, in intervals of `seconds` that each begin at `at`."""
        device, point, since = question
        start, end = since - BEFORE, min(utc_now(), since + AFTER)
        poll = self.state.site.named(device).poll
        fit = (one for one in WIDTHS if (end - start).total_seconds() / one <= INTERVALS and one >= 2 * poll)
        seconds = next(fit, WIDTHS[-1])
        means: Means | None = []
        if start < end:  # else a clock was wrong
            asked = self.history.means(self.state.site.site, device, point, start, end, seconds)
            means = await self.archive.answer(asked)
        if means is None:
            return None
        found = self.state.site.profiles[device].points[point]
        return {
            "point": point,
            "unit": found.unit,
            "start": start.timestamp(),
            "end": end.timestamp(),
            "seconds": seconds,
            "at": [at.timestamp() for at, _ in means],
            "mean": [mean for _, mean in means],
        }


def _changed(state: State, name: str, alarm: Alarm, now: Moment) -> Row:
    every = row(state, name, alarm, now)
    return {column: every[column] for column in (*COLUMNS, "service", "silent", "battery")}


def _told(one: Notified) -> Row:
    return one.model_dump(mode="json") | {"words": notified(one)}


def as_csv(changes: Sequence[Row], told: Sequence[Row] = ()) -> str:
    """The changes as a table, and who was told of them: a line for each alarm of a message. A text that a spreadsheet
    would take for a formula gets a quote in front."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (*COLUMNS, *TOLD), restval="", extrasaction="ignore")
    writer.writeheader()
    lines = [{column: one[column] for column in COLUMNS} for one in changes]
    lines += [
        {"at": one["at"], "alarm": name, "told": one["result"], "people": " ".join(one["people"])}
        | {"channel": one["channel"], "message": one["id"], "why": one["why"]}
        for one in told
        for name in one["alarms"]
    ]
    writer.writerows(
        {name: cell(value) for name, value in line.items()} for line in sorted(lines, key=_at, reverse=True)
    )
    return text.getvalue()


def _at(line: Row) -> datetime:
    return datetime.fromisoformat(line["at"])
