"""What each publisher of prices is asked, in one table. Pure."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from consumers.optimize.fetch_rhythm import MARKET
from optimizer.price_documents.areas import eic

QUERY = (
    "{ viewer { homes { id currentSubscription { priceInfo(resolution: QUARTER_HOURLY) { current { currency startsAt } "
    "today { total energy tax startsAt } tomorrow { total energy tax startsAt } } } } } }"
)


@dataclass(frozen=True)
class Request:
    """`url` may hold a token: it is printed nowhere."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = None


Ask = Callable[[str, str, str, datetime], Request]
"""Of a base address, an area, a token, and midnight of the market's day."""


@dataclass(frozen=True)
class Publisher:
    url: str
    needs_token: bool
    suffix: str
    ask: Ask


def _entsoe(url: str, area: str, token: str, day: datetime) -> Request:
    code = eic(area)
    asked = {
        "documentType": "A44", "in_Domain": code, "out_Domain": code, "securityToken": token,
        "periodStart": f"{day:%Y%m%d%H%M}", "periodEnd": f"{day + timedelta(days=2, hours=1):%Y%m%d%H%M}",
    }  # fmt: skip
    return Request(f"{url}?{urlencode(asked)}")


def _awattar(url: str, area: str, _: str, day: datetime) -> Request:
    base = url or f"https://api.awattar.{'at' if area.upper() == 'AT' else 'de'}/v1/marketdata"
    start, end = (int(at.timestamp() * 1000) for at in (day, day + timedelta(days=2, hours=1)))
    return Request(f"{base}?{urlencode({'start': start, 'end': end})}")


def _tibber(url: str, _: str, token: str, __: datetime) -> Request:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return Request(url, headers, json.dumps({"query": QUERY}).encode())


PUBLISHERS = {
    "entsoe": Publisher("https://web-api.tp.entsoe.eu/api", True, "xml", _entsoe),
    "awattar": Publisher("", False, "json", _awattar),
    "tibber": Publisher("https://api.tibber.com/v1-beta/gql", True, "json", _tibber),
}


def request(publisher: Publisher, url: str, area: str, token: str, now: datetime) -> Request:
    """Today and tomorrow."""
    today = now.astimezone(MARKET).date()
    midnight = datetime(today.year, today.month, today.day, tzinfo=MARKET).astimezone(UTC)
    return publisher.ask(url or publisher.url, area, token, midnight)
