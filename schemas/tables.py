"""The archive in the database, one definition for MariaDB and SQLite. The only shape that knows SQLAlchemy.

Every table has a natural primary key and its rows are never changed: a message that comes twice is one row, and
a reader may follow a device through time in the order the rows lie on the disk. JSON stands as the text that was
validated when it came, so nothing is decoded and encoded again on the way in.

Partitions by time need `at` in every unique key: that is why it stands in the key of the telemetry, though
(site, device, epoch, seq) alone names a sample (its bridge never changes the time of a sample in its outbox).
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem

from schemas.alarm_name import LONGEST_ALARM

REVISION = "0008"
"""The newest migration; a database that has another one is not written to."""

LONGEST_NAME = 64
PAYLOAD_CUT = 4096
"""Bytes of a dead letter that are kept."""

MARIADB = ("mariadb", "mysql")


class Moment(TypeDecorator[datetime]):
    """UTC with microseconds. Both databases keep no zone: it is taken off on the way in and put back on the way out."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401  # SQLAlchemy's own signature
        precise = mysql.DATETIME(fsp=6) if dialect.name in MARIADB else DateTime()
        return dialect.type_descriptor(precise)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


def _ascii(length: int = LONGEST_NAME) -> String:
    """A name: one byte a letter, compared by its bytes, as Python compares it."""
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return String(length).with_variant(exact, *MARIADB)


def _alarm_name() -> String:
    """The name of an alarm. SQLite takes any length, whatever its tables were made with."""
    exact = mysql.VARCHAR(LONGEST_ALARM, charset="ascii", collation="ascii_bin")
    return String(LONGEST_NAME).with_variant(exact, *MARIADB)


def _json() -> Text:
    """JSON as the text it came as. MariaDB's own JSON type is this, too."""
    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *MARIADB)


def _bytes() -> LargeBinary:
    return LargeBinary().with_variant(mysql.LONGBLOB(), *MARIADB)


metadata = MetaData()


def _table(name: str, *columns: SchemaItem, json: tuple[str, ...] = ("body",), **options: Any) -> Table:  # noqa: ANN401
    # A missing value must pass, too: json_valid(NULL) is NULL in MariaDB, and 0 in SQLite.
    checks = [
        CheckConstraint(f"{column} IS NULL OR json_valid({column})", name=f"{name}_{column}_is_json") for column in json
    ]
    return Table(
        name,
        metadata,
        *columns,
        *checks,
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        **options,
    )


def _key(name: str, kind: Any = None) -> Column[Any]:  # noqa: ANN401
    return Column(name, kind if kind is not None else _ascii(), primary_key=True)


telemetry = _table(
    "telemetry",
    _key("site"),
    _key("device"),
    _key("at", Moment()),
    _key("epoch", _ascii(16)),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("historical", Boolean, nullable=False),
    Column("points", _json(), nullable=False),
    Column("quality", _json()),
    json=("points", "quality"),
    mariadb_page_compressed="1",
    mariadb_partition_by="RANGE COLUMNS (at) (PARTITION future VALUES LESS THAN (MAXVALUE))",
    sqlite_with_rowid=False,
)
"""One row per message of a device; MariaDB keeps each week, or day, in a partition, so that forgetting is not
deleting.

`quality` is null when every point is good, which is nearly always.
"""

rollup_1m = _table(
    "rollup_1m",
    _key("site"),
    _key("device"),
    _key("at", Moment()),
    Column("points", _json(), nullable=False),
    json=("points",),
    mariadb_page_compressed="1",
    sqlite_with_rowid=False,
)
"""One row per device and minute: {point: [samples, low, mean, high, last, seconds, plus, minus]}, good numbers only."""


def _rollup(name: str) -> Table:
    return _table(
        name,
        _key("site"),
        _key("device"),
        _key("point"),
        _key("at", Moment()),
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

dirty = _table(
    "dirty",
    _key("site"),
    _key("device"),
    Column("span", Integer, primary_key=True, autoincrement=False),
    _key("at", Moment()),
    Column("turn", BigInteger, primary_key=True, autoincrement=False),
    json=(),
)
"""Rollups (of 60, 900 or 3600 s) that are older than what they are made of; written in the same transaction as that.

`turn` keeps apart what came before and after the roller began to read.
"""

flow = _table(
    "flow",
    _key("site"),
    _key("at", Moment()),
    *(
        Column(name, Double, nullable=False)
        for name in (
            "pv_load",
            "pv_battery",
            "pv_grid",
            "grid_load",
            "grid_battery",
            "battery_load",
            "battery_grid",
        )
    ),
    json=(),
)
"""Wh from where to where in the quarter of an hour that begins at `at`."""

load_energy = _table(
    "load_energy",
    _key("site"),
    _key("at", Moment()),
    _key("device"),
    Column("behind", _ascii(), nullable=False),
    Column("used", Double, nullable=False),
    json=(),
)
"""Wh that a load whose power is measured drew in the quarter of an hour that begins at `at`, one row a load.

`behind`: the load whose meter it stands behind, or empty: those add up. `other load` is the rest that nobody measures;
it has no row while a battery, a load or the meter has not told: unknown is not 0. Below 0 a meter is wrong.
"""

energy = _table(
    "energy",
    _key("site"),
    _key("device"),
    _key("point"),
    _key("at", Moment()),
    Column("out_wh", Double, nullable=False),
    Column("in_wh", Double, nullable=False),
    Column("source", _ascii(), nullable=False),
    Column("seconds", Double, nullable=False),
    json=(),
    mariadb_page_compressed="1",
    sqlite_with_rowid=False,
)
"""Wh out of a device into the site and the other way in the quarter of an hour that begins at `at`, by the one rule of
consumers/archive/energy/energies.py; no row where that does not know it.

`point`: `p` for the device's own power, `pv_p` for the PV of a hybrid. `source`: schemas/energies.py.
`seconds`: how much of the quarter was seen.
"""

MONEY = ("energy", "demand", "energy_without", "demand_without", "wear", "stored", "carbon", "carbon_without")
"""Of what was measured, and as if the battery had rested: in the tariff's currency, CO2 in g."""
CAUSES = ("forecast", "derate", "grid_limit", "lost", "clamp", "operator", "unknown")
"""By how much each made it dearer than planned: optimizer/actual_against_plan.py."""


money = _table(
    "money",
    _key("site"),
    _key("at", Moment()),
    *(Column(name, Double, nullable=False) for name in ("imported", "exported")),
    *(Column(name, Double) for name in ("drawn", "pv", "battery")),
    *(Column(name, Double, nullable=name in MONEY[2:]) for name in MONEY),
    *(Column(name, Double) for name in ("planned", *CAUSES)),
    json=(),
    sqlite_with_rowid=False,
)
"""What the quarter of an hour that begins at `at` cost; energies in Wh, `battery` what it gave less what it took.

`drawn`: by the power of the meter, for a billed peak. NULL is unknown, or hardly seen. `planned` is the cost (energy,
demand, wear) that the plan meant, and the causes are the difference.
"""

money_day = _table(
    "money_day",
    _key("site"),
    _key("at", Moment()),
    Column("day", _ascii(10), nullable=False),
    Column("currency", _ascii(3), nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("quarters", "compared", "planned_quarters")),
    *(Column(name, Double, nullable=False) for name in ("imported", "exported")),
    *(Column(name, Double) for name in ("pv", "load", "saved")),
    *(Column(name, Double, nullable=name in MONEY[2:]) for name in MONEY),
    *(Column(name, Double) for name in ("planned", *CAUSES)),
    json=(),
)
"""The sums of a local day, which begins at `at`. `compared`: the quarters of which it is known what they would have
cost without the battery: `saved` is of these. `planned_quarters` are those of the causes."""

unpriced = _table("unpriced", _key("site"), _key("at", Moment()), json=(), sqlite_with_rowid=False)
"""Quarters of an hour whose row in `money` is missing, or older than what it is made of; written in the same
transaction as that. One whose price is not known yet stays."""

gap = _table(
    "gap",
    _key("site"),
    _key("device"),
    _key("at", Moment()),
    Column("expected", Integer, nullable=False),
    Column("stored", Integer, nullable=False),
    Column("cause", _ascii(), nullable=False),
    Column("closed", Moment()),
    Index("gap_at", "site", "at"),
    json=(),
)
"""The ledger: every whole hour of every device. `closed` is when it was found complete, or completed by back-fill.

`cause`, why it was not complete, or empty: asleep | offline | bridge_down | outbox_cap | quarantined_clock | unknown.
Asleep: a PV inverter at night; `expected` is what it owed while it was awake. An hour that is closed with less than was
expected is lost: nobody can fill it any more.
"""

quarantine = _table(
    "quarantine",
    _key("site"),
    _key("device"),
    _key("epoch", _ascii(16)),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("received", Moment(), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("body", _json(), nullable=False),
)
"""Samples whose clock cannot be right: from the future or impossibly old. `body` is the whole message."""

journal = _table(
    "journal",
    _key("site"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", _ascii(), nullable=False),
    Column("device", _ascii(), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("id", _ascii(), nullable=False),
    Column("state", _ascii(), nullable=False),
    Column("previous", _ascii(), nullable=False),
    Column("hash", _ascii(), nullable=False),
    json=(),
)
"""The chain over the rows of `command` and `outcome` (the `kind`) of a site, in the order they came: the links that
no segment holds yet.

`hash` is the SHA-256 over `previous`, its own number and the whole row: consumers/archive/chain/journal.py.
"""

segment = _table(
    "segment",
    _key("site"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment(), nullable=False),
    Column("first_link", BigInteger, nullable=False),
    Column("last_link", BigInteger, nullable=False),
    Column("first_at", Moment(), nullable=False),
    Column("last_at", Moment(), nullable=False),
    Column("previous", _ascii(), nullable=False),
    Column("head", _ascii(), nullable=False),
    Column("digest", _ascii(), nullable=False),
    Column("signature", _ascii(), nullable=False),
    Column("pruned", Moment()),
    Column("pruned_signature", _ascii(), nullable=False),
    Column("packed", _bytes()),
    Index("segment_last_at", "site", "last_at"),
    json=(),
)
"""A piece of the journal that is closed: sealed `at`, it holds the rows of its links, whose times span from `first_at`
to `last_at`. `packed` are the rows: runtime/segments.py. `head` is the hash of its last link, `previous` that of the
one before its first, `digest` the SHA-256 of `packed`. The signatures are empty where the archive has no journal key.

Pruned, `packed` is null, and the head stays: `pruned` says when that was, after the rows had been proven once more.
"""

run = _table(
    "run",
    _key("site"),
    Column("segment", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("day", _ascii(10), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("device", _ascii(), nullable=False),
    Column("source", _ascii(), nullable=False),
    Column("authority", _ascii(), nullable=False),
    Column("seconds", Double, nullable=False),
    Column("prefix", _ascii(), nullable=False),
    Column("reason", Text().with_variant(mysql.LONGTEXT(), *MARIADB), nullable=False),
    Column("items", _json(), nullable=False),
    Index("run_day", "site", "day"),
    json=("items",),
    mariadb_page_compressed="1",
)
"""What the rows of a segment say, for `v_commands`: commands of one `day` that differ only in number, time and value.

`items`: [[number, microseconds since `at`, W or null, outcomes, reason where it is another], ...], each outcome
[state, microseconds since the command, reason where there is one]. The id is `prefix` and number; the command holds
for `seconds`.
"""

command = _table(
    "command",
    _key("site"),
    _key("device"),
    _key("at", Moment()),
    _key("id"),
    Column("until", Moment(), nullable=False),
    Column("source", _ascii(), nullable=False),
    Column("authority", _ascii(), nullable=False),
    Column("body", _json(), nullable=False),
)

outcome = _table(
    "outcome",
    _key("site"),
    _key("device"),
    _key("at", Moment()),
    _key("id"),
    _key("state"),
    Column("body", _json(), nullable=False),
)

alarm = _table(
    "alarm",
    _key("site"),
    _key("alarm", _alarm_name()),
    _key("at", Moment()),
    _key("state"),
    Column("priority", _ascii(), nullable=False),
    Column("body", _json(), nullable=False),
)
"""Each change of an alarm's state."""

device_status = _table(
    "device_status",
    _key("site"),
    _key("device"),
    _key("at", Moment()),
    _key("state"),
    Column("body", _json(), nullable=False),
)
"""Each change of what a bridge says of a device: whether it can be reached, and if not, why."""

control = _table(
    "control",
    _key("site"),
    _key("at", Moment()),
    _key("topic"),
    _key("subject", _alarm_name()),
    Column("who", String(LONGEST_NAME), nullable=False),
    Column("body", _json(), nullable=False),
)
"""Who wanted what, what became of it, and who steers: control modes, and requests for them or to alarms (the
`subject`) with their outcomes; limits, and the market prices that were said."""

plan = _table(
    "plan",
    _key("site"),
    _key("at", Moment()),
    _key("id"),
    Column("until", Moment(), nullable=False),
    Column("body", _json(), nullable=False),
    Column("packed", _bytes()),
    mariadb_page_compressed="1",
)
"""`packed` is the plan, `body` what it forecasts, for `v_forecasts`: runtime/kept_plans.py. Of an older joulebus `body`
is the whole plan, and `packed` null."""

horizon = _table(
    "horizon",
    _key("site"),
    Column("at", Moment(), nullable=False),
    json=(),
)
"""From when on each site keeps its telemetry: a partition goes when all sites that have rows in it let it go."""

dead_letter = _table(
    "dead_letter",
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("received", Moment(), nullable=False),
    Column("topic", String(512), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("payload", LargeBinary(PAYLOAD_CUT), nullable=False),
    json=(),
)
"""What could not be stored where it belongs, and why; the payload is cut."""
