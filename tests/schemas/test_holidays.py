"""Public holidays of a country and its state."""

from datetime import date

import pytest

from schemas.holidays import Holidays, known


@pytest.mark.parametrize(
    ("written", "day", "free"),
    [
        ("DE-BW", date(2026, 1, 6), True),
        ("DE-BE", date(2026, 1, 6), False),
        ("de-by", date(2026, 6, 4), True),  # Corpus Christi
        ("DE", date(2026, 6, 4), False),
        ("US-CA", date(2026, 11, 26), True),
        ("AU-VIC", date(2026, 11, 3), True),  # Melbourne Cup
        ("DE-BW", date(2031, 12, 25), True),
    ],
)
def test_a_place_has_its_own_days_in_every_year(written: str, day: date, *, free: bool) -> None:
    assert (day in Holidays([written])) is free
    assert date(2026, 12, 24) in Holidays([written, "12-24"])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("DX", "DX is no country whose holidays are known: its two letters"),
        ("DE-XX", "DE has no part 'XX'; there is: .*BB, BE, BW"),
        ("xmas", 'is no holiday: write it such as .*"DE-BW"'),
    ],
)
def test_a_place_that_is_none_is_said_with_what_there_is(written: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        known(written)
