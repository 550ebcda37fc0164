"""The link in a message that acknowledges an alarm: what it says, signed with HMAC-SHA256. Pure.

It names the raise that it is for, so that a link of yesterday acknowledges nothing of today, and who it was sent to.
Its key signs nothing else.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.alarm_name import AlarmName
from schemas.units import Instant, Name

PURPOSE = b"joulebus acknowledgement\n"
"""In front of what is signed: whatever else a key may sign is worth nothing here."""
LONGEST = 1000
"""Characters of a token."""
FORGED = "this link was not made by this site, or it was cut off on its way: open the whole of it"


class Claim(BaseModel):
    """What a link allows."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    site: Annotated[Name, Field(alias="t")]
    alarm: Annotated[AlarmName, Field(alias="a")]
    since: Annotated[Instant, Field(alias="s")]
    """When it was raised."""
    person: Annotated[Name, Field(alias="p")]
    until: Annotated[Instant, Field(alias="u")]


class BadLink(Exception):
    """It is not obeyed; the words are for the person who opened it."""


def make_token(claim: Claim, key: str) -> str:
    """A word of letters, digits, `-`, `_` and one dot."""
    text = claim.model_dump_json(by_alias=True).encode()
    return f"{_encoded(text)}.{_encoded(_sign(text, key))}"


def read_token(token: str, key: str, site: str, now: datetime) -> Claim:
    """What it allows. Raises BadLink with a sentence: the signature is judged before anything it says."""
    text, dot, signature = token.partition(".")
    if len(token) > LONGEST or not dot or not token.isascii():
        raise BadLink(FORGED)
    try:
        said, given = _decoded(text), _decoded(signature)
    except ValueError:
        raise BadLink(FORGED) from None
    if not hmac.compare_digest(given, _sign(said, key)):
        raise BadLink(FORGED)
    try:
        claim = Claim.model_validate_json(said)
    except ValidationError:
        raise BadLink("this link was made by another version of joulebus: acknowledge on the page") from None
    if claim.site != site:
        raise BadLink("this link belongs to another site")
    if now >= claim.until:
        raise BadLink("this link has expired: acknowledge on the page")
    return claim


def _sign(text: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), PURPOSE + text, "sha256")


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Raises ValueError for what is no base64."""
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encoded(raw) != text:  # a sign of another alphabet is passed over by the decoder
        raise ValueError(text)
    return raw
