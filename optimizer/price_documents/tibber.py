"""Tibber: the answer to a query of `priceInfo`, hours or quarter hours with their offset. Pure.

`energy` is the market price, as the other publishers give it; `total` has Tibber's fee and the taxes in it.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted, instant, number
from optimizer.published import Row

HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
LISTS = ("yesterday", "today", "tomorrow")


def knows(found: object) -> bool:
    return isinstance(found, dict) and (_viewer(found) is not None or isinstance(found.get("errors"), list))


def rows(found: dict[str, Any], wanted: Wanted) -> list[Row]:
    """The priced instants per kWh of one home. Raises Unreadable."""
    if (viewer := _viewer(found)) is None or found.get("errors"):
        first = (found.get("errors") or [None])[0]
        words = first.get("message") if isinstance(first, dict) else "no reason given"
        raise Unreadable(f"Tibber refuses the query: {words!s:.120}", place="errors[0].message")
    place, home = _home(viewer, wanted)
    price_info, place = home["currentSubscription"].get("priceInfo"), f"{place}.currentSubscription.priceInfo"
    if not isinstance(price_info, dict):
        raise NoPrices("it has no priceInfo", place=place)
    current = price_info.get("current")
    if isinstance(current, dict) and isinstance(current.get("currency"), str):
        wanted.paid_in(current["currency"], place=f"{place}.current.currency")
    result = [row for name in LISTS for row in _of_list(price_info.get(name), f"{place}.{name}", wanted)]
    if not result:
        raise NoPrices("it holds no price", place=place)
    return result


def _viewer(found: dict[str, Any]) -> dict[str, Any] | None:
    data = found.get("data", found)
    viewer = data.get("viewer") if isinstance(data, dict) else None
    return viewer if isinstance(viewer, dict) else None


def _home(viewer: dict[str, Any], wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The home with a contract; of several the one that is named."""
    homes = [("viewer.home", viewer["home"])] if "home" in viewer else []
    listed = viewer.get("homes")
    homes += [(f"viewer.homes[{n}]", one) for n, one in enumerate(listed if isinstance(listed, list) else [])]
    paid = [(place, one) for place, one in homes
            if isinstance(one, dict) and isinstance(one.get("currentSubscription"), dict)]  # fmt: skip
    if not paid:
        raise NoPrices("no home has a contract (currentSubscription)", place="viewer.homes")
    mine = [one for one in paid if one[1].get("id") == wanted.area] if wanted.area else paid
    if len(mine) != 1 and not (len(paid) == 1 and "id" not in paid[0][1]):
        ids = ", ".join(str(one.get("id", "without an id")) for _, one in paid)
        raise Unreadable(f"write the home that is billed as area; there is: {ids}", place="viewer.homes")
    return (mine or paid)[0]


def _of_list(given: object, place: str, wanted: Wanted) -> Iterator[Row]:
    if given is None:
        return
    if not isinstance(given, list):
        raise Unreadable("needs a list", place=place)
    items = [(f"{place}[{index}]", one) for index, one in enumerate(given)]
    if wrong := next((where for where, one in items if not isinstance(one, dict)), ""):
        raise Unreadable("needs startsAt, energy, tax and total", place=wrong)
    starts = [instant(one.get("startsAt"), f"{where}.startsAt") for where, one in items]
    step = min((two - one for one, two in pairwise(sorted(set(starts)))), default=HOUR)
    for start, (where, one) in zip(starts, items, strict=True):
        if (price := one.get(wanted.part)) is None:
            if wanted.part not in one:
                raise Unreadable(f"has no {wanted.part}: query {wanted.part}, or write another part", place=where)
            continue
        yield Row(0, start, number(price, f"{where}.{wanted.part}"), start + min(HOUR, max(QUARTER, step)), where)
