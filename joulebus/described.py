"""The words below a field, in the schemas of the generated documents.

Pydantic's `use_attribute_docstrings` reads and parses the source of each shape when it is defined: a quarter of the
start of every part, for words that only the documents say.
"""

import ast
import inspect
from functools import cache
from textwrap import dedent

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class Described(GenerateJsonSchema):
    """Gives each field of a shape the docstring below it as its description."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        shape: type[BaseModel] = schema["cls"]
        for name, words in _words(shape).items():
            if name in shape.__pydantic_fields__:
                key = shape.__pydantic_fields__[name].alias or name
                made["properties"][key].setdefault("description", words)
        return made


@cache
def _words(shape: type[BaseModel]) -> dict[str, str]:
    """What stands below each field of a shape and of those it is made of; its own words last."""
    found = dict[str, str]()
    for kind in reversed(shape.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _own_words(kind)
    return found


def _own_words(kind: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  # the source of a class
    found = dict[str, str]()
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = inspect.cleandoc(words)
    return found
