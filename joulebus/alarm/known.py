"""Which alarms a site can have, and the rule of each; a name that it has not is refused with a guess."""

from collections.abc import Iterable

from consumers.alarms.catalog import EVERY_SERVICE, Catalog, for_device, load_catalog, watched
from joulebus.parts import SERVICES
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.troubles import Trouble, Usage


class UnknownAlarm(Usage):
    """An alarm that the site does not have."""


def rules_of(site: Site) -> dict[str, AlarmRule]:
    """By the name of the alarm: those of the devices, and those of the parts of joulebus. Raises Trouble."""
    catalog = load_catalog()
    return watched(site, catalog).rules | _of_services(catalog)


def _of_services(catalog: Catalog) -> dict[str, AlarmRule]:
    return {
        f"{rule.name}-{service}": for_device(rule, service)
        for rule in catalog.services
        for service in SERVICES
        if rule.device in (EVERY_SERVICE, service)
    }


def known(name: str, site: Site, more: Iterable[str] = ()) -> str:
    """The name; `more` are alarms that were heard of. Raises UnknownAlarm that says which one may be meant."""
    names = sorted({*rules_of(site), *more})
    if name in names:
        return name
    raise UnknownAlarm(str(Trouble.unknown(f"alarm {name!r}", name, names)) if len(names) < 20 else _guess(name, names))


def _guess(name: str, names: list[str]) -> str:
    """Of many: the likely ones, and how to see the others."""
    said = str(Trouble.unknown(f"alarm {name!r}", name, names))
    if "; there is: " not in said:
        return said
    alike = [one for one in names if name and (name in one or one.split("-")[0] in name)][:5]
    there = f"did you mean {' or '.join(alike)}? " if alike else ""
    return f"alarm {name!r} does not exist; {there}an alarm is called RULE-DEVICE, and docs/alarms.md names the rules"
