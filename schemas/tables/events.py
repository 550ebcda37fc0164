"""What else was said on the bus: alarms, states of devices, modes, plans, and what nobody could read."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String

from schemas.tables.column import LONGEST_NAME, Moment, alarm_name, ascii_name, json_text, key, packed_bytes, table

PAYLOAD_CUT = 4096
"""Bytes of a dead letter that are kept."""

alarm = table(
    "alarm",
    key("site"),
    key("alarm", alarm_name()),
    key("at", Moment()),
    key("state"),
    Column("priority", ascii_name(), nullable=False),
    Column("body", json_text(), nullable=False),
)
"""Each change of an alarm's state."""

device_status = table(
    "device_status",
    key("site"),
    key("device"),
    key("at", Moment()),
    key("state"),
    Column("body", json_text(), nullable=False),
)
"""Each change of what a bridge says of a device: whether it can be reached, and if not, why."""

control = table(
    "control",
    key("site"),
    key("at", Moment()),
    key("topic"),
    key("subject", alarm_name()),
    Column("who", String(LONGEST_NAME), nullable=False),
    Column("body", json_text(), nullable=False),
)
"""Who wanted what, what became of it, and who steers: control modes, and requests for them or to alarms (the
`subject`) with their outcomes; limits, the market prices that were said, and who was told of which alarm."""

plan = table(
    "plan",
    key("site"),
    key("at", Moment()),
    key("id"),
    Column("until", Moment(), nullable=False),
    Column("body", json_text(), nullable=False),
    Column("packed", packed_bytes()),
    mariadb_page_compressed="1",
)
"""`packed` is the plan, `body` what it forecasts, for `v_forecasts`: runtime/kept_plans.py. Of an older joulebus `body`
is the whole plan, and `packed` null."""

dead_letter = table(
    "dead_letter",
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("received", Moment(), nullable=False),
    Column("topic", String(512), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("payload", LargeBinary(PAYLOAD_CUT), nullable=False),
    json=(),
)
"""What could not be stored where it belongs, and why; the payload is cut."""
