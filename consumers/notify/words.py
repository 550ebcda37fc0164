"""What people read: a title, a text, and 160 characters for a phone. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from consumers.notify.flood import Entry, counted
from runtime.alarm_words import number
from schemas.labels import label
from schemas.messages import Alarm, AlarmState
from schemas.printable import printable

SHORT = 160
"""Characters of a text message."""
MOST_LISTED = 40
"""Alarms that a digest writes out."""
LONGEST_TITLE = 120


@dataclass(frozen=True)
class Text:
    title: str
    body: str
    short: str


@dataclass(frozen=True)
class Words:
    """Of one site."""

    site: str
    """Its title."""
    zone: ZoneInfo
    page: str | None = None

    def alarm(
        self,
        name: str,
        alarm: Alarm,
        explains: Mapping[str, Alarm],
        link: str | None,
        *,
        again: bool,
        short_link: str | None = None,
    ) -> Text:
        """An alarm that is raised. `link` acknowledges it, and so does `short_link`, which may fit a text message."""
        about = _about(alarm)
        title = f"{self.site}: {alarm.priority.upper()}{' again' if again else ''}: {about}"
        facts = [
            alarm.text if not alarm.cause else alarm.cause,
            alarm.consequence and f"What comes of it: {alarm.consequence}",
            alarm.response and f"What to do: {alarm.response}",
            self._respond(alarm),
            self._measured(alarm),
            alarm.did and f"Control: {alarm.did}",
            f"Since {self._clock(alarm.since)}.",
            explains and f"It explains: {', '.join(_named(*one).rstrip('.') for one in sorted(explains.items()))}.",
            f"Alarm {name}",
            link and f"Acknowledge: {link}",
            self.page and f"Page: {alarm_url(self.page, name)}",
        ]
        return _text(title, [one for one in facts if one], short_link, link, self.page)

    def over(self, name: str, alarm: Alarm) -> Text:
        """An alarm that was told is over."""
        title = f"{self.site}: over: {_about(alarm)}"
        facts = [f"It is over, since {self._clock(alarm.at)}; it came {self._clock(alarm.since)}.", f"Alarm {name}"]
        return _text(title, [*facts, *([f"Page: {alarm_url(self.page, name)}"] if self.page else [])])

    def line(self, name: str, alarm: Alarm) -> str:
        """One alarm of a digest."""
        measured = self._measured(alarm)
        return f"{alarm.priority}: {_named(name, alarm)}{f' ({measured})' if measured else ''}"

    def _measured(self, alarm: Alarm) -> str:
        if alarm.silent:  # how long it lasts would be wrong when it is read
            return "" if alarm.began is None else f"nothing was heard since {self._clock(alarm.began)}"
        if alarm.value is None:
            return ""
        value = f"{_measures(alarm)}{number(alarm.value, alarm.unit)}"
        if alarm.limit is None or alarm.limit == alarm.value:  # a state is its own limit
            return value
        return f"{value}, limit {number(alarm.limit, alarm.unit)}"

    def digest(
        self, entries: Sequence[Entry], now_of: Mapping[str, Alarm], link: str | None = None, linked: int = 0
    ) -> Text:
        """Several at once, the gravest first. `link` acknowledges so many of those that are written out."""
        quiet = all(one.why == "quiet" for one in entries)
        many = f"{len(entries)} alarm{'s'[: len(entries) != 1]}"
        title = f"{self.site}: {many}{' from your quiet hours' if quiet else ''}: {counted(entries)}"
        lines = [f"{one.line}, {self._since(one)}: {_state(one, now_of)}" for one in entries[:MOST_LISTED]]
        if len(entries) > MOST_LISTED:
            lines.append(f"and {len(entries) - MOST_LISTED} more")
        if link:
            lines.append(f"Acknowledge {'this one' if linked == 1 else f'these {linked}'}: {link}")
        return _text(title, [*lines, *([f"Page: {self.page}"] if self.page else [])], link, self.page)

    def test(self, channel: str, now: datetime) -> Text:
        """Proves that a channel arrives."""
        title = f"{self.site}: a test of joulebus"
        body = f"This is a test by channel {channel}, sent {self._clock(now)}. Nothing is wrong; nothing is to be done."
        return _text(title, [body, *([f"Page: {self.page}"] if self.page else [])])

    def _since(self, entry: Entry) -> str:
        often = f"{entry.times} times, the last one " if entry.times > 1 else ""
        return f"{often}since {self._clock(entry.since)}"

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%a %d %b %H:%M:%S %Z}"

    def _respond(self, alarm: Alarm) -> str:
        if alarm.time_to_respond is None:
            return ""
        minutes = alarm.time_to_respond / 60
        return f"Time to respond: {f'{minutes:.0f} min' if minutes >= 2 else f'{alarm.time_to_respond:.0f} s'}."


def ack_url(page: str, token: str) -> str:
    return f"{page.rstrip('/')}/ack/{quote(token, safe='')}"


def alarm_url(page: str, name: str) -> str:
    """Where the page shows this alarm alone."""
    return f"{page.rstrip('/')}/alarms#{quote(name, safe='')}"


def _text(title: str, lines: Sequence[str], *links: str | None) -> Text:
    """In the short form the first link that has room, whole."""
    title = printable(title, LONGEST_TITLE)
    short = title
    if len(title) > SHORT:
        short = title[: SHORT - 3] + "..."
    link = next((one for one in links if one and len(short) + 1 + len(one) <= SHORT), None)
    if link:
        short = f"{short} {link}"
    return Text(title, "\n".join(printable(one, 2000) for one in lines), short)


def _about(alarm: Alarm) -> str:
    """In few words: the cause, else the first sentence of the text."""
    words = alarm.cause or alarm.text.partition(". ")[0]
    return f"{alarm.device}: {words}" if words else alarm.device


def _named(name: str, alarm: Alarm) -> str:
    return f"{alarm.device}: {alarm.cause}" if alarm.cause else name


def _measures(alarm: Alarm) -> str:
    """The point before its value. What a rate or a difference of it is, is not the point: that has another unit."""
    behind = alarm.condition.removeprefix(f"{alarm.point} ")
    itself = not alarm.condition or (behind != alarm.condition and behind[0] not in "+-*/")
    return f"{label(alarm.point)} " if itself or isinstance(alarm.value, str) else ""


def _state(entry: Entry, now_of: Mapping[str, Alarm]) -> str:
    alarm = now_of.get(entry.alarm)
    if alarm is None or alarm.since != entry.since or alarm.state in (AlarmState.RETURNED, AlarmState.NORMAL):
        return "over"
    if alarm.state in (AlarmState.ACKNOWLEDGED, AlarmState.LATCHED):
        return f"acknowledged by {alarm.by}" if alarm.by else "acknowledged"
    return str(alarm.state).replace("_", " ")
