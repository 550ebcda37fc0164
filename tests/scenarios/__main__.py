"""`make trials`: runs every trial and writes docs/closed-loop.md and docs/time-to-safe.md."""

import logging
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.scenarios.cases import CASES, Case
from tests.scenarios.inputs import INPUTS
from tests.scenarios.pages import closed_loop, time_to_safe
from tests.scenarios.safety import Times, measure
from tests.scenarios.trial import tell
from tests.scenarios.verdict import Result, judge


def tried(case: Case) -> Result:
    """One closed loop."""
    logging.disable(logging.CRITICAL)
    return judge(case, tell(case))


def timed(number: int) -> tuple[float, ...]:
    """One input, by its number: what it does cannot be sent to another process."""
    logging.disable(logging.CRITICAL)
    return measure(INPUTS[number]).seconds


def main(folder: Path) -> int:
    """Gives 1 when something is not as promised."""
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        measured = pool.map(timed, range(len(INPUTS)))
        times = [Times(about, seconds) for about, seconds in zip(INPUTS, measured, strict=True)]
        (folder / "time-to-safe.md").write_text(time_to_safe(times), encoding="utf-8")
        results = list(pool.map(tried, CASES, chunksize=4))
        (folder / "closed-loop.md").write_text(closed_loop(results), encoding="utf-8")
    wrong = [f"{one.case}: {'; '.join(one.wrong)}" for one in results if one.wrong]
    wrong += [f"{one.about.name}: {one.longest:g} s, not {one.about.promise:g} s" for one in times if not one.kept]
    sys.stdout.write("\n".join([*wrong, f"{len(results) + len(times)} tried, {len(wrong)} not as promised\n"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
