"""The public contract as an AsyncAPI 3.0 document, made from the table of topics."""

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from joulebus.described import Described
from joulebus.examples import EXAMPLES, PLACES
from schemas.topics import COMMAND, COMMAND_TTL, ROOT, TOPICS, Topic

Node = dict[str, Any]

OUTSIDE = "operator"
"""The role of those who are no part of joulebus: what they write, joulebus receives."""

_SAYS = {
    "site": "A grid connection.",
    "device": "A device of the site.",
    "alarm": "`<rule>-<device>`.",
    "forecast": "A `[[forecast]]` of the site file.",
    "service": "A part of joulebus.",
}

_DRAFT_7 = {"prefixItems": "items"}
_NONE = re.compile(r"(^|[.]\s)?\bNone\b(?! of)")
_NULL = {"type": "null"}


def document() -> Node:
    """The whole document. Numbers carry their unit in the keyword `unit`."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "joulebus",
            "version": f"{ROOT.rpartition('/v')[2]}.0.0",
            "description": "Topics of an energy management system for sites with a battery. MQTT 5, QoS 1. "
            "Power in W, energy in Wh; positive power flows out of the device into the site.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {
            "messages": {topic.payload.__name__: _message(topic) for topic in TOPICS},
            "schemas": schemas(),
            "securitySchemes": {"password": {"type": "userPassword", "description": "One user per role."}},
        },
    }


def schemas() -> Node:
    """The JSON schema of every payload and of what they are made of, by name."""
    kinds = {topic.payload for topic in TOPICS}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    _, found = models_json_schema(
        [(kind, "validation") for kind in ordered],
        ref_template="#/components/schemas/{model}",
        schema_generator=Described,
    )
    made: Node = _as_json(found["$defs"])
    return made


def _server() -> Node:
    return {
        "host": "{host}:{port}",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "TLS 1.3 from outside; MQTT without TLS between the parts on one machine.",
        "variables": {"host": {"default": "localhost"}, "port": {"default": "8883"}},
        "security": [{"$ref": "#/components/securitySchemes/password"}],
    }


def _channel(topic: Topic[Any]) -> Node:
    return {
        "address": topic.template,
        "description": topic.says,
        "messages": {topic.payload.__name__: {"$ref": f"#/components/messages/{topic.payload.__name__}"}},
        "parameters": {place: {"description": _SAYS[place], "examples": [PLACES[place]]} for place in topic.places},
    }


def _operations(topic: Topic[Any]) -> list[tuple[str, Node]]:
    """What joulebus sends, and what it receives from others."""
    words = topic.name.replace(".", "_")
    sides = []
    if any(writer != OUTSIDE for writer in topic.writers):
        sides.append((f"send_{words}", _operation(topic, "send")))
    if OUTSIDE in topic.writers:
        sides.append((f"receive_{words}", _operation(topic, "receive")))
    return sides


def _operation(topic: Topic[Any], action: str) -> Node:
    channel = f"#/channels/{topic.name}"
    mqtt: Node = {"qos": 1, "retain": topic.retain, "bindingVersion": "0.2.0"}
    if topic is COMMAND:
        mqtt["messageExpiryInterval"] = round(COMMAND_TTL)
    elif topic.expires:
        mqtt["messageExpiryInterval"] = {"type": "integer", "minimum": 1, "description": "As long as it is valid."}
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": topic.says,
        "description": f"Written by: {', '.join(topic.writers)}.",
        "messages": [{"$ref": f"{channel}/messages/{topic.payload.__name__}"}],
        "bindings": {"mqtt": mqtt},
        "x-writers": list(topic.writers),
    }


def _message(topic: Topic[Any]) -> Node:
    name = topic.payload.__name__
    example = EXAMPLES[topic.name].model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return {
        "name": name,
        "summary": topic.says,
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"payload": example}],
    }


def _as_json(node: Any) -> Any:  # noqa: ANN401  # JSON is anything
    """AsyncAPI speaks JSON Schema draft 7, where a tuple is written as a list of `items`; and what Python calls None is
    absent on the wire."""
    if isinstance(node, list):
        return [_as_json(part) for part in node]
    if isinstance(node, dict):
        return {
            _DRAFT_7.get(key, key): _NONE.sub(_absent, part)
            if key == "description" and isinstance(part, str)
            else _as_json(part)
            for key, part in _said(node).items()
        }
    return node


def _said(node: Node) -> Node:
    """A schema without `null`, which readers take and nobody says."""
    default = node.get("default")
    if isinstance(default, dict):
        node = node | {"default": {key: part for key, part in default.items() if part is not None}}
    if _NULL not in node.get("anyOf", ()):
        return node
    either = [part for part in node["anyOf"] if part != _NULL]
    rest = {key: part for key, part in node.items() if key != "anyOf" and (key, part) != ("default", None)}
    # draft 7 looks at nothing beside a reference
    alone = len(either) == 1 and "$ref" not in either[0]
    return {**either[0], **rest} if alone else {"anyOf": either, **rest}


def _absent(found: re.Match[str]) -> str:
    return "absent" if found[1] is None else f"{found[1]}Absent"
