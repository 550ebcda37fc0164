"""The archive in the database, one definition for MariaDB and SQLite. The only shape that knows SQLAlchemy.

Every table has a natural primary key and its rows are never changed: a message that comes twice is one row, and
a reader may follow a device through time in the order the rows lie on the disk. JSON stands as the text that was
validated when it came, so nothing is decoded and encoded again on the way in.

Partitions by time need `at` in every unique key: that is why it stands in the key of the telemetry, though
(site, device, epoch, seq) alone names a sample (its bridge never changes the time of a sample in its outbox).
"""

from schemas.tables.column import LONGEST_NAME, Moment, metadata
from schemas.tables.commands import command, journal, outcome, run, segment
from schemas.tables.costs import CAUSES, MONEY, money, money_day, unpriced
from schemas.tables.energies import energy, flow, load_energy
from schemas.tables.events import PAYLOAD_CUT, alarm, control, dead_letter, device_status, plan
from schemas.tables.measured import dirty, gap, horizon, quarantine, rollup_1h, rollup_1m, rollup_15m, telemetry

REVISION = "0008"
"""The newest migration; a database that has another one is not written to."""

__all__ = [
    "CAUSES",
    "LONGEST_NAME",
    "MONEY",
    "PAYLOAD_CUT",
    "REVISION",
    "Moment",
    "alarm",
    "command",
    "control",
    "dead_letter",
    "device_status",
    "dirty",
    "energy",
    "flow",
    "gap",
    "horizon",
    "journal",
    "load_energy",
    "metadata",
    "money",
    "money_day",
    "outcome",
    "plan",
    "quarantine",
    "rollup_1h",
    "rollup_1m",
    "rollup_15m",
    "run",
    "segment",
    "telemetry",
    "unpriced",
]
