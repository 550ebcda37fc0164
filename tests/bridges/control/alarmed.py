"""A story whose alarms are judged by the shipped rules: what the bridge says goes to a panel, in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from consumers.alarms import service
from consumers.alarms.catalog import load_catalog, watched, whose
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.rules import Now
from runtime.heard import Heard
from schemas.messages import Alarm, AlarmState
from schemas.topics import COMMAND, DEVICE_STATUS, OUTCOME, TELEMETRY, Topic
from tests.bridges.control.story import Story
from tests.virtual import loop


@dataclass
class Alarmed:
    """The alarms beside a story's bridge."""

    story: Story
    desk: service._Desk
    told: list[tuple[float, str, Alarm]] = field(default_factory=list)
    """Seconds of the loop, the alarm's name, and what was said."""

    def hear(self, topic: Topic[Any], message: Any, device: str) -> None:
        place = {"site": self.story.site.site, "device": device}
        self.desk.beside.hear(message, _now(), device)
        if topic is not COMMAND:
            self._note(self.desk._judge(Heard(topic, place, message, "", b"", False, 0)))

    def tick(self) -> None:
        panel, now = self.desk.panel, _now()
        self._note([*self.desk.beside.tell(panel, now), *panel.tick(now), *panel.note_control(self.desk.statuses, now)])

    @property
    def raised(self) -> list[str]:
        """The alarms that were raised and shown, each as often as it was."""
        shown = AlarmState.UNACKNOWLEDGED
        return sorted(name for name, _ in {(name, one.since) for _, name, one in self.told if one.state is shown})

    @property
    def over(self) -> set[str]:
        """Those whose condition was said to be over."""
        return {name for _, name, one in self.told if not one.active}

    def _note(self, changes: list[tuple[str, Alarm]]) -> None:
        self.told += [(loop().time(), name, alarm) for name, alarm in changes]


def _now() -> Now:
    return Now(loop().time(), loop().wall())


@contextlib.asynccontextmanager
async def alarmed(story: Story, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Alarmed]:
    """The alarms of a site that hear its bridge without a broker between them."""
    monkeypatch.setattr(service, "_now", _now)
    bridge, catalog, site = story.bridge, load_catalog(), story.site
    rules, _ = watched(site, catalog)
    panel = Panel(rules, catalog.services, _now(), whose(site.battery), Places.of(site))
    it = Alarmed(story, service._Desk(bridge.part, panel))
    bridge.outgoing._clock = loop().wall
    put, say, outcome = bridge.outgoing.put_from, bridge.statuses.say, {}

    def sample(moment: Any, device: str, *rest: Any) -> Any:
        made = put(moment, device, *rest)
        it.hear(TELEMETRY, made, device)
        return made

    def status(topic: Topic[Any], message: Any, device: str) -> None:
        say(topic, message, device)
        it.hear(topic, message, device)

    bridge.outgoing.put_from, bridge.statuses.say = sample, status  # type: ignore[method-assign,assignment]
    for name, message in bridge.said.items():
        it.hear(DEVICE_STATUS, message, name)
    for name, control in bridge.controls.items():
        outcome[name], command = control.say, control.hear

        def answer(said: Any, name: str = name) -> None:
            outcome[name](said)
            it.hear(OUTCOME, said, name)

        def ask(heard: Heard[Any], name: str = name, command: Any = command) -> None:
            it.hear(COMMAND, heard.message, name)
            command(heard)

        control.say, control.hear = answer, ask  # type: ignore[method-assign]

    async def clock() -> None:
        while True:
            await asyncio.sleep(1)
            it.tick()

    ticking = asyncio.create_task(clock(), name="alarmed.clock")
    try:
        yield it
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
