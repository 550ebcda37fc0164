"""The topmost comparison of a condition: it says why, and its limit is moved by the deadband."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from consumers.alarms.expression.checked import Checked
from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.tree import Among, Both, Call, Compare, Either, Not, Text
from consumers.alarms.expression.truths import COMPARES, ends, has, names, of_names, patience, sides, steady, truth
from consumers.alarms.expression.units import unit
from consumers.alarms.expression.values import reading
from consumers.alarms.expression.windows import Run
from consumers.alarms.latest import Latest
from schemas.messages import Value
from schemas.units import LARGEST


class Look(NamedTuple):
    """What a look found."""

    wrong: bool | None
    """None: not known."""
    value: Value | None
    """Of the topmost comparison that says why; of `and` the first, of `or` the first that is wrong."""
    limit: Value | None
    """What it is compared with, in the same unit; where an alarm is raised, without the deadband."""
    unit: str


Judge = Callable[[Latest, float, datetime, bool], Look]


def judge(part: Checked, scope: Scope, deadband: float) -> Judge:  # noqa: PLR0911  # one case per kind of node
    """`deadband`: in the unit of the first comparison; it moves each limit of that dimension that `and` and `or` lead
    to."""
    match part.node:
        case Both():
            return _joined([judge(one, scope, _share(part, one, deadband)) for one in part.parts], decides=False)
        case Either():
            return _joined([judge(one, scope, _share(part, one, deadband)) for one in part.parts], decides=True)
        case Not():
            return _turned(judge(part.parts[0], scope, 0.0))
        case Compare() if not names(part):
            return _numbers(part, scope, deadband)
        case Compare(_, sign):
            return _pair(COMPARES[sign], *of_names(part))
        case Among(_, choices):
            return _told(truth(part, scope), reading(part.parts[0]), ", ".join(choices))
        case Call("has", args):
            flag = args[1].value if len(args) == 2 and isinstance(args[1], Text) else None
            return _told(has(part, scope), _of_flags(reading(part.parts[0]), flag), flag)
        case Call("no_data" | "silent"):
            return _aged(scope.own, patience(part, scope), steady(scope))
    return _told(truth(part, scope), lambda _latest, _now, _wall: None, None)


def leads(part: Checked) -> Checked | None:
    """The first comparison of numbers with < or > that `and` and `or` lead to."""
    match part.node:
        case Both() | Either():
            return next((found for one in part.parts if (found := leads(one)) is not None), None)
        case Compare(_, sign) if not names(part) and sign not in ("==", "!="):
            return part
    return None


def shown_unit(part: Checked) -> str:
    """Of the value and the limit."""
    match part.node:
        case Both() | Either() | Not():
            return shown_unit(part.parts[0])
        case Compare() if not names(part):
            return _unit(part)
        case Call("no_data" | "silent"):
            return "s"
    return ""


def _unit(part: Checked) -> str:
    """Of a comparison of numbers: that of the side which is no constant."""
    left, right = part.parts
    one = right if not _looks(left) and _looks(right) else left
    return one.quantity.unit or ""


def _looks(part: Checked) -> bool:
    return part.found is not None or any(_looks(one) for one in part.parts) or isinstance(part.node, Call)


def _share(whole: Checked, one: Checked, deadband: float) -> float:
    """The deadband in the unit of another comparison; 0 where that is of another dimension."""
    first, own = leads(whole), leads(one)
    if first is None or own is None or not deadband:
        return 0.0
    ours, its = unit(_unit(first)), unit(_unit(own))
    return deadband * ours.factor / its.factor if ours.dimension == its.dimension else 0.0


def _numbers(part: Checked, scope: Scope, deadband: float) -> Judge:
    left, sign, right = sides(part, scope)
    moved = -deadband if sign in (">", ">=") else deadband if sign in ("<", "<=") else 0.0
    compares, name = COMPARES[sign], _unit(part)
    if right.constant is not None and left.constant is None and ends(sign, left, right) is None:
        return _beside(left.run, compares, right.constant, moved, name)
    some = ends(sign, left, right)

    def judged(latest: Latest, now: float, wall: datetime, active: bool) -> Look:
        value, limit = left.run(latest, now, wall), right.run(latest, now, wall)
        if value is not None and limit is not None:
            wrong = compares(value, limit + moved if active else limit)
            return Look(wrong, _within(value), _within(limit), name)
        if some is not None:
            low, high = some[0](latest, now, wall), some[1](latest, now, wall)
            if low is not None and high is not None and compares(low, high + moved if active else high):
                return Look(True, _within(low), _within(high), name)
        return Look(None, _within(value), _within(limit), name)

    return judged


def _beside(run: Run, compares: Callable[[Any, Any], bool], limit: float, moved: float, name: str) -> Judge:
    """With a number, as most are: in as few steps as can be."""
    back, shown = limit + moved, _within(limit)

    def judged(latest: Latest, now: float, wall: datetime, active: bool) -> Look:
        value = run(latest, now, wall)
        if value is None:
            return Look(None, None, shown, name)
        return Look(compares(value, back if active else limit), _within(value), shown, name)

    return judged


def _within(value: float | None) -> float | None:
    """What a message can say."""
    return value if value is None or -LARGEST <= value <= LARGEST else LARGEST if value > 0 else -LARGEST


def _pair(compares: Callable[[Any, Any], bool], left: Run, right: Run) -> Judge:
    def judged(latest: Latest, now: float, wall: datetime, _active: bool) -> Look:
        value, limit = left(latest, now, wall), right(latest, now, wall)
        return Look(None if value is None or limit is None else compares(value, limit), value, limit, "")

    return judged


def _told(wrong: Run, value: Run, limit: str | None) -> Judge:
    def judged(latest: Latest, now: float, wall: datetime, _active: bool) -> Look:
        return Look(wrong(latest, now, wall), value(latest, now, wall), limit, "")

    return judged


def _of_flags(run: Run, flag: str | None) -> Run:
    """Those that are set; of one that is named that one alone: the others have alarms of their own."""
    if flag is None:
        return run

    def named(latest: Latest, now: float, wall: datetime) -> list[str] | None:
        return [flag] if flag in (run(latest, now, wall) or ()) else None

    return named


def _aged(device: str, limit: float, again: float) -> Judge:
    """One that was silent answers again when its readings follow each other: a single one is not the end."""

    def judged(latest: Latest, now: float, _wall: datetime, active: bool) -> Look:
        age = latest.age(device, limit, now)
        return Look(None if age is None else age > (again if active else limit), age, limit, "s")

    return judged


def _turned(of: Judge) -> Judge:
    def judged(latest: Latest, now: float, wall: datetime, _active: bool) -> Look:
        found = of(latest, now, wall, False)
        return found if found.wrong is None else found._replace(wrong=not found.wrong)

    return judged


def _joined(parts: list[Judge], *, decides: bool) -> Judge:
    """All are looked at: what looks back in time must see each reading."""

    def judged(latest: Latest, now: float, wall: datetime, active: bool) -> Look:
        found = [one(latest, now, wall, active) for one in parts]
        deciding = [one for one in found if one.wrong is decides]
        if deciding:
            return deciding[0] if decides else found[0]._replace(wrong=False)
        wrong = None if any(one.wrong is None for one in found) else not decides
        return found[0]._replace(wrong=wrong)

    return judged
