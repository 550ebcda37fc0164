"""Closed loops in virtual time: some here, all with `make search`; the page holds what `make trials` measured."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.scenarios.cases import CASES, KNOWN, Case
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
    "operator 30 %, load step, half",
    "operator 30 %, load constant, late 2 s",
)


def cases() -> Sequence[object]:
    """Those of `make test`, or all."""
    found = []
    for case in CASES:
        marks = [pytest.mark.xfail(strict=True, reason=KNOWN[str(case)])] if str(case) in KNOWN else []
        if FULL or str(case) in SMALL:
            found.append(pytest.param(case, id=str(case), marks=marks))
    return found


@pytest.mark.search
@pytest.mark.parametrize("case", cases())
def test_it_settles_holds_its_limit_and_does_not_swing(case: Case) -> None:
    assert judge(case, tell(case)).wrong == ()


def test_every_case_that_is_named_exists() -> None:
    assert {*SMALL, *KNOWN} <= {str(case) for case in CASES}
