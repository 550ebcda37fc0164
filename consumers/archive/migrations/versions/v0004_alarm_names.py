"""Names of alarms as long as a rule and a device can be.

SQLite keeps no length with a text: there is nothing to change.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

BEFORE, NOW = 64, 193


def upgrade() -> None:
    _as_long_as(NOW)


def downgrade() -> None:
    _as_long_as(BEFORE)


def _as_long_as(length: int) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    name = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    for table, column in (("alarm", "alarm"), ("control", "subject")):
        op.alter_column(table, column, type_=name, existing_type=sa.String(BEFORE), nullable=False)
