"""Who shows wrong tokens waits; nobody else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.status.guesses import CALM, FREE, FREE_TOGETHER, LONGEST, LONGEST_TOGETHER, MOST, QUIET, Guesses

GUESSER, ANN = "192.0.2.66", "192.0.2.7"


def test_five_are_free_and_then_the_wait_doubles() -> None:
    guesses, now, waits = Guesses(), 0.0, []
    for _ in range(FREE + 10):
        guesses.wrong(GUESSER, now)
        waits.append(guesses.wait(GUESSER, now))
        now += waits[-1]
    assert waits[: FREE - 1] == [0.0] * (FREE - 1)
    assert waits[FREE - 1 :] == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST, LONGEST]


def test_the_right_one_forgets_the_wrong_ones_before() -> None:
    guesses = Guesses()
    for _ in range(10):
        for _ in range(FREE - 1):
            guesses.wrong(ANN, 0.0)
        guesses.right(ANN, 0.0)
    assert guesses.wait(ANN, 0.0) == 0.0


def test_after_a_calm_all_is_forgotten() -> None:
    guesses = Guesses()
    for _ in range(2 * FREE):
        guesses.wrong(ANN, 0.0)
    guesses.wrong(ANN, CALM)
    assert guesses.wait(ANN, CALM) == 0.0


def test_many_addresses_wait_together_but_not_who_showed_the_right_one_before() -> None:
    guesses = Guesses()
    guesses.right(ANN, 0.0)
    for number in range(FREE_TOGETHER + 30):
        guesses.wrong(f"198.51.100.{number}", 1.0)
    assert guesses.wait("203.0.113.5", 1.0) == LONGEST_TOGETHER
    assert guesses.wait(ANN, 1.0) == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::1", "::2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "unix", False),
    ],
)
def test_a_network_of_one_machine_is_one_guesser(one: str, other: str, same: bool) -> None:
    guesses = Guesses()
    for _ in range(FREE):
        guesses.wrong(one, 0.0)
    assert (guesses.wait(other, 0.0) > 0) is same


def test_it_is_said_once_and_remembers_no_more_than_it_must() -> None:
    guesses = Guesses()
    said = [guesses.wrong(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", n * 0.001) for n in range(5 * MOST)]
    assert sum(said) == 1
    assert guesses.wrong(GUESSER, QUIET + 5)
    assert len(guesses._of) <= MOST


@given(st.lists(st.tuples(st.floats(0, 400), st.sampled_from(["a", "b", "c"])), min_size=50, max_size=300))
def test_however_a_guesser_spreads_his_tries_few_are_looked_at(tries: list[tuple[float, str]]) -> None:
    """In a row of tries that are each made as soon as they may: never more than the free ones and one for a wait."""
    guesses, now, looked_at = Guesses(), 0.0, 0
    for pause, source in tries:
        now += pause / 100
        if not guesses.wait(source, now):
            looked_at += 1
            guesses.wrong(source, now)
    doubling = 9  # waits until they are longest: 1, 2, 4 ... 256 s
    assert looked_at <= 3 * (FREE + doubling + now / LONGEST)
