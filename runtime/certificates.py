"""Says two weeks before that a certificate ends by which a part is connected to the broker.

The broker's own is the one it has shown: a file that was renewed is of no use before the broker reads it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from runtime.causes import Causes
from runtime.settings import Broker
from runtime.tls import tls
from schemas.messages import Cause
from schemas.units import utc_now

if TYPE_CHECKING:
    from runtime.part import Part

SOON = timedelta(days=14)
"""Before its end: time for a person to come, and for an authority to sign."""
LOOK, FIRST = 3600.0, 5.0
"""Seconds between two looks, and between two while the broker has shown nothing yet."""
PATIENCE = 10.0
"""Seconds the broker has to show its certificate again."""


async def watch_certificates(part: "Part") -> None:
    """For ever. While one ends soon, the broker is asked what it shows now: our connection keeps what it began with."""
    said: set[str] = set()
    while True:
        broker, files = part.settings.broker, part.settings.watch_certificates
        shown = part.broker_certificate
        if broker.tls or files:
            if said:
                shown = part.broker_certificate = await asked(broker) or shown
            said = tell(part.causes, await asyncio.to_thread(_ends, broker, shown, files), said, utc_now())
        await asyncio.sleep(FIRST if broker.tls and shown is None else LOOK)


def tell(causes: Causes, found: Mapping[str, datetime], said: set[str], now: datetime) -> set[str]:
    """Say which end soon, of those that are `found`; gives them."""
    soon = {what: end for what, end in found.items() if end - now < SOON}
    for what, end in soon.items():
        words = f"{what} {'ends' if end > now else 'has ended'} on {end:%Y-%m-%d}"
        causes.add(Cause.CERTIFICATE, words, about=what)
    for what in said - soon.keys():
        causes.clear(Cause.CERTIFICATE, about=what, words=f"{what} was renewed")
    return {*soon}


def _ends(*given: Any) -> dict[str, datetime]:  # noqa: ANN401  # those of `ends`
    from runtime.certificate_ends import ends  # noqa: PLC0415  # a part without TLS has no use for 8 MB of it

    return ends(*given)


async def asked(broker: Broker) -> bytes | None:
    """What the broker shows to who connects now, in DER; None where it shows none."""
    if not broker.tls:
        return None
    with contextlib.suppress(Exception):
        async with asyncio.timeout(PATIENCE):
            context = await asyncio.to_thread(tls, broker)
            _, writer = await asyncio.open_connection(broker.host, broker.port, ssl=context)
            line: ssl.SSLObject = writer.get_extra_info("ssl_object")
            shown = line.getpeercert(binary_form=True)
            writer.close()
            return shown
    return None
