"""`joulebus commission`: speaks to the devices itself, so no bridge may serve them meanwhile."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from joulebus.commission.bridge import MAY_WRITE, Answer, Serves, ask_broker
from joulebus.commission.findings import GOOD, OPEN, Finding, dead_time
from joulebus.commission.report import report, site_file
from joulebus.commission.walk import Walk
from runtime.settings import Settings
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import utc_now


@dataclass(frozen=True, slots=True)
class Person:
    """Who sits at the terminal."""

    ask: Callable[[str], bool]
    """Yes or no."""
    types: Callable[[str], str]
    """What was typed; nothing where nobody sits."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is tried beyond the reading and the small steps."""

    full: bool = False
    no_broker: bool = False
    """The person will say whether a bridge runs, where the broker cannot."""


async def commission(
    site: Site,
    settings: Settings,
    path: Path,
    person: Person,
    *,
    say: Callable[[str], None] = print,
    wish: Wish = Wish(),
) -> int:
    """0 when everything is right. Raises Trouble when a bridge serves the site."""
    alone = Alone(site, settings, person, wish)
    walk = Walk(site, person.ask, say)
    try:
        walk.notes.append(await alone.before())
        await walk.read_all()
        await _write(walk, alone, wish)
        await walk.end()
    finally:
        walk.close()
    measured = dead_time(walk.steps)
    text = report(site, walk.findings, utc_now(), walk.notes, dead_time=measured)
    await asyncio.to_thread(path.write_text, text, encoding="utf-8")
    for line in site_file(site, measured):
        say(line)
    say(f"{path} is written")
    return 0 if all(one.verdict == GOOD for one in walk.findings) else 1


async def _write(walk: Walk, alone: "Alone", wish: Wish) -> None:
    """What is written, one thing after the other, each only while no bridge serves the site."""
    pcs = walk.site.units[0].pcs
    if why := walk.forbidden() or alone.forbids:
        walk.find(Finding(pcs, "steps", OPEN, why))
        return
    if not await walk.step_all():
        walk.notes.append("Nothing more was tried: the small steps come first.")
        return
    for trial in (walk.full, walk.silence) if wish.full else (walk.silence,):
        if why := await alone.again():
            walk.find(Finding(pcs, trial.__name__, OPEN, why))
            return
        await trial()
        if not (await walk.rests())[0]:
            return
    if not wish.full:
        walk.notes.append("Ramp and round-trip efficiency: a step of 5 % is too small to tell; --full measures them.")


def of_one(site: Site, name: str | None) -> Site:
    """The site as far as the steps of one battery go: one report each. Raises Trouble."""
    names = [one.name for one in site.battery]
    if not names:
        raise Trouble("the site has no battery: nothing is steered that could be commissioned")
    if name is None and len(names) > 1:
        raise Trouble(f"the site has several batteries, each has a report of its own: --battery {' or '.join(names)}")
    if name is not None and name not in names:
        raise Trouble.unknown(f"battery {name!r}", name, names)
    found = next(one for one in site.battery if name in (None, one.name))
    if len(found.pcs) != 1 or len(found.bms) != 1:
        several = f"{' + '.join([*found.pcs, *found.bms])} of battery {found.name!r}"
        raise Trouble(f"only a battery of one PCS and one BMS can be commissioned so far, not {several}")
    return site.model_copy(update={"battery": [found]})


@dataclass
class Alone:
    """Whether we are the only master. Asked before anything is read, and again before each trial."""

    site: Site
    settings: Settings
    person: Person
    wish: Wish
    forbids: str = ""
    """Why nothing is written."""
    _vouched: bool = False

    async def before(self) -> str:
        """A note for the report. Raises Trouble when a bridge serves the site."""
        answer = await ask_broker(self.site, self.settings.broker)
        if answer.serves is Serves.RUNS:
            raise Trouble(
                f"{answer.says}: stop the bridge of {self.site.site} first, two masters fight over a setpoint"
            )
        if MAY_WRITE[answer.serves]:
            return f"No bridge served the site: {answer.says}."
        self._vouched = self.wish.no_broker and self._vouches(answer)
        if self._vouched:
            return f"A person has said that no bridge served the site; {answer.says}."
        self.forbids = (
            f"nobody knows whether a bridge runs: {answer.says}; start the broker, or say it yourself with --no-broker"
        )
        return f"Only read: {self.forbids}."

    def _vouches(self, answer: Answer) -> bool:
        words = f"{answer.says}. Type the site's name, {self.site.site}, to say that no bridge serves it: "
        return self.person.types(words).strip() == self.site.site

    async def again(self) -> str:
        """Why nothing more is written."""
        answer = await ask_broker(self.site, self.settings.broker)
        if answer.serves is Serves.RUNS:
            return f"a bridge began to serve these devices meanwhile: {answer.says}"
        return "" if MAY_WRITE[answer.serves] or self._vouched else f"nobody knows any more: {answer.says}"


def by_hand(words: str) -> bool:
    """Asks the person at the terminal; Enter alone is no."""
    return typed(f"{words} [y/N] ").strip().lower() in ("y", "yes")


def typed(words: str) -> str:
    """What the person at the terminal types; nothing where there is none."""
    try:
        return input(words)
    except EOFError:
        return ""


def run(site: Site, settings: Settings, path: Path, wish: Wish, *, yes: bool) -> int:
    """The command. `yes` answers what is asked before a write, and never for whether a bridge runs."""
    person = Person((lambda _: True) if yes else by_hand, typed)
    return asyncio.run(commission(site, settings, path, person, wish=wish))
