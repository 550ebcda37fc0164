"""What every message is made of: whether unknown keys are let pass, and the names that stand in many."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.units import EPOCH, ID, WHOLE, Reading

Value = Reading | str | list[str]
"""A point's value: a number, a state's name, or the names of the bits that are set."""

Id = Annotated[str, Field(pattern=ID, max_length=64)]

Epoch = Annotated[str, Field(pattern=EPOCH)]
"""Names one outbox file for ever: 64 random bits drawn when the file is made."""

Seq = Annotated[int, Field(ge=1, le=WHOLE)]
"""Counts what one outbox gave a device."""


class _Said(BaseModel):
    """What goes over the wire. What is not known is absent there, and never `null`: a reader of another make need not
    tell two words for nothing apart. Readers take both."""

    model_config = ConfigDict(frozen=True, strict=True, ser_json_inf_nan="constants")

    def model_dump_json(self, **how: Any) -> str:  # noqa: ANN401  # as pydantic has it
        return super().model_dump_json(**{"exclude_none": True} | how)


class Message(_Said):
    """Something that is said about the site."""

    model_config = ConfigDict(extra="ignore")


class Order(_Said):
    """Something that is wanted of the site: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")
