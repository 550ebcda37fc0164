"""What was measured: samples, their means by minute, quarter and hour, and what of them is missing."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String, Table

from schemas.tables.column import Moment, ascii_name, json_text, key, table

telemetry = table(
    "telemetry",
    key("site"),
    key("device"),
    key("at", Moment()),
    key("epoch", ascii_name(16)),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("historical", Boolean, nullable=False),
    Column("points", json_text(), nullable=False),
    Column("quality", json_text()),
    json=("points", "quality"),
    mariadb_page_compressed="1",
    mariadb_partition_by="RANGE COLUMNS (at) (PARTITION future VALUES LESS THAN (MAXVALUE))",
    sqlite_with_rowid=False,
)
"""One row per message of a device; MariaDB keeps each week, or day, in a partition, so that forgetting is not
deleting.

`quality` is null when every point is good, which is nearly always.
"""

rollup_1m = table(
    "rollup_1m",
    key("site"),
    key("device"),
    key("at", Moment()),
    Column("points", json_text(), nullable=False),
    json=("points",),
    mariadb_page_compressed="1",
    sqlite_with_rowid=False,
)
"""One row per device and minute: {point: [samples, low, mean, high, last, seconds, plus, minus]}, good numbers only."""


def _rollup(name: str) -> Table:
    return table(
        name,
        key("site"),
        key("device"),
        key("point"),
        key("at", Moment()),
        Column("samples", Integer, nullable=False),
        *(Column(column, Double, nullable=False) for column in ("low", "mean", "high", "last", "twa")),
        *(Column(column, Double, nullable=False) for column in ("seconds", "plus", "minus")),
        json=(),
        mariadb_page_compressed="1",
        sqlite_with_rowid=False,
    )


rollup_15m = _rollup("rollup_15m")
"""One row per point and quarter of an hour, so that a month of a point lies together. `at` is the beginning, in UTC.

`twa`: the time-weighted mean over the `seconds` that are covered: a value holds until the next, 60 s at most.
`plus` and `minus`: the integral over time of what was above and below zero, per hour: Wh for a power in W, both >= 0.
Neither is an energy where the point is no power (a SoC, a counter): the energies are in `energy`.
All zones' offsets are whole quarters of an hour: these are the billing intervals of every site, DST nights included.
"""

rollup_1h = _rollup("rollup_1h")
"""The same for the hours of UTC."""

dirty = table(
    "dirty",
    key("site"),
    key("device"),
    Column("span", Integer, primary_key=True, autoincrement=False),
    key("at", Moment()),
    Column("turn", BigInteger, primary_key=True, autoincrement=False),
    json=(),
)
"""Rollups (of 60, 900 or 3600 s) that are older than what they are made of; written in the same transaction as that.

`turn` keeps apart what came before and after the roller began to read.
"""

gap = table(
    "gap",
    key("site"),
    key("device"),
    key("at", Moment()),
    Column("expected", Integer, nullable=False),
    Column("stored", Integer, nullable=False),
    Column("cause", ascii_name(), nullable=False),
    Column("closed", Moment()),
    Index("gap_at", "site", "at"),
    json=(),
)
"""The ledger: every whole hour of every device. `closed` is when it was found complete, or completed by back-fill.

`cause`, why it was not complete, or empty: asleep | offline | bridge_down | outbox_cap | quarantined_clock | unknown.
Asleep: a PV inverter at night; `expected` is what it owed while it was awake. An hour that is closed with less than was
expected is lost: nobody can fill it any more.
"""

quarantine = table(
    "quarantine",
    key("site"),
    key("device"),
    key("epoch", ascii_name(16)),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("received", Moment(), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("body", json_text(), nullable=False),
)
"""Samples whose clock cannot be right: from the future or impossibly old. `body` is the whole message."""

horizon = table(
    "horizon",
    key("site"),
    Column("at", Moment(), nullable=False),
    json=(),
)
"""From when on each site keeps its telemetry: a partition goes when all sites that have rows in it let it go."""
