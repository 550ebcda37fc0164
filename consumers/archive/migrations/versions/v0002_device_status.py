"""How each device was, beside what was said and done."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

MARIADB = ("mariadb", "mysql")


def upgrade() -> None:
    name = sa.String(64).with_variant(mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), *MARIADB)
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    body = sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *MARIADB)
    op.create_table(
        "device_status",
        sa.Column("site", name, nullable=False),
        sa.Column("device", name, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("state", name, nullable=False),
        sa.Column("body", body, nullable=False),
        sa.PrimaryKeyConstraint("site", "device", "at", "state"),
        sa.CheckConstraint("body IS NULL OR json_valid(body)", name="device_status_body_is_json"),
        if_not_exists=True,
        mariadb_engine="InnoDB",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )


def downgrade() -> None:
    op.drop_table("device_status")
