"""The first tables: telemetry and its rollups, journals, ledgers, plans and dead letters.

Written out and not taken from schemas/tables, because that goes on changing and this must not. A step that broke
off in the middle can be run again: MariaDB does not take back a CREATE TABLE.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from schemas import views

revision = "0001"
down_revision = None

MARIADB = ("mariadb", "mysql")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB), nullable=nullable)


def _double(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Double(), nullable=False) for name in names]


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _ascii(name: str, length: int = 64) -> sa.Column[Any]:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.Column(name, sa.String(length).with_variant(exact, *MARIADB), nullable=False)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    exact = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Column(name, sa.Text().with_variant(exact, *MARIADB), nullable=nullable)


def _table(name: str, *columns: Any, key: list[str], json: tuple[str, ...] = ("body",), **options: Any) -> None:  # noqa: ANN401
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key),
        *(
            sa.CheckConstraint(f"{column} IS NULL OR json_valid({column})", name=f"{name}_{column}_is_json")
            for column in json
        ),
        if_not_exists=True,
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        **options,
    )


def upgrade() -> None:
    _raw()
    for name in ("rollup_15m", "rollup_1h"):
        _rollup(name)
    _ledgers()
    _said()
    _views()


def _raw() -> None:
    _table(
        "telemetry",
        _ascii("site"),
        _ascii("device"),
        _moment("at"),
        _ascii("epoch", 16),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("historical", sa.Boolean(), nullable=False),
        _json("points"),
        _json("quality", nullable=True),
        key=["site", "device", "at", "epoch", "seq"],
        json=("points", "quality"),
        mariadb_page_compressed="1",
        mariadb_partition_by="RANGE COLUMNS (at) (PARTITION future VALUES LESS THAN (MAXVALUE))",
        sqlite_with_rowid=False,
    )
    _table(
        "rollup_1m",
        *(_ascii("site"), _ascii("device"), _moment("at"), _json("points")),
        key=["site", "device", "at"],
        json=("points",),
        mariadb_page_compressed="1",
        sqlite_with_rowid=False,
    )


def _rollup(name: str) -> None:
    _table(
        name,
        *(_ascii("site"), _ascii("device"), _ascii("point"), _moment("at")),
        sa.Column("samples", sa.Integer(), nullable=False),
        *_double("low", "mean", "high", "last", "twa", "seconds", "plus", "minus"),
        key=["site", "device", "point", "at"],
        json=(),
        mariadb_page_compressed="1",
        sqlite_with_rowid=False,
    )


def _ledgers() -> None:
    _table(
        "dirty",
        *(_ascii("site"), _ascii("device")),
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        *(_moment("at"), _number("turn")),
        key=["site", "device", "span", "at", "turn"],
        json=(),
    )
    ways = ("pv_load", "pv_battery", "pv_grid", "grid_load", "grid_battery", "battery_load", "battery_grid")
    _table("flow", _ascii("site"), _moment("at"), *_double(*ways), key=["site", "at"], json=())
    _table(
        "gap",
        *(_ascii("site"), _ascii("device"), _moment("at")),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        _ascii("cause"),
        _moment("closed", nullable=True),
        key=["site", "device", "at"],
        json=(),
    )
    _table(
        "quarantine",
        *(_ascii("site"), _ascii("device"), _ascii("epoch", 16), _number("seq"), _moment("received"), _moment("at")),
        sa.Column("reason", sa.String(500), nullable=False),
        _json("body"),
        key=["site", "device", "epoch", "seq"],
    )
    _table(
        "journal",
        *(_ascii("site"), _number("number"), _ascii("kind"), _ascii("device"), _moment("at"), _ascii("id")),
        *(_ascii("state"), _ascii("previous"), _ascii("hash")),
        key=["site", "number"],
        json=(),
    )


def _said() -> None:
    _table(
        "command",
        _ascii("site"),
        _ascii("device"),
        _moment("at"),
        _ascii("id"),
        _moment("until"),
        _ascii("source"),
        _ascii("authority"),
        _json("body"),
        key=["site", "device", "at", "id"],
    )
    _table(
        "outcome",
        *(_ascii("site"), _ascii("device"), _moment("at"), _ascii("id"), _ascii("state"), _json("body")),
        key=["site", "device", "at", "id", "state"],
    )
    _table(
        "alarm",
        *(_ascii("site"), _ascii("alarm"), _moment("at"), _ascii("state"), _ascii("priority"), _json("body")),
        key=["site", "alarm", "at", "state"],
    )
    _table(
        "control",
        _ascii("site"),
        _moment("at"),
        _ascii("topic"),
        _ascii("subject"),
        sa.Column("who", sa.String(64), nullable=False),
        _json("body"),
        key=["site", "at", "topic", "subject"],
    )
    _table(
        "plan",
        *(_ascii("site"), _moment("at"), _ascii("id"), _moment("until"), _json("body")),
        key=["site", "at", "id"],
        mariadb_page_compressed="1",
    )
    _table(
        "dead_letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        _moment("received"),
        sa.Column("topic", sa.String(512), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("payload", sa.LargeBinary(4096), nullable=False),
        key=["id"],
        json=(),
    )


def _views() -> None:
    """As they are now: a view holds nothing, so the newest migration may make them anew."""
    for statement in views.statements(op.get_bind().dialect.name, revision):
        op.execute(statement)


def downgrade() -> None:
    for name in views.since(revision):
        op.execute(f"DROP VIEW IF EXISTS {name}")
    said = ("dead_letter", "plan", "control", "alarm", "outcome", "command")
    ledgers = ("journal", "quarantine", "gap", "flow", "dirty")
    for name in (*said, *ledgers, "rollup_1h", "rollup_15m", "rollup_1m", "telemetry"):
        op.drop_table(name)
