"""How long until a battery is safe, against what is promised: one moment here, twenty with `make search`."""

from pathlib import Path

import pytest

from tests.scenarios.inputs import INPUTS, Input
from tests.scenarios.safety import SEEDS, measure
from tests.timed import FULL

PAGE = Path(__file__).parents[2] / "docs" / "time-to-safe.md"


@pytest.mark.search
@pytest.mark.parametrize("about", INPUTS, ids=lambda one: one.name)
def test_it_is_safe_within_its_promise(about: Input) -> None:
    times = measure(about, SEEDS if FULL else 1)
    assert times.kept, f"{times.longest:g} s, promised are {about.promise:g} s"
