"""What changes goes to our disk, then to the archive's outbox and the broker: the shell around the record."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from consumers.alarms.board import Changes
from consumers.alarms.figures.live import Live
from consumers.alarms.record import Record
from runtime.events import SHOWN, Said
from runtime.part import Part
from schemas.messages import Alarm, AlarmState, Cause
from schemas.topics import ALARM
from schemas.units import utc_now

UPKEEP = 5.0
"""Seconds between two looks after the file."""


class Telling:
    """Of one site. One call after the other: changes are heard in their order."""

    def __init__(self, part: Part, figures: Live) -> None:
        self._part, self._figures, self._site = part, figures, part.site.site
        self._record = Record(part.settings.state / f"alarms-{self._site}.db")
        self._before: dict[str, Alarm] = {}
        """What the run before knew, as long as nothing else was said of it."""

    def begin(self) -> dict[str, Alarm]:
        """What our disk knows of the run before."""
        alarms, trouble = self._record.open()
        if trouble:
            self._part.log.warning("%s", trouble)
        self._before = {**alarms}
        return alarms

    async def look_after(self, take: Callable[[dict[str, Alarm]], Awaitable[None]]) -> None:
        """For ever, also without a connection. `take` is told what the run before knew, when its disk comes late."""
        while True:
            self._judge(await asyncio.to_thread(self._record.upkeep))
            if found := await asyncio.to_thread(self._record.found):
                await take(found)
            await asyncio.sleep(UPKEEP)

    async def say(self, changes: Changes) -> None:
        """Raises as `Events.say`; without a connection it is written down, and said with the next one."""
        if not changes:
            return
        # What the broker confirms it may forget.
        self._wrote(await asyncio.to_thread(self._record.write, changes))
        for name, alarm in changes:
            self._before.pop(name, None)
            if alarm.state is AlarmState.UNACKNOWLEDGED and alarm.at == alarm.since:  # not one that has a new reason
                self._part.counts["raised"] += 1
            self._part.log.info("%s is %s (%s)", name, alarm.state, alarm.value)
        await self._publish(changes)

    async def correct(self, shown: Mapping[str, Alarm], stored: Mapping[str, Alarm]) -> None:
        """What was lost while we or the broker were away, and what a changed rule left behind: also where the broker
        has forgotten it, for the archive has not."""
        self._wrote(await asyncio.to_thread(self._record.replace, shown))
        changes = [(name, alarm) for name, alarm in shown.items() if stored.get(name) != alarm]
        left, self._before = {**self._before, **stored}, {}
        changes += [(name, _over(left[name])) for name in sorted(left.keys() - shown.keys())]
        await self._publish(changes)

    async def _publish(self, changes: Changes) -> None:
        """Subscribers hear `normal` once, then the topic is empty: who comes later sees only what is not normal."""
        said: list[Said] = []
        for name, alarm in changes:
            self._figures.hear(name, alarm)
            place = {"site": self._site, "alarm": name}
            said.append((ALARM, alarm, place))
            if alarm.state is AlarmState.NORMAL:
                said.append((ALARM, None, place))
        self._part.counts["active"] = len(self._record)
        await self._part.events.say_all(said)

    def _wrote(self, trouble: str) -> None:
        if trouble:
            self._part.counts["unrecorded"] += 1
        self._judge(trouble)

    def _judge(self, trouble: str) -> None:
        """One line when the disk is lost, one when it is back."""
        causes = self._part.causes
        if aside := self._record.aside():
            causes.add(Cause.OUTBOX, aside, about="set aside", seconds=SHOWN)
        if trouble:
            causes.add(Cause.OUTBOX, f"alarms are kept by the broker alone: {trouble}", about="record")
        else:
            causes.clear(Cause.OUTBOX, about="record", words=f"alarms are written to {self._record.path} again")


def _over(alarm: Alarm) -> Alarm:
    """The last word on an alarm that is known no more: it tells nobody to do anything."""
    words = f"It is over: {alarm.cause}" if alarm.cause else "It is over."
    ends: dict[str, object] = {"shelved_until": None, "out_until": None, "consequence_of": "", "did": ""}
    over: dict[str, object] = {"state": AlarmState.NORMAL, "at": utc_now(), "active": False, "text": words}
    return alarm.model_copy(update={**over, **ends, "requests": []})
