"""Closes pieces of the journal: rows that nobody adds to any more become a segment, in one transaction.

So do the rows an older joulebus left: its chain goes on in segments, some at a time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.chain.journal import (
    ASKED,
    among,
    key_of,
    newest,
    packed_in,
    page,
    reaching,
    readable,
    rows_of,
    sealed,
)
from consumers.archive.chain.links import CHAINED, Head, link_fault, signature, span
from runtime.database import writing
from runtime.segments import Rows, pack, runs
from schemas.tables import journal, run, segment

Row = Mapping[str, Any]

LARGE = 6000
"""Rows of a segment: deleting them holds up what comes for some tenths of a second."""
OLD = timedelta(minutes=30)
"""How long the oldest row waits until its segment is closed."""
FRESH = timedelta(minutes=1)
"""What is younger waits: the outcomes of a command belong with it."""
MOST = 10
"""Segments of one round."""
_STEPS_BACK = 300
"""Rows by which a segment is shorter, so that no command is parted from its outcomes."""
_APART = timedelta(minutes=10)
"""How long before an outcome its command is looked for, and the other way round."""


class Broken(Exception):
    """The journal is not whole: closing it would hide that. Holds what is wrong."""


async def seal(engine: AsyncEngine, site: str, now: datetime, key: str | None = None) -> int:
    """Close what is due; how many segments that were. Raises Broken.

    `key`: the journal key, with which seals are signed.
    """
    for number in range(MOST):
        if not await _seal_next(engine, site, now, key):
            return number
    return MOST


async def _seal_next(engine: AsyncEngine, site: str, now: datetime, key: str | None) -> bool:
    async with engine.connect() as connection:
        before, newest_link = await sealed(connection, site), (await newest(connection, site)).link
        oldest = await page(connection, site, before.link, 1)
        if not oldest or not (due(oldest[0], now) or newest_link - before.link >= LARGE):
            return False
        links = await page(connection, site, before.link, LARGE + _STEPS_BACK)
        count = cut(links, now)
        if not count:
            return False
        rows = await _proven(connection, links[:count], before)
        rows += await _parted(connection, site, rows)
    one, told = closed(rows, before, links[count - 1], now, key)
    async with writing(engine) as connection:
        await connection.execute(segment.insert(), one)
        if told:
            await connection.execute(run.insert(), told)
        await _delete(connection, site, links[:count])
    return True


def due(oldest: Row, now: datetime) -> bool:
    """Whether the oldest open link has waited long enough. Pure."""
    return bool(oldest["at"] <= now - OLD)


def cut(links: Sequence[Row], now: datetime) -> int:
    """How many of the oldest links become a segment now; 0 while none is due. Pure."""
    settled = next((place for place, link in enumerate(links) if now - FRESH < link["at"] <= now), len(links))
    most = min(settled, LARGE)
    if not most or (len(links) < LARGE and not due(links[0], now)):
        return 0
    begun = dict[tuple[str, str], int]()
    parts = [0] * (len(links) + 1)
    for place, link in enumerate(links):
        name = link["device"], link["id"]
        begun.setdefault(name, place)
        for between in range(max(begun[name], most - _STEPS_BACK) + 1, min(place, most) + 1):
            parts[between] += 1
    whole = (place for place in range(most, max(0, most - _STEPS_BACK), -1) if not parts[place])
    return next(whole, most)


def closed(
    rows: Rows, before: Head, last: Row, now: datetime, key: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A row of `segment` and those of `run` that belong to it; `last` is the newest link of the rows. Pure."""
    site = last["site"]
    packed, (first_at, last_at) = pack(site, rows), span(rows)
    one: dict[str, Any] = {
        "site": site, "number": before.segment + 1, "at": now, "first_link": before.link + 1,
        "last_link": last["number"], "first_at": first_at, "last_at": last_at, "previous": before.hash,
        "head": last["hash"], "digest": sha256(packed).hexdigest(), "pruned": None, "pruned_signature": "",
        "packed": packed,
    }  # fmt: skip
    one["signature"] = signature(one, key)
    return one, [{"site": site, "segment": one["number"], **row} for row in runs(rows)]


async def _proven(connection: AsyncConnection, links: list[Row], before: Head) -> list[tuple[str, Row]]:
    """The rows of some links, in their order."""
    found, rows = await rows_of(connection, links), list[tuple[str, Row]]()
    for link in links:
        row = found.get(key_of(link))
        if row is None or link_fault(link, row, before):
            raise Broken(link_fault(link, row, before))
        before = Head(before.segment, link["number"], link["hash"])
        rows.append((link["kind"], row))
    return rows


async def _parted(connection: AsyncConnection, site: str, rows: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """What earlier segments hold of the commands and outcomes among some rows: whichever came first is told again."""
    here = {(row["device"], row["id"]): row["at"] for kind, row in rows if kind == "command"}
    missing = {(row["device"], row["id"]): row["at"] for kind, row in rows if kind == "outcome"}
    missing = {name: at for name, at in missing.items() if name not in here}
    commands, outcomes = dict[tuple[str, str], Row](), list[Row]()
    if times := [*here.values(), *missing.values()]:
        for number in await reaching(connection, site, min(times) - _APART, max(times) + _APART):
            for kind, row in readable(site, await packed_in(connection, site, number)):
                name = row["device"], row["id"]
                if kind == "command" and name in missing:
                    commands[name] = row
                elif kind == "outcome" and name in here:
                    outcomes.append(row)
    return [("earlier", row) for row in commands.values()] + [("earlier outcome", row) for row in outcomes]


async def _delete(connection: AsyncConnection, site: str, links: list[Row]) -> None:
    first, last = links[0]["number"], links[-1]["number"]
    for name, table in CHAINED.items():
        keys = [key for kind, key in map(key_of, links) if kind == name]
        for start in range(0, len(keys), ASKED):
            some = keys[start : start + ASKED]
            await connection.execute(delete(table).where(*among(table, some)))
    await connection.execute(delete(journal).where(journal.c.site == site, journal.c.number.between(first, last)))
