"""Energy by one rule: counters first.

The energies of what is stored already are made by the archive itself, a week at a time: its weeks are marked here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from schemas import views

revision = "0005"
down_revision = "0004"

MARIADB = ("mariadb", "mysql")
WEEK = timedelta(days=7)
SPAN = 604_800
"""Marks weeks among those of rollups, of which the longest is an hour."""
ZERO = datetime(1970, 1, 1)  # noqa: DTZ001  # as both databases keep it


def upgrade() -> None:
    _table()
    for name in views.since(revision):  # the one of energies was made of integrals alone
        op.execute(f"DROP VIEW IF EXISTS {name}")
    for statement in views.statements(op.get_bind().dialect.name, revision):
        op.execute(statement)
    _mark(op.get_bind())


def _table() -> None:
    name = sa.String(64).with_variant(mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), *MARIADB)
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    op.create_table(
        "energy",
        sa.Column("site", name, nullable=False),
        sa.Column("device", name, nullable=False),
        sa.Column("point", name, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("out_wh", sa.Double(), nullable=False),
        sa.Column("in_wh", sa.Double(), nullable=False),
        sa.Column("source", name, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("site", "device", "point", "at"),
        if_not_exists=True,
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        mariadb_page_compressed="1",
        sqlite_with_rowid=False,
    )


def _mark(connection: sa.Connection) -> None:
    """Each week of each device that has a power or a counter."""
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    dirty = sa.table("dirty", *(sa.column(one) for one in ("site", "device", "span", "turn")), sa.column("at", moment))
    weeks = sorted({(site, device, at) for site, device, at in _weeks(connection, moment)})
    mine = sa.delete(dirty).where(dirty.c.span == SPAN)  # of a step that broke off
    connection.execute(mine)
    if weeks:
        rows = [{"site": site, "device": device, "span": SPAN, "at": at, "turn": 0} for site, device, at in weeks]
        connection.execute(sa.insert(dirty), rows)


def _weeks(connection: sa.Connection, moment: Any) -> Iterator[tuple[str, str, datetime]]:  # noqa: ANN401
    """Each look is a step along the key: a scan of ten years would take minutes."""
    names: list[sa.ColumnClause[Any]] = [sa.column(one) for one in ("site", "device", "point")]
    rollup = sa.table("rollup_15m", *names, sa.column("at", moment))
    c, key = rollup.c, ("", "", "")
    step = sa.select(c.site, c.device, c.point).order_by(c.site, c.device, c.point).limit(1)
    while found := connection.execute(step.where(_behind(c, key))).first():
        key = (found.site, found.device, found.point)
        if key[2] == "p" or key[2].startswith(("e_", "pv_p")):
            mine = c.site == key[0], c.device == key[1], c.point == key[2]
            first, last = connection.execute(sa.select(sa.func.min(c.at), sa.func.max(c.at)).where(*mine)).one()
            week = ZERO + (first.replace(tzinfo=None) - ZERO) // WEEK * WEEK
            while week <= last.replace(tzinfo=None):
                yield key[0], key[1], week
                week += WEEK


def _behind(c: Any, key: tuple[str, str, str]) -> sa.ColumnElement[bool]:  # noqa: ANN401
    """The rows after a key, as each database finds them by its index."""
    site, device, point = key
    return sa.or_(
        c.site > site,
        sa.and_(c.site == site, c.device > device),
        sa.and_(c.site == site, c.device == device, c.point > point),
    )


def downgrade() -> None:
    for name in views.since(revision):
        op.execute(f"DROP VIEW IF EXISTS {name}")
    op.execute(f"DELETE FROM dirty WHERE span = {SPAN}")  # noqa: S608  # a number of ours
    op.drop_table("energy")
