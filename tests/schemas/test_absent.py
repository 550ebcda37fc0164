"""What is not known is absent on the wire, and never `null`; readers take both."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from joulebus.examples import EXAMPLES
from schemas.messages import ControlDispatch, Message, Mode, Order
from schemas.topics import TOPICS, Topic

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)

AS_AN_OLDER_ONE_SAYS = {("ControlDispatch", "rules_hold")}
"""Taken with `null` inside, and never said so: see below."""


def inside(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from inside(part)


def kinds() -> dict[str, type[BaseModel]]:
    """Every payload and all that they are made of."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[Any] = [topic.payload for topic in TOPICS]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__name__ not in found:
            found[kind.__name__] = kind
            waiting += [part for field in kind.model_fields.values() for part in inside(field.annotation)]
    return found


KINDS = kinds()


def nulls(node: Any, path: str = "") -> list[str]:
    if isinstance(node, dict):
        return [one for key, part in node.items() for one in nulls(part, f"{path}.{key}")]
    if isinstance(node, list):
        return [one for place, part in enumerate(node) for one in nulls(part, f"{path}.{place}")]
    return [path] if node is None else []


def with_nulls(node: Any, kind: Any) -> Any:
    """As an older joulebus said it: `null` for each field that is not known."""
    if isinstance(node, list):
        return [with_nulls(part, kind) for part in node]
    if not isinstance(node, dict):
        return node
    models = [known for known in KINDS.values() if known in inside(kind)]
    fields = {name: field for model in models for name, field in model.model_fields.items() if name in node}
    if not fields:  # a table of name: something
        return {key: with_nulls(part, kind) for key, part in node.items()}
    said = {key: with_nulls(part, fields[key].annotation if key in fields else kind) for key, part in node.items()}
    optional = [name for name, field in models[0].model_fields.items() if type(None) in get_args(field.annotation)]
    return dict.fromkeys(optional) | said


@pytest.mark.parametrize("name", KINDS)
def test_a_field_may_be_absent_wherever_it_may_be_unknown_and_nothing_else_holds_a_null(name: str) -> None:
    kind = KINDS[name]
    assert issubclass(kind, Message | Order), "its model_dump_json says `null`"
    for key, field in kind.model_fields.items():
        may = type(None) in get_args(field.annotation)
        assert not may or (not field.is_required() and field.default is None), f"{key}: absent is not None"
        within = [one for part in get_args(field.annotation) for one in inside(part) if part is not type(None)]
        assert (name, key) in AS_AN_OLDER_ONE_SAYS or type(None) not in within, f"{key}: exclude_none does not see it"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_no_example_says_null_and_one_with_null_is_the_same(topic: Topic[Any]) -> None:
    example = EXAMPLES[topic.name]
    said = example.model_dump_json()
    assert nulls(json.loads(said)) == []
    assert topic.payload.model_validate_json(said) == example
    older = json.dumps(with_nulls(json.loads(said), topic.payload))
    assert topic.payload.model_validate_json(older) == example


def test_the_examples_would_say_null_otherwise() -> None:
    silent = [name for name, example in EXAMPLES.items() if not nulls(example.model_dump(mode="json"))]
    assert len(silent) < len(EXAMPLES) / 2


def test_a_rule_without_an_end_of_its_own_is_said_without_null() -> None:
    known: dict[str, Any] = {"at": NOON, "mode": Mode.AUTO, "reason": "rests", "batteries": {}}
    said = ControlDispatch(**known, rules_hold={"night": NOON, "guests": None})
    assert (said.rules_hold, said.rules_endless) == ({"night": NOON}, ["guests"])
    assert ControlDispatch.model_validate_json(said.model_dump_json()) == said
    assert nulls(json.loads(said.model_dump_json())) == []
    older = json.dumps({**json.loads(said.model_dump_json()), "rules_hold": {"guests": None}, "rules_endless": []})
    assert ControlDispatch.model_validate_json(older).rules_endless == ["guests"]
