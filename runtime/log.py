"""Log lines for people: one when a neighbour is lost, one when it is back, nothing in between."""

import logging
import sys

from schemas.troubles import Trouble

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def set_up(name: str, level: str = "INFO") -> None:
    """Lines on standard error: time, part, level, words. Raises Trouble for a level that there is not."""
    if level not in LEVELS:
        raise Trouble.unknown(f"JOULEBUS_LOG: the level {level!r}", level, LEVELS)
    logging.basicConfig(
        stream=sys.stderr,
        level=level,
        format=f"%(asctime)s {name:<9} %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
    )
    for noisy in ("pymodbus", "asyncio", "aiosqlite", "asyncmy", "alembic", "mqtt"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # each failure is said once, by the part that meets it
