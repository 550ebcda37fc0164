"""The link in a message that acknowledges alarms: what it says, signed with HMAC-SHA256. Pure.

It names the raises that it is for, so that a link of yesterday acknowledges nothing of today, and who it was sent to.
Its key signs nothing else. There are two kinds: of one alarm, which says what it is for, and of a list, whose marks fit
no raise but theirs: forty of them fit into an address, and one into a text message.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.alarm_name import AlarmName
from schemas.messages import AlarmState
from schemas.units import Instant, Name

PURPOSE = b"joulebus acknowledgement\n"
"""In front of what is signed: whatever else a key may sign is worth nothing here."""
LIST_PURPOSE = b"joulebus acknowledgement of a list\n"
"""The same of a list; the site follows."""
MARK, SIGNED = 8, 16
"""Bytes of the mark of a raise, and of the signature of a list: nobody can try 2^128 of them at a page."""
LONGEST = 1000
"""Characters of a token."""
ASKS = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.LATCHED_UNACKNOWLEDGED)
"""States in which an alarm can be acknowledged."""
EXPIRED = "this link has expired: acknowledge on the page"
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


@dataclass(frozen=True, slots=True)
class ListClaim:
    """What the link of a list allows."""

    person: str
    until: datetime
    marks: tuple[bytes, ...]
    """Of the raises that it is for."""


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
        raise BadLink(EXPIRED)
    return claim


def mark(site: str, alarm: str, since: datetime) -> bytes:
    """Names one raise of one alarm."""
    return sha256(f"{site}\n{alarm}\n{since.astimezone(UTC).isoformat()}".encode()).digest()[:MARK]


def is_list(token: str) -> bool:
    return "." not in token


def make_list_token(claim: ListClaim, key: str, site: str) -> str:
    """A word of letters, digits, `-` and `_`: 42 letters and those of the person, and 11 for each raise."""
    person = claim.person.encode()
    head = bytes([1]) + int(claim.until.timestamp()).to_bytes(5, "big") + bytes([len(person)]) + person
    said = head + b"".join(claim.marks)
    return _encoded(said + _sign_list(said, key, site))


def read_list_token(token: str, key: str, site: str, now: datetime) -> ListClaim:
    """What it allows. Raises BadLink with a sentence: the signature is judged before anything it says."""
    if len(token) > LONGEST or not token.isascii():
        raise BadLink(FORGED)
    try:
        raw = _decoded(token)
    except ValueError:
        raise BadLink(FORGED) from None
    said, given = raw[:-SIGNED], raw[-SIGNED:]
    if not hmac.compare_digest(given, _sign_list(said, key, site)):
        raise BadLink(FORGED)
    end = 7 + said[6]
    if said[0] != 1 or (len(said) - end) % MARK:
        raise BadLink("this link was made by another version of joulebus: acknowledge on the page")
    marks = tuple(said[at : at + MARK] for at in range(end, len(said), MARK))
    claim = ListClaim(said[7:end].decode(), datetime.fromtimestamp(int.from_bytes(said[1:6], "big"), UTC), marks)
    if now >= claim.until:
        raise BadLink(EXPIRED)
    return claim


def _sign_list(said: bytes, key: str, site: str) -> bytes:
    return hmac.digest(key.encode(), LIST_PURPOSE + site.encode() + b"\n" + said, "sha256")[:SIGNED]


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
