"""Public holidays, written as dates, as the rules they follow, or as the country and state that has them: a price and
a load know no other Sundays. Pure."""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

LOOKS_LIKE = (
    'such as "2026-12-25", "12-25" (each year), "easter+1", "4 thu nov", "last mon may", or all of a country or of its '
    'state: "DE-BW"'
)
ISO = "its two letters of ISO 3166, such as DE or US"
PLACE = re.compile(r"([a-z]{2})(?:-([a-z0-9]{1,3}))?")
"""ISO 3166-1, and the part of 3166-2 behind its dash."""

InYear = Callable[[int], date | None]
"""The date in a year; None where that year has none."""


def known(text: str) -> None:
    """Raises ValueError where it is no holiday, no rule and no place."""
    if PLACE.fullmatch(_word(text)):
        _of_place(_word(text), 2024)
    else:
        rule(text)


def dates(text: str, year: int) -> frozenset[date]:
    """The days in a year that one entry stands for. Raises ValueError as `known` does."""
    if PLACE.fullmatch(_word(text)):
        return _of_place(_word(text), year)
    found = rule(text)(year)
    return frozenset() if found is None else frozenset({found})


def _word(text: str) -> str:
    return " ".join(text.lower().split())


@lru_cache(maxsize=256)
def _of_place(word: str, year: int) -> frozenset[date]:
    """The public holidays of a country, or of its state."""
    import holidays  # noqa: PLC0415  # 0.1 s, and most tariffs name no place

    country, _, state = word.upper().partition("-")
    parts = holidays.list_supported_countries(include_aliases=False)
    if country not in parts:
        raise ValueError(f"{word.upper()!r} is no holiday: {country} is no country whose holidays are known: {ISO}")
    if state and state not in parts[country]:
        there = ", ".join(sorted(parts[country])) or "none: write the country alone"
        raise ValueError(f"{word.upper()!r} is no holiday: {country} has no part {state!r}; there is: {there}")
    return frozenset(holidays.country_holidays(country, subdiv=state or None, years=year))


def rule(text: str) -> InYear:
    """The rule that one entry stands for. Raises ValueError for anything else."""
    word = _word(text)
    try:
        return _parse(word)
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is no holiday: write it {LOOKS_LIKE}") from None


def _parse(word: str) -> InYear:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
        day = date.fromisoformat(word)
        return lambda year: day if year == day.year else None
    if given := re.fullmatch(r"(\d{2})-(\d{2})", word):
        month, number = int(given[1]), int(given[2])
        date(2024, month, number)  # a leap year has every date
        return lambda year: _dated(year, month, number)
    if given := re.fullmatch(r"easter ?([+-] ?\d{1,3})?", word):
        apart = timedelta(days=int((given[1] or "0").replace(" ", "")))
        return lambda year: easter(year) + apart
    if given := re.fullmatch(r"(last|[1-5]) ([a-z]{3}) ([a-z]{3})", word):
        count, weekday, month = given[1], DAYS.index(given[2]), MONTHS.index(given[3]) + 1
        return lambda year: _counted(year, month, weekday, None if count == "last" else int(count))
    raise ValueError(word)


def _dated(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # 29 February
        return None


def _counted(year: int, month: int, weekday: int, count: int | None) -> date | None:
    first = date(year, month, 1)
    found = [
        day
        for week in range(5)
        if (day := first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * week)).month == month
    ]
    return found[-1] if count is None else found[count - 1] if count <= len(found) else None


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    century, rest = divmod(year, 100)
    leap, more = divmod(century, 4)
    moon = (19 * (year % 19) + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * more + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (year % 19 + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


class Holidays:
    """The holidays of a site."""

    def __init__(self, written: Sequence[str] = ()) -> None:
        self.written = tuple(written)

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and day in _of_year(self.written, day.year)

    def __bool__(self) -> bool:
        return bool(self.written)

    def unwritten(self, first: date, last: date) -> list[int]:
        """The years from `first` to `last` that a list of dates has forgotten; one rule covers every year."""
        years = range(first.year, last.year + 1)
        return [year for year in years if self.written and not _of_year(self.written, year)]


@lru_cache(maxsize=256)
def _of_year(written: tuple[str, ...], year: int) -> frozenset[date]:
    return frozenset(day for one in written for day in dates(one, year))
