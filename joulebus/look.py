"""The commands that look into the archive, each imported only when it runs."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from runtime.settings import Settings, read_settings, without_broker
from schemas.site import Site
from schemas.site_file import load_site


def run(parsed: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Each is imported only now. Raises Trouble."""
    settings = read_settings("archive", without_broker(env))
    url = settings.database
    if parsed.command == "backup":
        from joulebus.backup import backup  # noqa: PLC0415

        print(backup(url, parsed.file))
        return 0
    site = load_site(parsed.site)
    if parsed.command == "export":
        from joulebus import export  # noqa: PLC0415

        points = export.points(parsed.point, [device.name for device in site.devices])
        start, end = (
            export.moment(given, site.zone, option)
            for given, option in ((parsed.start, "--from"), (parsed.end, "--to"))
        )
        known = {name: profile.points for name, profile in site.profiles.items()}
        wish = export.Wish(site.site, points, start, end, parsed.resolution, parsed.out, known)
        print(asyncio.run(export.export(url, wish)))
        return 0
    if parsed.command in _TOLD:
        return asyncio.run(_TOLD[parsed.command](parsed, settings, site))
    if parsed.command == "rules":
        from joulebus import rules  # noqa: PLC0415

        asks = rules.Wish(parsed.site, parsed.start, parsed.end, parsed.rule, parsed.file)
        return rules.try_(site, settings, asks) if parsed.what == "try" else rules.explain(site, asks)
    return _ledgers(parsed, url, site, settings.journal_key)


async def _money(parsed: argparse.Namespace, settings: Settings, site: Site) -> int:
    from joulebus.money import Wanted, money  # noqa: PLC0415

    form = "json" if parsed.json else "csv" if parsed.csv else "text"
    return await money(settings, site, Wanted(parsed.days, parsed.month, form))


async def _explain(parsed: argparse.Namespace, settings: Settings, site: Site) -> int:
    from joulebus.explain import explain  # noqa: PLC0415

    return await explain(settings, site, parsed.at, as_json=parsed.json)


async def _battery(parsed: argparse.Namespace, settings: Settings, site: Site) -> int:
    from joulebus.battery import battery  # noqa: PLC0415

    return await battery(settings.database, site, parsed.days, as_json=parsed.json)


async def _advice(parsed: argparse.Namespace, settings: Settings, site: Site) -> int:
    from joulebus.advice import Wanted, advise  # noqa: PLC0415

    asked = Wanted(parsed.months, parsed.tariff, parsed.size, parsed.json)
    return await advise(settings, site, asked, sys.stderr)


_TOLD: dict[str, Callable[[argparse.Namespace, Settings, Site], Coroutine[Any, Any, int]]] = {
    "money": _money,
    "explain": _explain,
    "battery": _battery,
    "advice": _advice,
}


def _ledgers(parsed: argparse.Namespace, url: str, site: Site, journal_key: str | None) -> int:
    from joulebus import ledger  # noqa: PLC0415

    if parsed.command == "gaps":
        return asyncio.run(ledger.gaps(url, site, parsed.days, as_json=parsed.json))
    if parsed.command == "journal":
        return asyncio.run(ledger.verify_journal(url, site, journal_key, parsed.head))
    if parsed.forecast:
        from joulebus.forecast import tell  # noqa: PLC0415

        return asyncio.run(tell(url, site, as_json=parsed.json))
    return asyncio.run(ledger.archive_status(url, site, as_json=parsed.json))
