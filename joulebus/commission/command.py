"""`joulebus commission`: speaks to the devices itself, so no bridge may serve them meanwhile."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from joulebus.commission.bridge import MAY_WRITE, Answer, Serves, ask_broker
from joulebus.commission.findings import GOOD, OPEN, Finding, dead_time
from joulebus.commission.report import report, site_file, verdict
from joulebus.commission.tour import Tour
from joulebus.commission.walk import Walk
from runtime.settings import Settings
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.troubles import Trouble, Usage
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
    battery: str | None = None
    """Only this one; every one of the site, and its PV, when left out."""


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
    tour = Tour(site, units_of(site, wish.battery), person.ask, say)
    try:
        tour.notes.append(await alone.before())
        await tour.read_all()
        await _walk_all(tour, alone, wish)
        if wish.battery is None:
            await _limit_pv(tour, alone)
    finally:
        tour.close()
    return await asyncio.to_thread(_write_reports, tour, path, say)


async def _walk_all(tour: Tour, alone: "Alone", wish: Wish) -> None:
    """One battery after the other. One that does not come to rest ends it: the others' steps would tell nothing."""
    unrest = ""
    for number, walk in enumerate(tour.walks):
        if len(tour.walks) > 1:
            tour.say(f"{walk.name}:")
        if unrest:
            walk.find(Finding(walk.pcs.name, "steps", OPEN, unrest))
            continue
        await _walk(walk, alone, wish, first=not number)
        if not await walk.end():
            unrest = f"{walk.pcs.name} is not at rest: stop it at its panel first"


async def _walk(walk: Walk, alone: "Alone", wish: Wish, *, first: bool) -> None:
    """What is written, one thing after the other, each only while no bridge serves the site."""
    why = walk.forbidden() or alone.forbids or ("" if first else await alone.again()) or await walk.others_rest()
    if why:
        walk.find(Finding(walk.pcs.name, "steps", OPEN, why))
        return
    if not await walk.step_all():
        walk.notes.append("Nothing more was tried: the small steps come first.")
        return
    for trial in (walk.full, walk.silence) if wish.full else (walk.silence,):
        if why := await alone.again():
            walk.find(Finding(walk.pcs.name, trial.__name__, OPEN, why))
            return
        await trial()
        if not (await walk.rests())[0]:
            return
    if not wish.full:
        walk.notes.append("Ramp and round-trip efficiency: a step of 5 % is too small to tell; --full measures them.")


async def _limit_pv(tour: Tour, alone: "Alone") -> None:
    """Each inverter that can be limited, while no bridge serves the site. One of a site that is watched is but read."""
    for step in tour.pv_steps():
        why = alone.forbids or await alone.again() if step.may else ""
        tour.find(*([Finding(step.name, "limit step", OPEN, why)] if why else await step.make()))
        tour.notes += step.notes


def _write_reports(tour: Tour, path: Path, say: Callable[[str], None]) -> int:
    """One file of the site, and one of each battery where several were walked."""
    site, now, whole = tour.site, utc_now(), [*tour.findings]
    if len(tour.walks) == 1:
        (walk,) = tour.walks
        site, whole, tour.notes = walk.site, [*whole, *walk.findings], [*tour.notes, *walk.notes]
    for walk in tour.walks[: 0 if len(tour.walks) == 1 else None]:
        own = path.with_name(f"{path.stem}-{walk.name}{path.suffix}")
        found, measured = tour.of(walk), dead_time(walk.steps)
        text = report(walk.site, found, now, [*tour.notes[:1], *walk.notes], dead_time=measured, unit=walk.name)
        own.write_text(text, encoding="utf-8")
        say(f"{own} is written")
        whole += walk.findings
        tour.notes.append(f"{walk.name}: {verdict(found)}; its report is {own.name}")
    measured = dead_time(tour.walks[0].steps) if len(tour.walks) == 1 else None
    path.write_text(report(site, whole, now, tour.notes, dead_time=measured), encoding="utf-8")
    for walk in tour.walks:
        for words in site_file(walk.site, dead_time(walk.steps)):
            say(words)
    say(f"{path} is written")
    return 0 if all(one.verdict == GOOD for one in whole) else 1


def units_of(site: Site, name: str | None) -> list[Unit]:
    """What is walked: each PCS of the battery, or of all. Raises Trouble."""
    names = [one.name for one in site.battery]
    if name is not None and name not in names:
        raise Usage.unknown(f"battery {name!r}", name, names)
    return [one for one in site.units if name in (None, one.of)]


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
    """What the person at the terminal types; nothing where there is none. Ctrl-C ends a question at once: while one is
    asked nothing flows."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(words)
    except (EOFError, OSError, RuntimeError, UnicodeDecodeError):  # a closed one is a RuntimeError
        print("\nnobody is at a terminal to answer: taken for no; --yes answers before each write")
        return ""
    finally:
        signal.signal(signal.SIGINT, before)


def run(site: Site, settings: Settings, path: Path, wish: Wish, *, yes: bool) -> int:
    """The command. `yes` answers what is asked before a write, and never for whether a bridge runs."""
    person = Person((lambda _: True) if yes else by_hand, typed)
    return asyncio.run(_until_told(commission(site, settings, path, person, wish=wish)))


async def _until_told(work: Coroutine[None, None, int]) -> int:
    """A terminal that is closed and a process that is ended are as Ctrl-C: what was commanded is given back. Only the
    first of them counts: more of them would break that off."""
    task, ended = asyncio.ensure_future(work), list[int]()

    def end(number: int) -> None:
        if not ended:
            task.cancel()
        ended.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not ended:
            raise
        return 128 + ended[0]
