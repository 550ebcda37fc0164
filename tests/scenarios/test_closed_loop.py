"""Closed loops in virtual time: some here, all with `make search`; the page holds what `make trials` measured."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.scenarios.cases import CASES, Case
from tests.scenarios.trial import tell
from tests.scenarios.verdict import judge
from tests.timed import FULL

PAGE = Path(__file__).parents[2] / "docs" / "closed-loop.md"
SMALL = (
    "export 0, load constant, meter late 5 s",
    "export 0, load ramp, late 5 s",
    "export 0, load constant, reversed",
    "import 100 kW, load step, meter averages 5 s",
    "import 100 kW, load constant, stuck",
    "peak 100 kW, load step, slow 5 %/s",
    "peak 100 kW, load ramp, late 2 s",
    "peak 100 kW, load ramp, meter late 2 s",
    "operator 30 %, load step, half",
    "operator 30 %, load constant, late 2 s",
)


def cases() -> Sequence[Case]:
    """Those of `make test`, or all."""
    return [case for case in CASES if FULL or str(case) in SMALL]


@pytest.mark.search
@pytest.mark.parametrize("case", cases(), ids=str)
def test_it_settles_holds_its_limit_and_does_not_swing(case: Case) -> None:
    assert judge(case, tell(case)).wrong == ()


def test_every_case_that_is_named_exists() -> None:
    assert {*SMALL} <= {str(case) for case in CASES}
