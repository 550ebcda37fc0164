"""The line of the demo that is written over: the site at a glance, in the width that the terminal has. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """What is known of the site, powers in W, None for what is not known."""

    grid: float | None
    pv: float | None
    batteries: Sequence[tuple[str, float | None, float | None]]
    """Name, power and SoC in %."""
    load: float | None
    mode: str
    """Empty as long as none was heard."""
    plan_age: float | None
    """Seconds."""
    alarms: int
    samples: int


def fitted(seen: Seen, width: int) -> str:
    """As much as fits into `width` characters, and never more: what says least goes first."""
    for parts in _ever_shorter(seen):
        line = "  ".join(parts)
        if len(line) <= width:
            return line
    return line[: max(width, 0)]


def _ever_shorter(seen: Seen) -> Iterator[list[str]]:
    plan = "no plan yet" if seen.plan_age is None else f"plan {seen.plan_age:.0f} s old"
    load, mode = f"load {_kw(seen.load)} kW", seen.mode or "no mode yet"
    begin = [f"grid {_kw(seen.grid)}", f"pv {_kw(seen.pv)}"]
    each = [f"{name} {_kw(power)} {_percent(soc)}" for name, power, soc in seen.batteries]
    end = [load, mode, f"alarms {seen.alarms}"]
    yield [*begin, *each, load, mode, plan, f"alarms {seen.alarms}", f"samples {seen.samples}"]
    yield [*begin, *each, load, mode, plan, f"alarms {seen.alarms}"]
    yield [*begin, *each, *end]
    together = [f"batteries {_kw(_sum([power for _, power, _ in seen.batteries]))}"] if each else []
    yield [*begin, *together, load, mode, plan, f"alarms {seen.alarms}"]
    yield [*begin, *together, *end]
    yield [*begin, *together, load]
    yield begin


def _sum(powers: Sequence[float | None]) -> float | None:
    known = [power for power in powers if power is not None]
    return sum(known) if len(known) == len(powers) else None


def _kw(power: float | None) -> str:
    return "?" if power is None else f"{round(power / 1000, 1) + 0.0:.1f}"  # no -0.0


def _percent(soc: float | None) -> str:
    return "?%" if soc is None else f"{soc:.0f}%"
