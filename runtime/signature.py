"""Signed commands, and seals of the journal: HMAC-SHA256 over where a command goes and all of its fields. Pure.

The text that is signed is the topic's address, a line feed, and the JSON of the other fields with sorted keys and
without blanks. The address is in it, so that a command for one device is worth nothing at another.
"""

import hmac
import json
from collections.abc import Mapping
from typing import TypeVar

from schemas.forecast_powers import ForecastPowers
from schemas.messages import Command, GridLimitRequest, MarketPrices

Order = TypeVar("Order", Command, GridLimitRequest, MarketPrices, ForecastPowers)


def signed(command: Order, address: str, key: str) -> Order:
    """The command with its signature."""
    fields = json.loads(command.model_dump_json(exclude={"signature"}))
    return command.model_copy(update={"signature": _sign(fields, address, key)})


def forgery(payload: bytes, address: str, key: str) -> str:
    """Why a command is not genuine; empty when it is. Judges what was sent, not how we understood it."""
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return "unsigned: it cannot be read"
    given = fields.pop("signature", None)
    if not isinstance(given, str) or not given.isascii():
        return "unsigned: this site obeys signed commands only"
    # JSON has two ways to write a letter beyond ASCII: a shell and JSON.stringify sign it as it is, Python escapes it
    if not any(hmac.compare_digest(given, _sign(fields, address, key, escaped=way)) for way in (True, False)):
        return "forged: the signature does not belong to this command"
    return ""


def _sign(fields: Mapping[str, object], address: str, key: str, *, escaped: bool = True) -> str:
    text = f"{address}\n{json.dumps(fields, sort_keys=True, separators=(',', ':'), ensure_ascii=escaped)}"
    # half a letter cannot be sent as it is, and must not end the one who looks
    return hmac.new(key.encode(), text.encode(errors="surrogatepass"), "sha256").hexdigest()


SEAL = "joulebus journal"
"""In place of an address, so that a seal is worth nothing at a device, whatever key signs both."""


def seal_signature(fields: Mapping[str, object], key: str) -> str:
    """The signature of what a seal says."""
    return _sign(fields, SEAL, key)
