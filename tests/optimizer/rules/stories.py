"""Rules lived through at the rhythm of dispatch, in virtual time."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from optimizer.rules.facts import Facts, Now, Quarters
from optimizer.rules.judge import Judged, Memory, State, judge
from schemas.messages import Mode, Value
from schemas.site_rules import Quantity, SiteRule
from tests.optimizer.outlooks import BERLIN, NOON

TICK = 2.0
"""Seconds between two decisions of dispatch."""


def rule(name: str = "noon", **given: Any) -> SiteRule:
    """A rule of the site file, its points in W."""
    whole = {"name": name, "when": [{"quantity": "import", "above": 400e3}], "then": {"import_limit": 380e3}, **given}
    return SiteRule.model_validate(whole)


class Life:
    """Some rules and what they remember."""

    def __init__(self, *rules: SiteRule, begin: datetime = NOON, quarters: Quarters | None = None) -> None:
        self.rules, self.memory = rules, dict[str, Memory]()
        self.now, self.steady = begin, 1000.0
        self.quarters = quarters or Quarters()
        self.judged = Judged([], {})

    def see(
        self,
        seconds: float = TICK,
        points: Mapping[tuple[str, str], Value] | None = None,
        mode: Mode = Mode.AUTO,
        **numbers: float,
    ) -> list[State]:
        """The same for so long; the states of the first rule, one a tick."""
        found = list[State]()
        for _ in range(round(seconds / TICK)):
            known: dict[Quantity, float] = {name.rstrip("_"): value for name, value in numbers.items()}  # type: ignore[misc]  # `import` is a word of Python
            facts = Facts(BERLIN, points or {}, known, self.quarters, mode)
            self.judged = judge(self.rules, facts, Now(self.steady, self.now), self.memory)
            self.memory = dict(self.judged.memory)
            found.append(self.judged.proposals[0].state)
            self.now += timedelta(seconds=TICK)
            self.steady += TICK
        return found

    @property
    def state(self) -> State:
        return self.judged.proposals[0].state

    @property
    def words(self) -> str:
        return self.judged.proposals[0].words


def prices(of: Callable[[datetime], float], begin: datetime = NOON, days: int = 2) -> Quarters:
    """Of whole local days around a moment."""
    first = begin - timedelta(days=1)
    each = [first.replace(minute=0, second=0) + n * timedelta(minutes=15) for n in range(96 * (days + 1))]
    return Quarters({at: of(at) for at in each}, {at: of(at) / 2 for at in each}, dict.fromkeys(each, 1000.0))
