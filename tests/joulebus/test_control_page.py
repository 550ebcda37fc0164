"""The page about control says what the code does: its limits are those of the guard, in their order."""

import ast
from collections.abc import Iterator
from pathlib import Path

import bridges.control
from bridges.control import limits as names
from joulebus.control import control
from joulebus.control_limits import MEANS, sources

ROOM = Path(next(iter(bridges.control.__path__)))
SENT = {"source", "now.dso_name"}
"""Variables that hold `AUTHORITY:limit`."""


def made(node: ast.expr) -> Iterator[str]:
    """The names that a limit may have there; what varies is a star."""
    match node:
        case ast.IfExp(body=one, orelse=other):
            yield from (*made(one), *made(other))
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "*" for one in parts)
        case _ if (text := ast.unparse(node)) in SENT:
            yield "*:limit"
        case _:
            yield str(getattr(names, text))


def every_source() -> Iterator[str]:
    """Of each limit that is made anywhere in the room."""
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Limit", "Limited"):
                given = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "source")]
                for one in given:
                    if ast.unparse(one) != "source" or node.func.id == "Limit":  # an outcome repeats what was made
                        yield from made(one)


def as_made(shown: str) -> str:
    """What varies is in capitals on the page."""
    return "".join("*" if part.isupper() else part for part in shown.partition(":"))


def test_each_limit_that_the_code_makes_has_its_line_and_no_line_is_without_one() -> None:
    assert {as_made(one) for one in MEANS} == set(every_source())
    assert sorted(sources()) == sorted(MEANS)


def test_they_stand_in_the_order_in_which_they_are_applied() -> None:
    order = sources()
    for stronger, weaker in (
        ("register:worn", "DEVICE:range"),
        ("DEVICE:range", "interlock:NAME"),
        ("interlock:NAME", "pcs:reversed"),
        ("pcs:not_running", "pcs:apparent_power"),
        ("bms:current", "battery:soc"),
        ("battery:soc", "site:grid"),
        ("site:grid", "AUTHORITY:limit"),
        ("AUTHORITY:limit", "battery:ramp"),
    ):
        assert order.index(stronger) < order.index(weaker), (stronger, weaker)


def test_a_grid_mode_in_auto_is_followed_at_rest_and_refused_while_it_runs() -> None:
    """As the page says it, and dispatch does it: the table is made by asking it."""
    assert "| `auto` | followed | refused: `wrong_state` |" in control()
    assert "| `local` | refused: `local` | refused: `local` |" in control()
