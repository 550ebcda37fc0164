"""What every message is made of: whether unknown keys are let pass, and the names that stand in many."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.units import EPOCH, ID, WHOLE, Number

Value = Number | str | list[str]
"""A point's value: a number, a state's name, or the names of the bits that are set."""

Id = Annotated[str, Field(pattern=ID, max_length=64)]

Epoch = Annotated[str, Field(pattern=EPOCH)]
"""Names one outbox file for ever: 64 random bits drawn when the file is made."""

Seq = Annotated[int, Field(ge=1, le=WHOLE)]
"""Counts what one outbox gave a device."""


class Message(BaseModel):
    """Something that is said about the site."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", ser_json_inf_nan="constants")


class Order(BaseModel):
    """Something that is wanted of the site: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", ser_json_inf_nan="constants")
