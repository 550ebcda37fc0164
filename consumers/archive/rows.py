"""What was heard becomes rows: one per message, sorted by key, twins dropped, and what is not valid a dead letter."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy import Table

from runtime import kept_plans
from runtime.heard import Heard, find, read
from schemas import messages as m
from schemas import tables, topics
from schemas.alarm_figures import AlarmWatch
from schemas.alarm_name import LONGEST_ALARM

Row = dict[str, Any]
Place = dict[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, the table it belongs to, and the message it was made of."""

    table: Table
    key: tuple[Any, ...]
    row: Row
    heard: Heard[Any]


class Identity(m.Message):
    """What names a sample or an event for ever; legible in many a message that is not valid otherwise."""

    epoch: m.Epoch
    seq: m.Seq


FUTURE = timedelta(minutes=5)
"""How far the clock of a bridge may be ahead of ours."""
EXACT = 2.0**53
"""Below it every whole float is one integer and no other."""
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A clock that was never set says 1970."""


def sort_out(batch: Iterable[Heard[Any]], now: datetime, oldest: datetime = OLDEST) -> tuple[list[Entry], Counter[str]]:
    """The rows of a batch in the order of their keys, and how many were twins of another, by the name of their table.

    What is also told as an event comes twice by design.

    Telemetry from before `oldest`, or from the future, is kept aside.

    Sorted, because two writers that lock rows in different orders deadlock: 13-29 % of batches unsorted, none sorted.
    """
    found: dict[tuple[str, tuple[Any, ...]], Entry] = {}
    twins = Counter[str]()
    for number, heard in enumerate(map(told, batch)):
        if heard.message is None and not heard.fault:
            continue  # a retained topic was cleared, or there is nothing to record
        entry = _entry(heard) if heard.message is not None else dead(heard, heard.fault, now)
        if entry.table is tables.telemetry and not oldest <= entry.row["at"] <= now + FUTURE:
            entry = _aside(entry, now)
        if reason := _misfit(entry):
            entry = dead(heard, reason, now)
        key = entry.key or (number,)
        twins[entry.table.name] += (entry.table.name, key) in found
        found.setdefault((entry.table.name, key), entry)
    return [found[name] for name in sorted(found)], twins


def told(heard: Heard[Any]) -> Heard[Any]:
    """The message an event tells of, as if it were heard where it was said; any other message as it is."""
    event = heard.message
    if not isinstance(event, m.Event):
        return heard
    topic, place = find(event.topic) or (None, {})
    ours = place.get("site") == heard.place["site"]
    if topic not in (*SAID, *NO_ROW) or not ours or not _writes(heard.place["service"], topic):
        return replace(heard, message=None, fault=f"topic: {heard.place['service']} does not say {event.topic}")
    message, fault = read(topic, to_json(event.payload))
    if message is None:
        return replace(heard, message=None, fault=f"payload: {fault}")
    if topic in NO_ROW:
        return replace(heard, message=None, fault="")
    return replace(heard, topic=topic, place=place, message=message)


def _writes(service: str, topic: topics.Topic[Any]) -> bool:
    """Whether a service may say it; one that is none of the known parts is a bridge with a name of its own."""
    known = service in topics.SERVICE_STATUS.writers
    return (service if known else "bridge") in topic.writers


def dead(heard: Heard[Any], reason: str, now: datetime) -> Entry:
    """A message that cannot be stored where it belongs. It has no key: two equal ones are two."""
    row = {
        "received": now,
        "topic": heard.topic.at(**heard.place)[:512],
        "reason": reason[:500],
        "payload": heard.payload[: tables.PAYLOAD_CUT],
    }
    return Entry(tables.dead_letter, (), row, heard)


def _aside(entry: Entry, now: datetime) -> Entry:
    """A sample whose time cannot be right: it would lie where nobody looks, or poison a rollup."""
    row, said = entry.row, entry.heard.message
    wrong = "from the future" if row["at"] > now else "impossibly old"
    kept = {name: row[name] for name in ("site", "device", "epoch", "seq", "at")}
    kept |= {"received": now, "reason": f"clock: {wrong}", "body": _text(said)}
    return Entry(tables.quarantine, tuple(row[name] for name in _KEYS["quarantine"]), kept, entry.heard)


CONFIRMED = {topics.TELEMETRY.template: topics.ARCHIVED, topics.SERVICE_EVENT.template: topics.SERVICE_ARCHIVED}
"""What is sent again until it is confirmed, and where it is confirmed."""


def confirmations(batch: Iterable[Heard[Any]]) -> list[tuple[topics.Topic[m.Archived], Place, m.Archived]]:
    """Where to say what may be forgotten once this batch is committed: samples of a device, events of a service.

    A dead letter counts, when it says which one it is: it would be sent again for ever.
    """
    seqs: dict[tuple[str, tuple[tuple[str, str], ...], str], set[int]] = defaultdict(set)
    for heard in batch:
        if heard.topic.template in CONFIRMED and (one := _identity(heard)):
            seqs[heard.topic.template, tuple(heard.place.items()), one.epoch].add(one.seq)
    return [
        (CONFIRMED[said], dict(place), m.Archived(epoch=epoch, ranges=ranges(known)))
        for (said, place, epoch), known in seqs.items()
    ]


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The fewest ranges, first and last included, that hold exactly these numbers."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _identity(heard: Heard[Any]) -> m.Telemetry | m.Event | Identity | None:
    if isinstance(heard.message, m.Telemetry | m.Event):
        return heard.message
    try:
        return Identity.model_validate_json(heard.payload)
    except ValidationError:
        return None


def _entry(heard: Heard[Any]) -> Entry:
    table, row = _ROWS[heard.topic.template](heard.place, heard.message)
    if heard.topic is topics.MARKET_PRICES:
        row["body"] = heard.payload.decode()  # letter by letter: who prices by it looks at the signature
    return Entry(table, tuple(row[column] for column in _KEYS[table.name]), row, heard)


def _misfit(entry: Entry) -> str:
    """Why a key does not fit its column. MariaDB would say so, SQLite would store it."""
    for column, part in zip(_KEYS[entry.table.name], entry.key, strict=False):
        most = _LONGEST.get(column, tables.LONGEST_NAME)
        if isinstance(part, str) and (len(part) > most or not part.isascii()):
            return f"{column}: more than {most} letters, or other letters than ASCII"
    return ""


def _text(content: object) -> str:
    """As it was said: what is absent there is absent here."""
    return to_json(content, exclude_none=True).decode()


def _short(value: m.Value) -> m.Value | int:
    """20 for 20.0, the same number in JSON: a tenth of the telemetry was `.0`."""
    return int(value) if type(value) is float and value.is_integer() and -EXACT < value < EXACT else value


def _telemetry(place: Place, said: m.Telemetry) -> tuple[Table, Row]:
    return tables.telemetry, {
        **place,
        "at": said.at,
        "epoch": said.epoch,
        "seq": said.seq,
        "historical": said.historical,
        "points": _text({name: _short(value) for name, value in said.values.items()}),
        "quality": _text(said.quality) if said.quality else None,
    }


def _command(place: Place, said: m.Command) -> tuple[Table, Row]:
    more = {"id": said.id, "until": said.until, "source": said.source, "authority": said.authority.value}
    return tables.command, {**place, "at": said.at, **more, "body": _text(said)}


def _outcome(place: Place, said: m.Outcome) -> tuple[Table, Row]:
    return tables.outcome, {**place, "at": said.at, "id": said.id, "state": said.state.value, "body": _text(said)}


def _alarm(place: Place, said: m.Alarm) -> tuple[Table, Row]:
    more = {"state": said.state.value, "priority": said.priority.value}
    return tables.alarm, {**place, "at": said.at, **more, "body": _text(said)}


def _device_status(place: Place, said: m.DeviceStatus) -> tuple[Table, Row]:
    return tables.device_status, {**place, "at": said.at, "state": said.state.value, "body": _text(said)}


def _plan(place: Place, said: m.Plan) -> tuple[Table, Row]:
    kept = {"body": kept_plans.forecasts(said), "packed": kept_plans.pack(said)}
    return tables.plan, {**place, "at": said.at, "id": said.id, "until": said.until, **kept}


Wish = (
    m.ControlMode | m.ControlRequest | m.AlarmRequest | m.RequestOutcome | m.GridLimitRequest | m.ControlLimits
    | m.MarketPrices | m.NotifyRequest | m.Notified | AlarmWatch
)  # fmt: skip
"""What stands in the table of control: who wanted what, what became of it, and what holds."""


def _control(topic: str) -> Callable[[Place, Any], tuple[Table, Row]]:
    def row(place: Place, said: Wish) -> tuple[Table, Row]:
        key = {"site": place["site"], "at": said.at, "topic": topic, "subject": place.get("alarm", _subject(said))}
        return tables.control, {**key, "who": _who(said)[: tables.LONGEST_NAME], "body": _text(said)}

    return row


def _subject(said: Wish) -> str:
    """The alarm it is about, where the address does not say it: none where there are several."""
    return said.alarms[0] if isinstance(said, m.Notified) and len(said.alarms) == 1 else ""


def _who(said: Wish) -> str:
    match said:
        case m.GridLimitRequest():
            return said.source
        case m.ControlLimits():
            return said.held[0].source if said.held else "site"
        case m.MarketPrices():
            return "market"
        case AlarmWatch():
            return "alarms"
        case m.Notified():
            return ",".join(said.people)
        case _:
            return said.who


_ROWS: dict[str, Callable[[Place, Any], tuple[Table, Row]]] = {
    topics.TELEMETRY.template: _telemetry,
    topics.COMMAND.template: _command,
    topics.OUTCOME.template: _outcome,
    topics.DEVICE_STATUS.template: _device_status,
    topics.ALARM.template: _alarm,
    topics.PLAN.template: _plan,
    **{
        topic.template: _control(topic.name)
        for topic in (
            *(topics.ALARM_REQUEST, topics.ALARM_MAINTENANCE, topics.ALARM_OUTCOME, topics.ALARM_WATCHED),
            *(topics.CONTROL_MODE, topics.CONTROL_REQUEST, topics.CONTROL_OUTCOME),
            *(topics.GRID_LIMIT, topics.CONTROL_LIMITS, topics.MARKET_PRICES),
            *(topics.NOTIFY_REQUEST, topics.NOTIFY_OUTCOME, topics.NOTIFY_TOLD),
        )
    },
}
SAID = tuple(topic for topic in topics.TOPICS if topic.template in _ROWS and topic is not topics.TELEMETRY)
"""What is said and done. It is heard where it is said, and again as an event while that is not confirmed: one row."""
NO_ROW = (topics.META,)
"""What is told as an event, too, and is no story: what it says now is all there is. It is confirmed, and no row."""
KEPT = (topics.TELEMETRY, *SAID, topics.SERVICE_EVENT)
"""The topics the archive listens to."""

_LONGEST = {"alarm": LONGEST_ALARM, "subject": LONGEST_ALARM}
"""Letters of names, by column, where they are more than others have."""
_KEYS = {table.name: [column.name for column in table.primary_key] for table in tables.metadata.sorted_tables}
