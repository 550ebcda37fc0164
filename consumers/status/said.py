"""What the page passes on to the broker, and how it says that something cannot be passed on."""

from typing import Any, Protocol

from fastapi import HTTPException
from pydantic import ValidationError

from consumers.status.wishes import O, read_wish
from schemas.topics import M, Topic


class NotSaid(Exception):
    """The broker did not take a request."""


class Publish(Protocol):
    """Says something at the broker; raises NotSaid."""

    async def __call__(self, topic: Topic[M], message: M, *, expiry: float | None = None, **place: str) -> None: ...


def read(shape: type[O], body: bytes) -> O:
    """What a browser wants. Raises HTTPException that names each wrong field."""
    try:
        return read_wish(shape, body)
    except ValidationError as wrong:
        raise HTTPException(422, mistakes(wrong.errors())) from None


def mistakes(errors: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # pydantic's and FastAPI's differ
    """Without the input: a NaN in it could not be sent back as JSON."""
    return [{"field": ".".join(map(str, error["loc"])), "why": error["msg"]} for error in errors]
