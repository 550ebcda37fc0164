"""What `joulebus check` says of [notify]: whom a site tells, and what would go wrong when it does."""

from collections.abc import Iterator
from datetime import datetime

from consumers.notify.reach import unreached
from schemas.site import Site
from schemas.troubles import Trouble


def notify_lines(site: Site) -> Iterator[str]:
    """Each chain: what for, and who in which order."""
    if site.notify is None:
        return
    for one in site.notify.chain:
        steps = ", then ".join(
            f"after {step.after:g} s {' and '.join(step.to)}" if step.after else " and ".join(step.to)
            for step in one.step
        )
        priorities = "any priority" if len(one.priorities) == 4 else ", ".join(one.priorities)
        delay = f" for {one.delay:g} s" if one.delay else ""
        yield f"{'tells':<10} chain {one.name}, {priorities}{delay}: {steps}"


def notify_oddities(site: Site, now: datetime) -> Iterator[tuple[str, str]]:
    """The place in the file, and what is odd: hours without anybody, and addresses that cannot be used."""
    if site.notify is None:
        return
    yield from unreached(site, now)
    yield from _addresses(site)


def _addresses(site: Site) -> Iterator[tuple[str, str]]:
    """Those that stand in the file or beside it; what the environment holds is known where notify runs."""
    from consumers.notify.sender import Sender, address_of  # noqa: PLC0415  # Apprise takes a second

    numbers = {one.name: n for n, one in enumerate(site.notify.channel)} if site.notify else {}
    for channel in site.notify.channels if site.notify else []:
        key = "url" if channel.url is not None else "url_file"
        if getattr(channel, key) is None:
            continue
        try:
            Sender(channel, address_of(channel, site, {}))
        except Trouble as wrong:
            yield f"notify.channel.{numbers[channel.name]}.{key}", f"channel {channel.name!r}: {wrong}"
