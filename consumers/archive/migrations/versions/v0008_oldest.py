"""The oldest row of each table is found without a scan: by the keys that are there, so nothing changes here.

An index for `at` was measured: consumers/archive/oldest.py says what it costs and what is done instead.
"""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing."""


def downgrade() -> None:
    """Nothing."""
