"""How long until a battery is safe, against what is promised: one moment here, twenty with `make search`."""

from pathlib import Path

import pytest

from tests.scenarios.inputs import INPUTS, Input
from tests.scenarios.pages import SAFE, longest, promised
from tests.scenarios.safety import SEEDS, Times, measure
from tests.timed import FULL

PAGE = Path(__file__).parents[2] / "docs" / "time-to-safe.md"


@pytest.mark.search
@pytest.mark.parametrize("about", INPUTS, ids=lambda one: one.name)
def test_it_is_safe_within_its_promise(about: Input) -> None:
    times = measure(about, SEEDS if FULL else 1)
    assert times.kept, f"{times.longest:g} s, promised are {about.promise:g} s"


@pytest.mark.parametrize("about", INPUTS, ids=lambda one: one.name)
def test_the_page_says_what_is_promised_and_no_time_is_above_it(about: Input) -> None:
    """And each promise is the one that the code's constants make."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    (line,) = [one for one in lines if one.startswith(f"| {about.name} |")]
    row = Times(about, ())
    assert line.startswith(promised(row)), "the code promises something else: make trials"
    assert line.endswith("| yes |")
    assert longest("\n".join(lines), row) <= about.promise + 0.05


def test_the_page_explains_itself_in_the_words_of_the_code() -> None:
    assert SAFE in PAGE.read_text(encoding="utf-8"), "make trials"
