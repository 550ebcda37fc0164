"""The flexible loads on the desk of dispatch: what each is told now, and which give way to a limit. Pure: both clocks
are arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consumers.dispatch.instruction import Instruction
from consumers.dispatch.load_seen import KeptLoad, LoadSeen, rule_point
from consumers.dispatch.load_shedding import Shedding, Strain
from optimizer.dispatch import Wanted
from optimizer.loads.choice import Choice, Why, choose
from optimizer.loads.load import Load
from schemas.messages import Authority, LoadDispatch, LoadState, Mode, Outcome, Plan, Telemetry
from schemas.site import Site

IDLE = 120.0
"""Seconds after which a load that is told to take its energy and draws nothing is said to be idle."""
STEERED = (Mode.AUTO, Mode.MANUAL)
"""In any other mode the loads are told nothing, and their bridge brings them to their fallback."""


@dataclass
class LoadDesk:
    """All loads, in the order of the site file: the first gives way first."""

    seen: dict[str, LoadSeen] = field(default_factory=dict)
    told: dict[str, LoadDispatch] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    """Which load each of the last commands was for, by id."""
    shedding: Shedding = field(default_factory=Shedding)
    decides: dict[str, Why] = field(default_factory=dict)
    _idle: dict[str, float] = field(default_factory=dict)
    """Since when each is told to run, and does not."""

    @classmethod
    def of(cls, site: Site) -> "LoadDesk":
        found = dict[str, LoadSeen]()
        for rule in site.load:
            rated = site.named(rule.device).rated_power or 0.0
            load = Load.of(rule, site.profiles[rule.device], rated, site.zone)
            found[rule.device] = LoadSeen.of(site, load)
        return cls(found)

    def hear(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """A device of the site was read."""
        for one in self.seen.values():
            one.hear(device, telemetry, now, mono)

    def sends(self, name: str, load: str) -> None:
        """A command goes out under this id."""
        self.sent[name] = load
        while len(self.sent) > 100 * len(self.seen):
            del self.sent[next(iter(self.sent))]

    def hear_outcome(self, outcome: Outcome, mono: float) -> None:
        """The bridge says what became of a command."""
        if outcome.id in self.sent:
            self.seen[self.sent[outcome.id]].hear_outcome(outcome, mono)

    def begin(self, kept: Mapping[str, KeptLoad], mono: float, gone: float) -> None:
        """Goes on where the last run ended `gone` seconds ago."""
        for name, one in self.seen.items():
            if name in kept:
                one.begin(kept[name], mono, gone)

    def keep(self, mono: float) -> dict[str, KeptLoad]:
        """What the next run must know."""
        return {name: kept for name, one in self.seen.items() if (kept := one.keep(mono)) is not None}

    def instruct(
        self, plan: Plan | None, strain: Strain, mode: Mode, now: datetime, mono: float
    ) -> dict[str, Instruction]:
        """What to send now, by load; `told` says what each is told and why."""
        self.told, choices = {}, dict[str, Choice]()
        for name, one in self.seen.items():
            aside = self._aside(one, mode, mono)
            if aside:
                self.told[name] = LoadDispatch(state=state(one, now, mono), reason=aside)
                self.decides.pop(name, None)
                continue
            planned = scheduled(plan, name, now)
            choices[name] = choose(one.load, one.now(mono), now, planned, self.decides.get(name))
        choices = self.shedding.look(self.seen, choices, strain, mono)
        found = dict[str, Instruction]()
        for name, choice in choices.items():
            self.decides[name] = choice.why
            one = self.seen[name]
            power = None if choice.share is None else choice.share * one.load.rated
            self.told[name] = LoadDispatch(
                state=state(one, now, mono),
                power=power,
                reason=choice.words,
                complaint=self._complaint(one, choice, mono),
            )
            if choice.share is not None:
                authority = Authority.PLAN if choice.why is Why.PLAN else Authority.SELF_CONSUMPTION
                value = one.load.rule.value(choice.share, one.profile, one.load.rated)
                found[name] = Instruction(Wanted(value, choice.words[:500], authority), point=rule_point(one))
        return found

    def _complaint(self, one: LoadSeen, choice: Choice, mono: float) -> str:
        """Why it does not do as it is told: what its bridge says, or that it takes no energy. One that keeps a band has
        a thermostat of its own, and may rest."""
        if not choice.on or one.on or one.load.rule.energy is None:
            self._idle.pop(one.load.name, None)
            return one.complains(mono)
        idle = mono - self._idle.setdefault(one.load.name, mono) > IDLE
        return one.complains(mono) or ("it is told to run and draws nothing: is it there, or full?" if idle else "")

    @staticmethod
    def _aside(one: LoadSeen, mode: Mode, mono: float) -> str:
        """Why it is told nothing."""
        if mode not in STEERED:
            return f"no command in {mode.value}: its bridge brings it to its fallback"
        if one.silent(mono):
            return "no command: it does not answer"
        return "no command: it is steered at its own panel" if one.panel else ""

    def complaints(self) -> list[str]:
        """What the bridge says of them, and which give way, in words."""
        shed = [f"{name}: {self.told[name].reason}" for name in self.told if self.decides.get(name) is Why.SHED]
        each = {name: self.told[name].complaint for name in self.told}
        return [*shed, *(f"{name}: {words}" for name, words in each.items() if words)]


def state(one: LoadSeen, now: datetime, mono: float) -> LoadState | None:
    """What a load does, as everybody may read it; None while it is not read."""
    if one.silent(mono):
        return None
    found = one.now(mono)

    def when(age: float) -> datetime:
        return (now - timedelta(seconds=min(age, 1e7))).replace(microsecond=0)

    value = None if found.value is None else round(found.value, 1)
    starts = [when(age) for age in found.starts]
    pace = None if found.pace is None else round(found.pace, -2)
    return LoadState(
        on=found.on, since=when(found.seconds), starts=starts, value=value, taken=round(found.taken, -2), pace=pace
    )


def scheduled(plan: Plan | None, load: str, now: datetime) -> float | None:
    """W of a load in the plan that holds now; None without."""
    for step in [] if plan is None else plan.loads.get(load, []):
        if 0 <= (now - step.at).total_seconds() < step.seconds:
            return step.power
    return None
