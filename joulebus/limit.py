"""`joulebus limit`: say how much the site may feed in or draw, and hear what became of it."""

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiomqtt
from pydantic import ValidationError

from joulebus.alarm.bus import said_of
from runtime.bus import Bus, Refused
from runtime.settings import Settings, read_settings
from runtime.signature import signed
from schemas.messages import Authority, Cause, ControlLimits, Direction, GridLimitRequest, RequestOutcome
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import COMMAND_TTL, CONTROL_LIMITS, CONTROL_OUTCOME, GRID_LIMIT
from schemas.troubles import Trouble, Usage, mistakes_of
from schemas.units import utc_now

ANSWERS = 10.0
"""Seconds dispatch has to answer."""
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(%|W|kW)")


@dataclass(frozen=True)
class Wish:
    """As it was typed."""

    site: Path
    source: str
    feed_in: str | None = None
    consumption: str | None = None
    authority: str | None = None
    until: str | None = None
    reason: str = ""
    steerable: bool = False


def run(wish: Wish, env: Mapping[str, str]) -> int:
    """Exit code 0 when it is followed. Without a size it says what holds. Raises Trouble."""
    site, settings = load_site(wish.site), read_settings(wish.source, env)
    if wish.feed_in is None and wish.consumption is None:
        return asyncio.run(_show(site, settings, wish.source))
    return asyncio.run(_ask(request(wish, site, utc_now()), site, settings))


def request(wish: Wish, site: Site, now: datetime) -> GridLimitRequest:
    """What is sent. Raises Trouble that says what would be right."""
    if wish.feed_in is not None and wish.consumption is not None:
        raise Usage("give one of --feed-in and --consumption; each is a limit of its own")
    direction: Direction = "feed_in" if wish.feed_in is not None else "consumption"
    power, percent = size(wish.feed_in or wish.consumption or "")
    try:
        return GridLimitRequest(
            id=f"limit-{token_hex(8)}",
            at=now,
            source=wish.source,
            authority=_authority(wish, site),  # type: ignore[arg-type]  # the shape judges it
            direction=direction,
            scope="steerable" if wish.steerable else "connection_point",
            power=power,
            percent=percent,
            until=None if wish.until is None else _time(wish.until, site, now),
            reason=wish.reason,
        )
    except ValidationError as wrong:
        place, words = mistakes_of(wrong)[0]
        raise Usage(f"{place + ': ' if place else ''}{words}") from None


def size(text: str) -> tuple[float | None, float | None]:
    """W and %, of which one is given. Raises Trouble."""
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise Usage(f"{text!r} is no size: write 60%, 42000W or 42kW")
    number = float(found[1])
    return {"%": (None, number), "W": (number, None), "kW": (1000 * number, None)}[found[2]]


def _authority(wish: Wish, site: Site) -> Authority:
    if wish.authority is not None:
        return Authority(wish.authority)
    most = site.command_sources.get(wish.source, Authority.OPERATOR)
    return most if most.rank <= Authority.OPERATOR.rank else Authority.OPERATOR


def _time(text: str, site: Site, now: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"--until {text!r} is no time: write 2026-06-21T18:00, in the site's zone") from None
    found = found if found.tzinfo else found.replace(tzinfo=site.zone)
    if found <= now:
        raise Usage(f"--until {text!r} lies in the past: it is {now.astimezone(site.zone):%Y-%m-%dT%H:%M} at the site")
    return found


async def _ask(wish: GridLimitRequest, site: Site, settings: Settings) -> int:
    key = settings.limit_key or settings.command_key
    if key is not None:
        wish = signed(wish, GRID_LIMIT.at(site=site.site), key)
    answer = asyncio.get_running_loop().create_future()

    def take(_: str, payload: bytes) -> None:
        said = _read(RequestOutcome, payload)
        if said is not None and said.id == wish.id and not answer.done():
            answer.set_result(said)

    try:
        async with _bus(settings) as bus, bus.aside(CONTROL_OUTCOME.at(site=site.site), take):
            await bus.say(GRID_LIMIT, wish, expiry=COMMAND_TTL, site=site.site)
            said = await asyncio.wait_for(answer, ANSWERS)
    except TimeoutError:
        raise Trouble(f"dispatch has not answered within {ANSWERS:.0f} s: the limit may hold or not") from None
    except (Refused, aiomqtt.MqttError) as wrong:
        raise Trouble(_said_of(settings, wrong)) from None
    words = f"{said.wish}: {'followed' if said.followed else 'refused'}"
    reason = ": ".join(filter(None, (said.cause, said.reason)))
    if said.cause == Cause.SIGNATURE and key is None:
        reason += f"; JOULEBUS_LIMIT_KEY_FILE names the file with the key of {wish.source}"
    print(f"{words}{f', {reason}' if reason else ''}", file=sys.stdout if said.followed else sys.stderr)
    return 0 if said.followed else 1


async def _show(site: Site, settings: Settings, source: str) -> int:
    """What holds, as dispatch has said it."""
    found = asyncio.get_running_loop().create_future()

    def take(_: str, payload: bytes) -> None:
        if (said := _read(ControlLimits, payload)) is not None and not found.done():
            found.set_result(said)

    try:
        async with _bus(settings) as bus, bus.aside(CONTROL_LIMITS.at(site=site.site), take):
            said = await asyncio.wait_for(found, ANSWERS)
    except TimeoutError:
        raise Trouble(f"nobody says what limits {site.site}; may {source} read it, and does dispatch run?") from None
    except (Refused, aiomqtt.MqttError) as wrong:
        raise Trouble(_said_of(settings, wrong)) from None
    print(f"may draw {said.import_limit / 1000:g} kW and feed in {said.export_limit / 1000:g} kW")
    for one in said.held:
        ends = f" until {one.until.astimezone(site.zone):%Y-%m-%d %H:%M}" if one.until else ""
        scope = "" if one.scope == "connection_point" else ", steerable devices"
        why = f": {one.reason}" if one.reason else ""
        by = f"by {one.source} as {one.authority}, {one.cause}"
        print(f"  {one.direction}{scope} {one.power / 1000:g} kW {by}{ends}{why}")
    return 0


def _said_of(settings: Settings, wrong: Exception) -> str:
    """The same words as those of `joulebus alarm`, but for a refusal: who limits is no operator of alarms."""
    return f"{settings.broker}: {wrong}" if isinstance(wrong, Refused) else said_of(settings.broker, wrong)


def _bus(settings: Settings) -> Bus:
    return Bus(settings.broker, identifier=settings.broker.user or "limit")


def _read(shape: Any, payload: bytes) -> Any:  # noqa: ANN401  # one of our messages, or None
    try:
        return shape.model_validate_json(payload)
    except ValidationError:
        return None
