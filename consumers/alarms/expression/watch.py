"""A rule of one device, compiled: what is wrong now, and the value and the limit that say why."""

from dataclasses import dataclass

from consumers.alarms.expression.check import condition
from consumers.alarms.expression.checked import Checked
from consumers.alarms.expression.grammar import parse
from consumers.alarms.expression.scope import Place, Scope
from consumers.alarms.expression.topmost import Judge, Look, judge, leads, shown_unit
from consumers.alarms.expression.tree import Call, Compare, Node, Number, Ref, Text, printed
from consumers.alarms.expression.values import places
from consumers.alarms.expression.wrong import Wrong
from schemas.site_alarm import AlarmRule

TIMED = ("no_data", "silent", "count", "stuck", "projected", "rate")
"""Functions whose value changes by the clock alone."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The condition of one alarm. What looks back in time keeps its past in here: one rule, one watch."""

    words: str
    """The canonical text, with units."""
    unit: str
    """Of value and limit, where nothing else is said by a look."""
    reads: frozenset[Place]
    """What makes it worth another look when it is heard."""
    timed: bool
    """It is also looked at by the clock, once a second."""
    look: Judge
    """`look(latest, now, wall, active)`: what is so now. `now`: s on the monotonic clock; `active`: the alarm stands,
    so its limit is moved by the deadband."""


def watch(rule: AlarmRule, scope: Scope) -> Watch:
    """The condition of a rule for exactly one device: `scope` is that device's. Raises Wrong."""
    return _compiled(tree_of(rule), scope, rule.deadband)


def watch_text(text: str, scope: Scope) -> Watch:
    """An expression beside a rule, such as `suppress_when`. Raises Wrong."""
    return _compiled(parse(text), scope, 0.0)


def words(rule: AlarmRule, scope: Scope) -> str:
    """The canonical text of its condition. Raises Wrong."""
    return printed(condition(tree_of(rule), scope).node)


def tree_of(rule: AlarmRule) -> Node:  # noqa: PLR0911  # one per condition
    """Any condition as an expression, so that one evaluator judges them all. Raises Wrong."""
    point = Ref(rule.point)
    if rule.when is not None:
        return parse(rule.when)
    if rule.above is not None:
        return Compare(point, ">", Number(rule.above))
    if rule.below is not None:
        return Compare(point, "<", Number(rule.below))
    if rule.equals is not None:
        return Compare(point, "==", Text(rule.equals))
    if rule.contains is not None:
        return Call("has", (point,) if rule.contains == "*" else (point, Text(rule.contains)))
    if rule.no_data is not None:
        return Call("no_data", (Number(rule.no_data),))
    return Call("silent", (Number(rule.silent or 0.0, "s"),))


def _compiled(node: Node, scope: Scope, deadband: float) -> Watch:
    checked = condition(node, scope)
    if not places(checked) and not _timed(checked):
        raise Wrong(node.column, f"{printed(node)} looks at nothing and is always the same; name a point")
    if deadband and not leads(checked):
        words = "a deadband is a distance from a limit: compare two numbers with < or >, or leave `deadband` out"
        raise Wrong(node.column, words)
    said, looks = printed(checked.node), judge(checked, scope, deadband)
    return Watch(said, shown_unit(checked), places(checked), _timed(checked), looks)


def _timed(part: Checked) -> bool:
    own = isinstance(part.node, Call) and part.node.name in TIMED
    return own or any(_timed(one) for one in part.parts)


__all__ = ["Look", "Watch", "tree_of", "watch", "watch_text", "words"]
