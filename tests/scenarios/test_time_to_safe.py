"""How long until a battery is safe, against what is promised: one moment here, twenty with `make search`."""

from pathlib import Path

import pytest

from tests.scenarios.inputs import INPUTS, Input
from tests.scenarios.pages import longest, measured, promised
from tests.scenarios.safety import SEEDS, measure
from tests.timed import FULL

PAGE = Path(__file__).parents[2] / "docs" / "time-to-safe.md"


@pytest.mark.search
@pytest.mark.parametrize("about", INPUTS, ids=lambda one: one.name)
def test_it_is_safe_within_its_promise(about: Input) -> None:
    """And the page says so."""
    times = measure(about, SEEDS if FULL else 1)
    page = PAGE.read_text(encoding="utf-8")
    assert times.kept, f"{times.longest:g} s, promised are {about.promise:g} s"
    assert times.longest <= longest(page, times) + 0.005, "the code has changed: make trials"
    assert not FULL or promised(times) + measured(times) in page.splitlines(), "the code has changed: make trials"


def test_the_page_has_every_input_and_all_are_as_promised() -> None:
    rows = PAGE.read_text(encoding="utf-8").splitlines()
    assert sum(line.endswith("| yes |") for line in rows) == len(INPUTS)
    assert not [line for line in rows if "**no**" in line]
