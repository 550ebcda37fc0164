"""Keys of the site file that may be written shorter, or wrong, and what is made of them. Pure."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from schemas.messages import Authority
from schemas.shape import Shape
from schemas.site_battery import Battery
from schemas.site_rules import WrittenRule
from schemas.units import Name


def _claims(given: object) -> object:
    return dict.fromkeys(given, Authority.OPERATOR) if isinstance(given, list) else given


def _listed(given: object) -> object:
    """`[battery]`, as it was written while there could be but one."""
    return [given] if isinstance(given, dict | Shape) else given


def _rules(given: object) -> object:
    """What is no list of tables is one rule, and a wrong one: no rule keeps a site from being steered."""
    return given if isinstance(given, list) else [given]


Claim = Annotated[Authority, Field(strict=False)]
Claims = Annotated[dict[Name, Claim], BeforeValidator(_claims)]
"""The most that each source may claim; a list of names allows each `operator`."""
Batteries = Annotated[list[Battery], BeforeValidator(_listed, json_schema_input_type=list[Battery] | Battery)]
Rules = Annotated[list[WrittenRule], BeforeValidator(_rules, json_schema_input_type=list[WrittenRule])]
