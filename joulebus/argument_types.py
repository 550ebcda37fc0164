"""The numbers that commands take, refused with what would be right."""

import argparse

LONGEST_BACK = 36_525
"""Days."""


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


days.__name__, whole_days.__name__ = "number of days", "whole number of days"  # as argparse names them
months.__name__, size.__name__ = "whole number of months", "energy in kWh"
past_days.__name__ = "number of days from 0 to 60"
