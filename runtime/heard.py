"""What came from the broker, read as what it is: a message of a topic, or a fault in words. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic

from pydantic import ValidationError

from schemas.printable import printable
from schemas.topics import TOPICS, M, Topic
from schemas.troubles import in_words

LONGEST_FAULT = 300
"""Characters: an unknown key is named in it, and may be as long as a message."""


@dataclass(frozen=True, slots=True)
class Heard(Generic[M]):
    """One message from the broker.

    `message` is None when the payload is empty (a cleared retained topic) or not valid; then `fault` says why.
    `retained`: an old message out of the broker's store; on topics that are never retained, also one that was
    sent with the flag set.
    """

    topic: Topic[M]
    place: dict[str, str]
    message: M | None
    fault: str
    payload: bytes
    retained: bool
    mid: int


@lru_cache(maxsize=10_000)
def find(address: str) -> tuple[Topic[Any], dict[str, str]] | None:
    """The topic of an address, and its places; None for an address that only resembles one of ours."""
    for topic in TOPICS:
        place = topic.place(address)
        if place is not None:
            return topic, place
    return None


def read(topic: Topic[M], payload: bytes) -> tuple[M | None, str]:
    """The message, or none and what is wrong with it."""
    if not payload and topic.retain:
        return None, ""
    try:
        return topic.payload.model_validate_json(payload), ""
    except ValidationError as wrong:
        return None, printable(in_words(wrong), LONGEST_FAULT)
    except Exception as wrong:  # noqa: BLE001  # no payload may stop a part, whatever it does to the parser
        return None, printable(f"payload: {type(wrong).__name__}: {wrong}", LONGEST_FAULT)
