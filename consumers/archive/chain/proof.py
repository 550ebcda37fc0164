"""Whether the record of commands and outcomes is whole, from its first segment to its newest link."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.archive.chain.journal import key_of, page, rows_of, segments
from consumers.archive.chain.links import CHAINED, Head, hashes, link_fault, segment_fault
from runtime.segments import unpack
from schemas.tables import journal, run, segment

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a check of the chain found. `wrong` is empty when nothing was changed."""

    links: int
    """The number of the newest one."""
    head: str
    """The hash of the newest link; it must appear in every longer chain of this site."""
    wrong: str = ""
    pruned: int = 0
    """Links whose rows are not kept any more; they were whole when they were forgotten."""
    unsigned: int = 0
    """Segments whose seal nobody signed, or whose signature was not looked at, for want of the key."""


async def verify(engine: AsyncEngine, site: str, key: str | None = None, written: str = "") -> Verdict:
    """Follow the chain of a site from its beginning.

    `key`: the journal key, where the seals are signed. `written`: a head that was written down, `number:hash`.
    """
    number, _, noted = written.rpartition(":")
    wanted = int(number or 0)
    head, pruned, unsigned, seen = Head(), 0, 0, ""
    async with engine.connect() as connection:
        async for one, told in segments(connection, site):
            if wrong := segment_fault(one, told, head, key):
                return Verdict(head.link, head.hash, wrong, pruned, unsigned)
            pruned += (one["last_link"] - one["first_link"] + 1) * (one["packed"] is None)
            unsigned += not one["signature"] or key is None
            seen = seen or _hash_at(one, wanted)
            head = Head(one["number"], one["last_link"], one["head"], head.signed or bool(one["signature"]))
        closed = head.link
        while links := await page(connection, site, head.link):
            rows = await rows_of(connection, links)
            for link in links:
                if wrong := link_fault(link, rows.get(key_of(link)), head):
                    return Verdict(head.link, head.hash, wrong, pruned, unsigned)
                head = replace(head, link=link["number"], hash=link["hash"])
                seen = seen or (head.hash if head.link == wanted else "")
        wrong = await _added(connection, site, head.segment, closed) or _rolled_back(head.link, wanted, noted, seen)
    return Verdict(head.link, head.hash, wrong, pruned, unsigned)


def _hash_at(one: Row, wanted: int) -> str:
    """The hash of a link of a segment; empty when it is in another one, or pruned and not its last."""
    if wanted == one["last_link"]:
        return str(one["head"])
    if one["packed"] is None or not one["first_link"] <= wanted < one["last_link"]:
        return ""
    links = hashes(one["previous"], one["first_link"], unpack(one["site"], one["packed"]))
    return next(islice(links, wanted - one["first_link"], None), "")


def _rolled_back(links: int, wanted: int, noted: str, seen: str) -> str:
    """Whether the chain is another one than that whose head was written down."""
    if wanted > links:
        return (
            f"it has {links} links, and {wanted} when its head was written down: "
            "its end was removed, or an older backup was restored"
        )
    if seen and seen != noted:
        return f"link {wanted} has another hash than was written down: the chain was made anew"
    return ""


async def _added(connection: AsyncConnection, site: str, last: int, closed: int) -> str:
    """Whether there are rows that no link knows, or rows and links of what no segment holds.

    `last`: the number of the newest segment, `closed` that of its last link.
    """
    behind = select(func.min(journal.c.number)).where(journal.c.site == site, journal.c.number <= closed)
    if (link := (await connection.execute(behind)).scalar()) is not None:
        return f"link {link} is there beside the segments, which hold all up to {closed}"
    for column, words in ((segment.c.number, "is none of the chain"), (run.c.segment, "v_commands shows rows of it")):
        stray = select(func.min(column)).where(column.table.c.site == site, (column < 1) | (column > last))
        if (number := (await connection.execute(stray)).scalar()) is not None:
            return f"segment {number}: the last one is {last}, and {words}"
    for table in CHAINED.values():
        rows = select(func.count()).select_from(table).where(table.c.site == site)
        known = select(func.count()).where(journal.c.site == site, journal.c.kind == table.name)
        there, linked = [(await connection.execute(count)).scalar_one() for count in (rows, known)]
        if there != linked:
            return f"{table.name}: {there} rows, but {linked} in the journal"
    return ""
