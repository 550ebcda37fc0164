"""What every file of joulebus is made of: no key it does not know, and each mistake told at its place."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def refused(mistakes: Iterable[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """What a validator of a whole file raises, so that each mistake is told at its own place in it."""
    return ValidationError.from_exception_data(
        "file",
        [
            InitErrorDetails(
                type=PydanticCustomError("value_error", "{words}", {"words": words}), loc=place, input=None
            )
            for place, words in mistakes
        ],
    )
