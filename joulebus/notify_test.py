"""`joulebus notify test`: sends a message by each channel now, and says what each answered."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from consumers.notify.sender import Sender
from consumers.notify.service import senders_of
from consumers.notify.trial import answered, message
from consumers.notify.words import Words
from joulebus.commands import say
from runtime.settings import read_settings
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import utc_now


def run(path: Path, channel: str | None, person: str | None, env: Mapping[str, str]) -> int:
    """0 when each took it, else 1. Raises Trouble for a site that tells nobody, for an unknown channel or person."""
    site = load_site(path)
    if site.notify is None:
        raise Trouble(f"{path} has no [notify]: docs/notifications.md shows one")
    senders, wrong = senders_of(site, read_settings("notify", env).channels)
    if channel is not None and channel not in {**senders, **wrong}:
        raise Trouble.unknown(f"channel {channel!r}", channel, [*senders, *wrong], str(path))
    people = {one.name: one.channels for one in site.notify.person}
    if person is not None and person not in people:
        raise Trouble.unknown(f"person {person!r}", person, [*people], str(path))
    names = [channel] if channel is not None else people.get(person or "", [*senders, *wrong])
    words = Words(site.title or site.site, site.zone, site.notify.page)
    wanted = {name: one for name, one in senders.items() if name in names}
    answers = {name: why for name, why in wrong.items() if name in names}
    answers |= asyncio.run(_sent(wanted, words))
    for name, why in answers.items():
        say(f"{name:<16} {answered(why)}")
    return 1 if any(answers.values()) else 0


async def _sent(senders: Mapping[str, Sender], words: Words) -> dict[str, str]:
    """What each answered; empty when it took the message."""
    now = utc_now()
    answers = await asyncio.gather(*(one.send(message(words, name, now)) for name, one in senders.items()))
    return dict(zip(senders, answers, strict=True))
