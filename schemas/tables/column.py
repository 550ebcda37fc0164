"""What the tables of the archive and their columns are made of, the same in MariaDB and SQLite."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
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

LONGEST_NAME = 64

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


def ascii_name(length: int = LONGEST_NAME) -> String:
    """A name: one byte a letter, compared by its bytes, as Python compares it."""
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return String(length).with_variant(exact, *MARIADB)


def alarm_name() -> String:
    """The name of an alarm. SQLite takes any length, whatever its tables were made with."""
    exact = mysql.VARCHAR(LONGEST_ALARM, charset="ascii", collation="ascii_bin")
    return String(LONGEST_NAME).with_variant(exact, *MARIADB)


def json_text() -> Text:
    """JSON as the text it came as. MariaDB's own JSON type is this, too."""
    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *MARIADB)


def packed_bytes() -> LargeBinary:
    return LargeBinary().with_variant(mysql.LONGBLOB(), *MARIADB)


metadata = MetaData()


def table(name: str, *columns: SchemaItem, json: tuple[str, ...] = ("body",), **options: Any) -> Table:  # noqa: ANN401
    """A table of the archive; `json` are its columns that hold JSON, which both databases then check."""
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


def key(name: str, kind: Any = None) -> Column[Any]:  # noqa: ANN401
    """A column of the primary key; a name, unless another kind is given."""
    return Column(name, kind if kind is not None else ascii_name(), primary_key=True)
