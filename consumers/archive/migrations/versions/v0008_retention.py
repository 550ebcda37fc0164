"""From when on each site keeps its telemetry, so that a partition can go when all let it go; gaps by time."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"

MARIADB = ("mariadb", "mysql")


def upgrade() -> None:
    name = sa.String(64).with_variant(mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), *MARIADB)
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    op.create_table(
        "horizon",
        sa.Column("site", name, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("site"),
        if_not_exists=True,
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )
    # a week of all devices is read, out of ten years
    op.create_index("gap_at", "gap", ["site", "at"], if_not_exists=True)


def downgrade() -> None:
    op.drop_index("gap_at", "gap")
    op.drop_table("horizon")
