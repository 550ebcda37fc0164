"""Whom a step of a chain reaches, by which channels, and the hours in which a chain reaches nobody. Pure."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from consumers.notify.calendar import Calendar
from schemas.messages import Alarm
from schemas.site import Site
from schemas.site_notify import Chain, Notify, Step

QUARTER = timedelta(minutes=15)
LOOK = timedelta(days=28)
"""So far `joulebus check` looks for hours without anybody."""
SHOWN = 3
"""Gaps that are written out."""


class Told(NamedTuple):
    """One person, and where they are told."""

    person: str
    channels: tuple[str, ...]


class Reach:
    """The people and channels of a site. `dead` are channels that cannot be used at all."""

    def __init__(self, notify: Notify, calendar: Calendar, dead: Collection[str] = ()) -> None:
        self.notify, self.calendar = notify, calendar
        usable = {one.name for one in notify.channels} - {*dead}
        self._channels = {one.name: [c for c in one.channels if c in usable] for one in notify.person}

    @classmethod
    def of(cls, site: Site, dead: Collection[str] = ()) -> "Reach | None":
        """None where the site tells nobody."""
        if site.notify is None:
            return None
        calendar = Calendar(site.notify.person, site.notify.rota, site.days_off, site.zone)
        return cls(site.notify, calendar, dead)

    def people(self, step: Step, now: datetime) -> list[Told]:
        """Each once, in the order of the file; who has none of the channels is not among them."""
        found: dict[str, Told] = {}
        for name in step.to:
            person = self.calendar.on_call(name, now)
            if person is None or person in found:
                continue
            channels = tuple(one for one in self._channels[person] if not step.via or one in step.via)
            if channels:
                found[person] = Told(person, channels)
        return [*found.values()]

    def quiet(self, person: str, now: datetime) -> bool:
        return self.calendar.quiet(person, now)

    def chains(self, alarm: Alarm) -> list[Chain]:
        """Those that an alarm is for."""
        return [
            one for one in self.notify.chain if alarm.priority in one.priorities and alarm.alarm_class in one.classes
        ]

    def gaps(self, chain: Chain, begin: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From when to when, on the local clock, no step of a chain reaches anybody."""
        at, end, open_since = begin, begin + LOOK, None
        while at < end:
            reached = any(self.people(step, at) for step in chain.step)
            if not reached and open_since is None:
                open_since = at
            elif reached and open_since is not None:
                yield open_since.astimezone(self.calendar.zone), at.astimezone(self.calendar.zone)
                open_since = None
            at += QUARTER
        if open_since is not None:
            yield open_since.astimezone(self.calendar.zone), end.astimezone(self.calendar.zone)


def unreached(site: Site, now: datetime) -> Iterator[tuple[str, str]]:
    """The chains that reach nobody at some hour: the place in the file, and the hours."""
    reach = Reach.of(site)
    if reach is None:
        return
    begin = now.replace(minute=0, second=0, microsecond=0)
    for number, chain in enumerate(reach.notify.chain):
        gaps = [*reach.gaps(chain, begin)]
        if not gaps:
            continue
        spans = ", ".join(f"{start:%a %d %b %H:%M} to {end:%a %d %b %H:%M}" for start, end in gaps[:SHOWN])
        more = f" and {len(gaps) - SHOWN} more" if len(gaps) > SHOWN else ""
        words = f"chain {chain.name!r} reaches nobody from {spans}{more} in the next {LOOK.days} days"
        yield f"notify.chain.{number}.step", f"{words}: an alarm then waits until somebody is on call"
    named = {name for one in reach.notify.person for name in one.channels}
    for number, channel in enumerate(reach.notify.channel):
        if channel.name and channel.name not in named:
            yield f"notify.channel.{number}", f"channel {channel.name!r} is nobody's: name it in a [[notify.person]]"
