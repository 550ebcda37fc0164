"""What each load whose power is measured drew, and the rest that nobody measures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from schemas import views

revision = "0003"
down_revision = "0002"

MARIADB = ("mariadb", "mysql")


def upgrade() -> None:
    name = sa.String(64).with_variant(mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), *MARIADB)
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    op.create_table(
        "load_energy",
        sa.Column("site", name, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("device", name, nullable=False),
        sa.Column("behind", name, nullable=False),
        sa.Column("used", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("site", "at", "device"),
        if_not_exists=True,
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )
    for statement in views.statements(op.get_bind().dialect.name, revision):
        op.execute(statement)


def downgrade() -> None:
    for name in views.since(revision):
        op.execute(f"DROP VIEW IF EXISTS {name}")
    op.drop_table("load_energy")
