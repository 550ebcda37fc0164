"""The numbers that commands take, refused with what would be right."""

import argparse
import re
from datetime import datetime

from schemas.units import NAME

LONGEST_BACK = 36_525
"""Days."""
FIRST_YEAR, LAST_YEAR = 1971, 2199
LAST_PORT = 65_500
"""The health endpoints of all parts follow it."""


def days(text: str) -> float:
    """Days back: more than none, and no more than a hundred years."""
    days = float(text)
    if not 0 < days <= LONGEST_BACK:
        raise argparse.ArgumentTypeError(f"{text} is no number of days to look back: write 1 to {LONGEST_BACK}")
    return days


def whole_days(text: str) -> int:
    """The same, whole days."""
    return int(days(str(int(text))))


def months(text: str) -> int:
    """Months back, of ten years at most."""
    months = int(text)
    if not 1 <= months <= 120:
        raise argparse.ArgumentTypeError(f"{text} is no number of months to look back: write 1 to 120")
    return months


def size(text: str) -> float:
    """kWh of a battery."""
    energy = float(text)
    if not 0 < energy <= 1e7:
        raise argparse.ArgumentTypeError(f"{text} is no battery: write its energy in kWh, such as 200")
    return energy


def past_days(text: str) -> float:
    """Days that a new demo looks back on; argparse says what is right by the name of this."""
    days = float(text)
    if not 0 <= days <= 60:
        raise ValueError
    return days


def moment(text: str) -> datetime:
    """A time of this century or near it, as there is no other weather."""
    found = datetime.fromisoformat(text)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"{text} lies too far off: write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return found


def port(text: str) -> int:
    """A port with room for the few behind it that belong to it."""
    number = int(text)
    if not 1 <= number <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: write 1024 to {LAST_PORT}, such as 8080")
    return number


def part_name(text: str) -> str:
    """Of a part: it is a word of its topics and of its files."""
    if not re.fullmatch(NAME, text) or len(text) > 64:
        raise argparse.ArgumentTypeError(f"{text!r} is no name: write up to 64 of a-z, 0-9, _ and -, such as bridge_2")
    return text


def seconds(text: str) -> float:
    """A length of time."""
    length = float(text)
    if not 0 < length <= LONGEST_BACK * 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no length of time: write seconds, such as 60")
    return length


port.__name__, seconds.__name__, moment.__name__ = "port", "number of seconds", "time such as 2026-06-07T12:00"
days.__name__, whole_days.__name__ = "number of days", "whole number of days"  # as argparse names them
months.__name__, size.__name__ = "whole number of months", "energy in kWh"
past_days.__name__ = "number of days from 0 to 60"
