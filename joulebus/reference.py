"""The generated reference of the site file and the tariff file."""

from collections.abc import Iterator

from joulebus.described import Described
from joulebus.words import HEAD, Node, fields, page, table
from schemas.profile import Profile
from schemas.shape import Shape
from schemas.site import Site
from schemas.tariff import Tariff

EDITOR = """\
An editor that knows TOML schemas checks the site file while you write it, when its first line is
`#:schema docs/site.schema.json`. `joulebus check site.toml` says what is wrong in words, with the line."""


def configuration() -> str:
    """docs/configuration.md"""
    return page(
        "# Configuration",
        "What differs from site to site stands in these files; what differs from machine to machine stands in the "
        "environment ([operations](operations.md)).",
        EDITOR,
        "## Site file",
        *_file(Site),
        "## Tariff file",
        "The only file in kW and kWh.",
        *_file(Tariff),
        "## Profile",
        "The registers of a make and model; [add a device](add-a-device.md) shows one.",
        *_file(Profile),
    )


def _file(shape: type[Shape]) -> Iterator[str]:
    schema = shape.model_json_schema(schema_generator=Described)
    defs = schema.get("$defs", {})
    yield table(["key", *HEAD[1:]], fields(schema, defs))
    yield from _tables(schema, defs, "", set())


def _tables(schema: Node, defs: Node, path: str, told: set[str]) -> Iterator[str]:
    """A section per table below this one, as TOML writes it; each kind once."""
    for key, part in schema["properties"].items():
        for kind, header in _kinds(part, f"{path}{key}"):
            if "properties" not in defs[kind] or kind in told:
                continue
            told.add(kind)
            yield f"### {header}"
            yield defs[kind]["description"]
            yield table(["key", *HEAD[1:]], fields(defs[kind], defs))
            yield from _tables(defs[kind], defs, f"{header.strip('[]')}.", told)


def _kinds(part: Node, path: str) -> Iterator[tuple[str, str]]:
    """The names of the schemas a field is made of, with the header of their table."""
    if "$ref" in part:
        yield part["$ref"].rpartition("/")[2], f"[{path}]"
    for choice in part.get("anyOf", []):
        yield from _kinds(choice, path)
    if part.get("type") == "array":
        yield from ((kind, f"[{header}]") for kind, header in _kinds(part["items"], path))
    for value in part.get("patternProperties", {}).values():
        yield from _kinds(value, f"{path}.NAME")
