"""What keeps a plan from being made: counted, told in words, and a cause for an alarm where it comes again."""

import json
import re
from typing import Any

from runtime.part import Part
from schemas.messages import Cause

AGAIN, ROW = 2, 5
"""Plans in a row that fail for one reason, or for whatever reason, until that is a trouble although the last one goes
on."""
LACKS = 60.0
"""Seconds without what a plan is made from until that is a trouble."""
NUMBER = re.compile(r"\d[\d.,:]*")


def same(why: str) -> str:
    """A reason without its numbers and times: the next plan fails for the same with others."""
    return NUMBER.sub("#", why.split(";", maxsplit=1)[0])


class Setbacks:
    """Since the last plan that was made."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._reason, self._again, self._row = "", 0, 0

    def add(self, why: str, *, valid: bool) -> None:
        """One more. `valid`: the last plan goes on."""
        self._row, self._again = self._row + 1, self._again + 1 if same(why) == self._reason else 1
        self._reason = same(why)
        self.part.counts["failed"] += 1
        self.part.detail = why
        self.part.log.warning("%s", why)
        if not valid:
            self.part.causes.clear(Cause.PLAN_FAILS)
            self.part.causes.add(Cause.NO_PLAN, f"no plan is valid: {why}")
        elif self._again >= AGAIN or self._row >= ROW:
            self.part.causes.add(Cause.PLAN_FAILS, f"no new plan, the last one goes on: {why}")

    def lack(self, what: str, *, valid: bool) -> None:
        """None can be made, as what it is made from is not known. At a start that takes some seconds."""
        self.part.detail = f"no new plan: {what}"
        if not valid:
            self.part.causes.clear(Cause.PLAN_FAILS)
            self.part.causes.add(Cause.NO_PLAN, f"no plan is valid: {what}", after=LACKS)

    def over(self) -> None:
        """There is a plan."""
        self._reason, self._again, self._row = "", 0, 0
        self.part.causes.clear(Cause.TARIFF)
        self.part.causes.clear(Cause.PLAN_FAILS, words="there is a new plan again")
        self.part.causes.clear(Cause.NO_PLAN, words="there is a plan again")

    def keep_aside(self, refused: dict[str, Any] | None) -> str:
        """The last one that was refused, for who wants to know why; gives where it is."""
        path = self.part.settings.state / f"refused-plan-{self.part.site.site}.json"
        try:
            path.write_text(json.dumps(refused, allow_nan=False), encoding="utf-8")
        except (OSError, ValueError) as wrong:
            return f"; it could not be kept aside: {wrong}"
        return f"; it is kept in {path.name}"
