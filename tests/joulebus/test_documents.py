"""The generated documents are current, and say what the code does."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from joulebus.asyncapi import document
from joulebus.documents import DOCUMENTS, generate
from joulebus.examples import EXAMPLES
from joulebus.words import type_words, unit
from schemas.profiles import PROFILES
from schemas.topics import COMMAND, TOPICS, Topic

DOCS = Path(__file__).parents[2] / "docs"

Node = dict[str, Any]


def test_the_documents_are_current(tmp_path: Path) -> None:
    for made in generate(tmp_path):
        kept = DOCS / made.name
        same = kept.is_file() and kept.read_bytes() == made.read_bytes()
        assert same, f"docs/{made.name} is not what the code says now: run `make docs` and look at the difference"


def test_the_same_code_makes_the_same_documents(tmp_path: Path) -> None:
    first, again = generate(tmp_path / "1"), generate(tmp_path / "2")
    assert [path.name for path in first] == list(DOCUMENTS)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


# --- AsyncAPI --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contract() -> Node:
    made: Node = json.loads(json.dumps(document()))
    return made


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for part in node for found in references(part)]
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for part in node.values() for found in references(part)]
    return []


def follow(contract: Node, reference: str) -> Any:
    node: Any = contract
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_reference_leads_somewhere(contract: Node) -> None:
    found = references(contract)
    assert len(found) > 50
    for reference in found:
        assert follow(contract, reference)


def test_every_topic_is_a_channel_with_its_places(contract: Node) -> None:
    assert list(contract["channels"]) == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        channel = contract["channels"][topic.name]
        assert channel["address"] == topic.template
        assert list(channel["parameters"]) == topic.places


def test_every_operation_tells_how_it_is_delivered_and_who_writes(contract: Node) -> None:
    by_channel: dict[str, list[Node]] = {topic.name: [] for topic in TOPICS}
    for operation in contract["operations"].values():
        by_channel[operation["channel"]["$ref"].rpartition("/")[2]].append(operation)
    for topic in TOPICS:
        assert {one["action"] for one in by_channel[topic.name]} == (
            {"send", "receive"} if "operator" in topic.writers else {"send"}
        )
        for operation in by_channel[topic.name]:
            mqtt = operation["bindings"]["mqtt"]
            assert (mqtt["qos"], mqtt["retain"]) == (1, topic.retain)
            assert ("messageExpiryInterval" in mqtt) == topic.expires
            assert operation["x-writers"] == list(topic.writers)
    (command,) = by_channel[COMMAND.name]
    assert command["bindings"]["mqtt"]["messageExpiryInterval"] == 10


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_example_is_heard_as_it_is_printed(contract: Node, topic: Topic[Any]) -> None:
    (example,) = contract["components"]["messages"][topic.payload.__name__]["examples"]
    payload = example["payload"]
    assert topic.payload.model_validate_json(json.dumps(payload)) == EXAMPLES[topic.name]
    check(contract, topic).validate(payload)
    with pytest.raises(jsonschema.ValidationError):
        check(contract, topic).validate({key: value for key, value in payload.items() if key not in REQUIRED})


REQUIRED = {"at", "kind", "epoch", "id", "state"}


def check(contract: Node, topic: Topic[Any]) -> jsonschema.Draft7Validator:
    schema = {"$ref": f"#/components/schemas/{topic.payload.__name__}", "components": contract["components"]}
    jsonschema.Draft7Validator.check_schema(follow(contract, schema["$ref"]))
    return jsonschema.Draft7Validator(schema)


def test_an_order_with_an_unknown_key_is_no_order(contract: Node) -> None:
    order = EXAMPLES[COMMAND.name].model_dump(mode="json", exclude_unset=True)
    check(contract, COMMAND).validate(order)
    with pytest.raises(jsonschema.ValidationError, match="unexpected"):
        check(contract, COMMAND).validate(order | {"force": True})


def test_powers_carry_their_unit(contract: Node) -> None:
    step = contract["components"]["schemas"]["Step"]["properties"]
    assert [step[name]["unit"] for name in ("power", "seconds", "soc")] == ["W", "s", "%"]


def test_the_contract_speaks_json_not_python(contract: Node) -> None:
    for text in (DOCUMENTS["topics.md"](), DOCUMENTS["asyncapi.json"]()):
        assert "None" not in text
    cause = contract["components"]["schemas"]["Outcome"]["properties"]["cause"]
    assert cause["description"] == "Why, in the words of `Cause`; absent where all is as it was wanted."


def test_the_contract_says_nothing_is_null(contract: Node) -> None:
    assert "null" not in json.dumps(contract)
    for topic in TOPICS:
        schema = check(contract, topic)
        schema.validate(json.loads(EXAMPLES[topic.name].model_dump_json()))


# --- pages -----------------------------------------------------------------------------------------


def test_the_pages_know_every_topic_profile_and_key() -> None:
    topics, devices, configuration = (DOCUMENTS[name]() for name in ("topics.md", "devices.md", "configuration.md"))
    for topic in TOPICS:
        assert f"## {topic.name}\n\n`{topic.template}`" in topics
    for path in PROFILES.glob("*.toml"):
        assert f"## {path.stem}\n" in devices
    for key in ("grid", "[battery]", "[device]", "[alarm]", "import", "[import.period]", "demand", "points.NAME"):
        assert f"### [{key}]\n" in configuration
    assert "| `import_limit` | number, more than 0 | W | required |" in configuration


def test_every_key_of_a_site_file_has_a_meaning() -> None:
    """A name alone is not a reference."""
    site = DOCUMENTS["configuration.md"]().split("## Site file")[1].split("## Profile")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in site.splitlines() if line.startswith("| `")]
    silent = {row[0].strip("| `") for row in rows if row[4].strip("| ") == ""}
    assert silent <= {
        "grid",
        "battery",
        "device",
        "alarm",
        "priority",
        "digest",
    }  # tables of their own, and a plain word
    assert len(rows) > 50


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "minimum": 0, "maximum": 100}, "number, 0 to 100"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, more than 0"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "time in UTC"),
        ({"type": "array", "items": {"$ref": "#/x/Day"}}, "list of `mon` / `tue`"),
        ({"type": "array", "items": [{"type": "integer"}, {"type": "integer"}]}, "[integer, integer]"),
        ({"type": "object", "patternProperties": {"^x$": {"type": "number"}}}, "table of name: number"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "table of name: integer"),
    ],
)
def test_schemas_in_words(schema: Node, words: str) -> None:
    assert type_words(schema, {"Day": {"enum": ["mon", "tue"]}}) == words


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "number", "unit": "W"}, "W"),
        ({"anyOf": [{"type": "number", "unit": "W"}, {"type": "null"}]}, "W"),
        ({"type": "object", "additionalProperties": {"type": "number", "unit": "s"}}, "s"),
        ({"type": "object", "patternProperties": {"^a": {"type": "number", "unit": "var"}}}, "var"),
        ({"type": "array", "items": {"type": "array", "prefixItems": [{"type": "number", "unit": "W"}] * 2}}, "W"),
        ({"type": "array", "items": {"prefixItems": [{"type": "number", "unit": "W"}, {"type": "number"}]}}, ""),
        ({"type": "array", "items": {"type": "string"}}, ""),
    ],
    ids=["plain", "or null", "table", "table by pattern", "pairs", "a pair of two kinds", "no number"],
)
def test_the_unit_of_each_number_of_a_list_or_a_table(schema: Node, found: str) -> None:
    assert unit(schema) == found
