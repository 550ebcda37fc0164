"""Commands and outcomes in segments that are closed, and plans in columns.

What is stored stays where it is: the archive closes the old rows, too, some at a time, and reads old plans as they are.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from schemas import views

revision = "0007"
down_revision = "0006"

MARIADB = ("mariadb", "mysql")


def upgrade() -> None:
    _tables()
    columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns("plan")]
    if "packed" not in columns:
        op.add_column("plan", sa.Column("packed", _bytes(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":  # the other replaces a view
        for name in views.since(revision):
            op.execute(f"DROP VIEW IF EXISTS {name}")
    for statement in views.statements(op.get_bind().dialect.name, revision):
        op.execute(statement)


def _tables() -> None:
    name, day = _ascii(64), _ascii(10)
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
    options = {"mariadb_engine": "InnoDB", "mariadb_default_charset": "utf8mb4", "mariadb_collate": "utf8mb4_bin"}
    op.create_table(
        "segment",
        sa.Column("site", name, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("first_link", sa.BigInteger(), nullable=False),
        sa.Column("last_link", sa.BigInteger(), nullable=False),
        sa.Column("first_at", moment, nullable=False),
        sa.Column("last_at", moment, nullable=False),
        *(sa.Column(one, name, nullable=False) for one in ("previous", "head", "digest", "signature")),
        sa.Column("pruned", moment, nullable=True),
        sa.Column("pruned_signature", name, nullable=False),
        sa.Column("packed", _bytes(), nullable=True),
        sa.PrimaryKeyConstraint("site", "number"),
        if_not_exists=True,
        **options,
    )
    op.create_index("segment_last_at", "segment", ["site", "last_at"], if_not_exists=True)
    text = sa.Text().with_variant(mysql.LONGTEXT(), *MARIADB)
    json = sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *MARIADB)
    op.create_table(
        "run",
        sa.Column("site", name, nullable=False),
        sa.Column("segment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", day, nullable=False),
        sa.Column("at", moment, nullable=False),
        *(sa.Column(one, name, nullable=False) for one in ("device", "source", "authority")),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("prefix", name, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("items", json, nullable=False),
        sa.PrimaryKeyConstraint("site", "segment", "number"),
        sa.CheckConstraint("items IS NULL OR json_valid(items)", name="run_items_is_json"),
        if_not_exists=True,
        mariadb_page_compressed="1",
        **options,
    )
    op.create_index("run_day", "run", ["site", "day"], if_not_exists=True)


def _ascii(length: int) -> sa.String:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, *MARIADB)


def _bytes() -> sa.LargeBinary:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), *MARIADB)


def downgrade() -> None:
    """The views as they were are made by no migration any more: nobody goes back behind this one."""
    raise NotImplementedError("what is closed in segments is not opened again")
