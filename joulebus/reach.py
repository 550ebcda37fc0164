"""Years that a question may be asked of: with room on both sides for what is reckoned from them."""

from datetime import date

from schemas.troubles import Usage

FIRST, LAST = 1900, 2999


class OutOfReach(Usage):
    """A day or time of another millennium."""


def within_reach(found: date, option: str, given: str) -> None:
    """Raises OutOfReach for a day or time of another millennium."""
    if not FIRST <= found.year <= LAST:
        raise OutOfReach(f"{option}: {given!r} lies beyond all archives: write a year from {FIRST} to {LAST}")
