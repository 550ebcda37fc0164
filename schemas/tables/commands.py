"""What was commanded, and the chain that proves it."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Text
from sqlalchemy.dialects import mysql

from schemas.tables.column import MARIADB, Moment, ascii_name, json_text, key, packed_bytes, table

journal = table(
    "journal",
    key("site"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", ascii_name(), nullable=False),
    Column("device", ascii_name(), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("id", ascii_name(), nullable=False),
    Column("state", ascii_name(), nullable=False),
    Column("previous", ascii_name(), nullable=False),
    Column("hash", ascii_name(), nullable=False),
    json=(),
)
"""The chain over the rows of `command` and `outcome` (the `kind`) of a site, in the order they came: the links that
no segment holds yet.

`hash` is the SHA-256 over `previous`, its own number and the whole row: consumers/archive/chain/journal.py.
"""

segment = table(
    "segment",
    key("site"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment(), nullable=False),
    Column("first_link", BigInteger, nullable=False),
    Column("last_link", BigInteger, nullable=False),
    Column("first_at", Moment(), nullable=False),
    Column("last_at", Moment(), nullable=False),
    Column("previous", ascii_name(), nullable=False),
    Column("head", ascii_name(), nullable=False),
    Column("digest", ascii_name(), nullable=False),
    Column("signature", ascii_name(), nullable=False),
    Column("pruned", Moment()),
    Column("pruned_signature", ascii_name(), nullable=False),
    Column("packed", packed_bytes()),
    Index("segment_last_at", "site", "last_at"),
    json=(),
)
"""A piece of the journal that is closed: sealed `at`, it holds the rows of its links, whose times span from `first_at`
to `last_at`. `packed` are the rows: runtime/segments.py. `head` is the hash of its last link, `previous` that of the
one before its first, `digest` the SHA-256 of `packed`. The signatures are empty where the archive has no journal key.

Pruned, `packed` is null, and the head stays: `pruned` says when that was, after the rows had been proven once more.
"""

run = table(
    "run",
    key("site"),
    Column("segment", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("day", ascii_name(10), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("device", ascii_name(), nullable=False),
    Column("source", ascii_name(), nullable=False),
    Column("authority", ascii_name(), nullable=False),
    Column("seconds", Double, nullable=False),
    Column("prefix", ascii_name(), nullable=False),
    Column("reason", Text().with_variant(mysql.LONGTEXT(), *MARIADB), nullable=False),
    Column("items", json_text(), nullable=False),
    Index("run_day", "site", "day"),
    json=("items",),
    mariadb_page_compressed="1",
)
"""What the rows of a segment say, for `v_commands`: commands of one `day` that differ only in number, time and value.

`items`: [[number, microseconds since `at`, W or null, outcomes, reason where it is another], ...], each outcome
[state, microseconds since the command, reason where there is one]. The id is `prefix` and number; the command holds
for `seconds`.
"""

command = table(
    "command",
    key("site"),
    key("device"),
    key("at", Moment()),
    key("id"),
    Column("until", Moment(), nullable=False),
    Column("source", ascii_name(), nullable=False),
    Column("authority", ascii_name(), nullable=False),
    Column("body", json_text(), nullable=False),
)

outcome = table(
    "outcome",
    key("site"),
    key("device"),
    key("at", Moment()),
    key("id"),
    key("state"),
    Column("body", json_text(), nullable=False),
)
