"""Tells the panel what alarms look at beside points, when it changes; keeps who was told to form an island.

In the service: `Beside(site, folder, now)` once, `hear` each message, `tell` once a second before the panel's tick, and
`deaf` with each connection, `unheard` as the panel. `site_values.HEARD` are the topics it needs.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from consumers.alarms.rules import Now
from consumers.alarms.site_values import SiteValues
from schemas.messages import Value
from schemas.site import Site

Words = Mapping[str, Value | None]


class Panel(Protocol):
    """Who judges."""

    def tell_site(self, values: Words, now: Now) -> list[Any]: ...

    def tell_device(self, device: str, words: Words, now: Now) -> list[Any]: ...


class Beside:
    """Of one site."""

    def __init__(self, site: Site, folder: Path, now: Now) -> None:
        self.values = SiteValues(site, now)
        self._devices = [device.name for device in site.devices]
        self._told: dict[str, Words] = {}
        """By device, and of the site under no name."""
        self._path = folder / f"islands-{site.site}.json"
        self._kept = self._read()
        self.values.modes.recall(self._kept)

    def hear(self, message: object, now: Now, device: str = "") -> None:
        """Whatever was said, of a device or of the site. Raises OSError when an island cannot be kept."""
        self.values.hear(message, now, device)
        if self.values.modes.islands != self._kept:
            self._kept = self.values.modes.islands
            self._write()

    def deaf(self) -> None:
        """The connection was lost: what was said meanwhile is lost, too."""
        self.values.deaf()

    def unheard(self, begin: float, end: float, most: float) -> None:
        """As the panel is told."""
        self.values.unheard(begin, end, most)

    def tell(self, panel: Panel, now: Now) -> list[Any]:
        """What is another than it was; gives what the panel makes of it."""
        changes = []
        if news := self._news("", self.values.of_site(now)):
            changes += panel.tell_site(news, now)
        for device in self._devices:
            if news := self._news(device, self.values.of_device(device, now)):
                changes += panel.tell_device(device, news, now)
        return changes

    def _news(self, whose: str, found: Words) -> Words:
        before = self._told.get(whose, {})
        self._told[whose] = found
        return {name: value for name, value in found.items() if name not in before or before[name] != value}

    def _read(self) -> list[str]:
        """A file that is absent or damaged knows of no island: an alarm too many."""
        with suppress(OSError, ValueError):
            found = json.loads(self._path.read_bytes())
            if isinstance(found, list):
                return sorted(name for name in found if name in self._devices)
        return []

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._kept), encoding="utf-8")
        new.replace(self._path)
