"""`joulebus alarm`: what each word of it does.

Exit code 0 done or followed, 1 refused or out of reach, 2 wrong usage.
"""

import argparse
import asyncio
from collections.abc import Mapping

from runtime.settings import read_settings, without_broker
from schemas.site_file import load_site
from schemas.troubles import Usage

ON_THE_BUS = {"list", "ack", "shelve", "unshelve", "reset", "comment", "out-of-service", "in-service"}


def run(parsed: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Raises Trouble."""
    site = load_site(parsed.site)
    if parsed.what == "list":
        from joulebus.alarm.listing import show  # noqa: PLC0415  # each is imported only when it runs

        return asyncio.run(show(site, read_settings(parsed.source, env), parsed))
    if parsed.what in ON_THE_BUS:
        from joulebus.alarm.asking import ask  # noqa: PLC0415

        if parsed.what == "ack" and bool(parsed.name) == parsed.all:
            raise Usage("ack: give either the NAME of an alarm or --all")
        return asyncio.run(ask(site, read_settings(parsed.source, env), parsed))
    settings = read_settings("archive", without_broker(env))
    if parsed.what == "history":
        from joulebus.alarm.history import history  # noqa: PLC0415

        return asyncio.run(history(settings.database, site, parsed))
    if parsed.what == "explain":
        from joulebus.alarm.explain import explain  # noqa: PLC0415

        return asyncio.run(explain(settings.database, site, parsed))
    from joulebus.alarm.report import report  # noqa: PLC0415

    return asyncio.run(report(settings.database, site, parsed))
