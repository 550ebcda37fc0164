"""What the site paid, what it would have paid without its battery, and why it was not what was planned."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from schemas import views

revision = "0006"
down_revision = "0005"

MARIADB = ("mariadb", "mysql")
INNODB: dict[str, Any] = {
    "if_not_exists": True,
    "mariadb_engine": "InnoDB",
    "mariadb_default_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
MONEY = ("energy", "demand", "energy_without", "demand_without", "wear", "stored", "carbon", "carbon_without")
CAUSES = ("forecast", "derate", "grid_limit", "lost", "clamp", "operator", "unknown")


def _ascii(length: int) -> sa.String:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, *MARIADB)


def _place() -> list[sa.Column[object]]:
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    return [sa.Column("site", _ascii(64), nullable=False), sa.Column("at", moment, nullable=False)]


def _numbers(*names: str, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Double(), nullable=nullable) for name in names]


def upgrade() -> None:
    op.create_table(
        "money",
        *_place(),
        *_numbers("imported", "exported", nullable=False),
        *_numbers("drawn", "pv", "battery"),
        *_numbers(*MONEY[:2], nullable=False),
        *_numbers(*MONEY[2:], "planned", *CAUSES),
        sa.PrimaryKeyConstraint("site", "at"),
        sqlite_with_rowid=False,
        **INNODB,
    )
    op.create_table(
        "money_day",
        *_place(),
        sa.Column("day", _ascii(10), nullable=False),
        sa.Column("currency", _ascii(3), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("quarters", "compared", "planned_quarters")),
        *_numbers("imported", "exported", nullable=False),
        *_numbers("pv", "load", "saved"),
        *_numbers(*MONEY[:2], nullable=False),
        *_numbers(*MONEY[2:], "planned", *CAUSES),
        sa.PrimaryKeyConstraint("site", "at"),
        **INNODB,
    )
    op.create_table("unpriced", *_place(), sa.PrimaryKeyConstraint("site", "at"), sqlite_with_rowid=False, **INNODB)
    # what was measured before is priced, too; a step that broke off may have begun
    ignoring = "INSERT OR IGNORE" if op.get_bind().dialect.name == "sqlite" else "INSERT IGNORE"
    op.execute(f"{ignoring} INTO unpriced (site, at) SELECT site, at FROM flow")  # noqa: S608  # one of two words of ours
    for statement in views.statements(op.get_bind().dialect.name, revision):
        op.execute(statement)


def downgrade() -> None:
    for name in views.since(revision):
        op.execute(f"DROP VIEW IF EXISTS {name}")
    for name in ("unpriced", "money_day", "money"):
        op.drop_table(name)
