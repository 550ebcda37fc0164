"""What a part said, on its way to the archive."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from schemas.messages.message import Epoch, Message, Seq
from schemas.units import Instant


def _finite(payload: dict[str, Any]) -> dict[str, Any]:
    json.dumps(payload, allow_nan=False)  # raises ValueError: JSON has no NaN, and no database keeps one
    return payload


class Event(Message):
    """Something a service said, sent to the archive until that has committed it. Nobody else reads it: what is sent
    again is never obeyed again."""

    at: Instant
    """When it was said."""
    epoch: Epoch
    seq: Seq
    topic: Annotated[str, Field(max_length=512)]
    """Where it was said."""
    payload: Annotated[dict[str, Any], AfterValidator(_finite)]
