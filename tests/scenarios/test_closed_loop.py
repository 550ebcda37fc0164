"""Closed loops in virtual time: some here, all with `make search`; the page holds what `make trials` measured."""

import re
from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest

from tests.scenarios.cases import CASES, Case
from tests.scenarios.pages import LOOP, known, row
from tests.scenarios.trial import tell
from tests.scenarios.verdict import Result, judge
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


@pytest.mark.search
def test_a_case_that_is_told_again_is_the_same() -> None:
    case = next(one for one in CASES if str(one) == SMALL[0])
    assert row(judge(case, tell(case))) == row(judge(case, tell(case)))


def rows(case: Case) -> list[str]:
    """Of the page."""
    part = PAGE.read_text(encoding="utf-8").partition(f"## {case.limit.name}\n")[2].partition("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith(f"| {' | '.join(known(case))} |")]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_page_says_of_each_case_what_is_promised_and_no_number_is_above_it(case: Case) -> None:
    (line,) = rows(case)
    assert line.endswith("| yes |")
    pairs = re.findall(r"(\S+) (?:kW|s) of ([\d.]+) (?:kW|s)", line)
    assert all(float(value) <= float(most) for value, most in pairs), line
    untried = Result(case, inf, inf, inf, inf, inf, inf)
    promises = [most for _, most in re.findall(r"(\S+) of ([\d.]+)", row(untried))]
    assert {most for _, most in pairs} <= set(promises), "the code promises something else: make trials"
    # what broke is named or was not apart; what works has settled and rests, wherever the load comes to rest
    assert case.kind.broken or case.shape == "noise" or len(pairs) >= 3, line


def test_every_case_that_is_named_exists() -> None:
    assert {*SMALL} <= {str(case) for case in CASES}


def test_the_page_explains_itself_in_the_words_of_the_code() -> None:
    assert LOOP in PAGE.read_text(encoding="utf-8"), "make trials"
