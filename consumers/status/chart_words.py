"""What the charts show, as a sentence for each: for who hears them instead. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from consumers.status.series import Column, Span

RESTS = 500.0
"""W: less than that is no charging and no discharging to be told of."""
LATE = timedelta(minutes=15)
"""A value that is older is none of now."""
FLOWS = {
    "grid": ("feeds in", "draws"),
    "pv": ("takes", "gives"),
    "battery": ("charges", "discharges"),
    "load": ("feeds in", "takes"),
}
"""What is said of a power below zero and above it."""
NAMES = {"grid": "the grid connection", "pv": "PV", "battery": "the battery", "load": "the load"}
BOUNDS = {name: (words, 1000.0, 1, " kW") for name, words in NAMES.items()} | {
    "soc": ("state of charge", 1.0, 0, " %"),
    "price_import": ("import", 1.0, 3, " per kWh"),
}
"""How their lowest and highest are said: the name, the divisor, the digits and the unit."""


def spoken(
    columns: Mapping[str, Column], span: Span, now: datetime, zone: ZoneInfo, forecast: datetime | None = None
) -> dict[str, str]:
    """Of the charts `power`, `soc` and `price`. `forecast`: from when on prices are not published yet."""
    chart = _Chart(columns, span.instants, span, now, zone)
    if not span.start <= now < span.end:  # of a day of the past nobody asks what is now
        return {
            "power": chart.over(*FLOWS),
            "soc": chart.over("soc"),
            "price": chart.over("price_import") + chart.guess(forecast),
        }
    return {"power": chart.powers(), "soc": chart.soc(), "price": chart.price(forecast)}


class _Chart:
    def __init__(
        self, columns: Mapping[str, Column], instants: Sequence[datetime], span: Span, now: datetime, zone: ZoneInfo
    ) -> None:
        self.columns, self.instants, self.span, self.now, self.zone = columns, instants, span, now, zone
        self.width = timedelta(seconds=span.seconds)

    def powers(self) -> str:
        parts = [words for name in FLOWS if (words := self._flow(name))]
        known = f"Now {', '.join(parts)}." if parts else "Nothing was measured lately."
        battery = "; ".join(filter(None, (self._since(), self._next())))
        over = f"From {self._clock(self.span.start)} to {self._clock(self.span.end)}."
        return " ".join(filter(None, (over, known, f"Battery: {battery}." if battery else "")))

    def over(self, *names: str) -> str:
        """Lowest and highest of each, of what was measured or priced, or else of what is planned."""
        parts = [words for name in names if (words := self._bounds(name) or self._bounds(f"plan_{name}"))]
        told = "; ".join(parts) or "nothing is known"
        return f"From {self._clock(self.span.start)} to {self._clock(self.span.end)}: {told}."

    def _bounds(self, name: str) -> str:
        known = self._known(name)
        if not known:
            return ""
        what, per, digits, unit = BOUNDS[name.removeprefix("plan_")]
        low, high = (edge(known, key=lambda one: one[1]) for edge in (min, max))
        told = [f"{one / per:.{digits}f}{unit} at {self._clock(at)}" for at, one in (low, high)]
        planned = " planned" if name.startswith("plan_") else ""
        return f"{what}{planned} lowest {told[0]}, highest {told[1]}"

    def soc(self) -> str:
        now = self._now("soc")
        said = "State of charge not known now" if now is None else f"State of charge {now:.0f} % now"
        coming = self._coming("plan_soc")
        if not coming:
            return f"{said}; nothing is planned."
        low, high = (edge(coming, key=lambda one: one[1]) for edge in (min, max))
        when = [self._clock(at + self.width) for at, _ in (low, high)]  # it stands at the end of a step
        return f"{said}; planned lowest {low[1]:.0f} % at {when[0]}, highest {high[1]:.0f} % at {when[1]}."

    def price(self, forecast: datetime | None) -> str:
        buy, sell = (self._now(name, self.width) for name in ("price_import", "price_export"))
        known = [f"{name} {one:.3f} per kWh" for name, one in (("import", buy), ("export", sell)) if one is not None]
        said = f"Now {', '.join(known)}." if known else "The price of now is not known."
        if coming := self._coming("price_import"):
            low, high = (edge(coming, key=lambda one: one[1]) for edge in (min, max))
            said += f" To come, lowest import {low[1]:.3f} at {self._clock(low[0])}, "
            said += f"highest {high[1]:.3f} at {self._clock(high[0])}."
        return said + self.guess(forecast)

    def guess(self, forecast: datetime | None) -> str:
        """From when on prices are forecast; empty where that is later."""
        if forecast is None or forecast >= self.span.end:
            return ""
        return f" From {self._clock(forecast)} on prices are forecast."

    def _flow(self, name: str) -> str:
        power = self._now(name)
        if power is None:
            return ""
        if abs(power) < RESTS:
            return f"{NAMES[name]} {'rests' if name == 'battery' else 'is at 0 kW'}"
        return f"{NAMES[name]} {FLOWS[name][power > 0]} {abs(power) / 1000:.1f} kW"

    def _since(self) -> str:
        """How long the battery has done what it does."""
        past = [one for one in self._known("battery") if one[0] <= self.now]
        if not past or past[-1][0] < self.now - LATE:
            return ""
        does = _kind(past[-1][1])
        before = next((number for number, (_, one) in enumerate(reversed(past)) if _kind(one) != does), len(past))
        since = past[len(past) - before][0]
        words = {"rests": "rested", "charges": "has charged", "discharges": "has discharged"}[does]
        return f"{words} since {self._clock(since)}"

    def _next(self) -> str:
        """The next thing that is planned for it."""
        coming = self._coming("plan_battery")
        if not coming:
            return "nothing is planned"
        found = next(((at, power) for at, power in coming if _kind(power) != "rests"), None)
        if found is None:
            return f"the plan rests until {self._clock(coming[-1][0] + self.width)}"
        at, power = found
        when = "now" if at <= self.now else f"at {self._clock(at)}"
        return f"the plan {_kind(power)} {abs(power) / 1000:.0f} kW {when}"

    def _now(self, name: str, late: timedelta = LATE) -> float | None:
        past = [one for one in self._known(name) if one[0] <= self.now]
        return past[-1][1] if past and past[-1][0] > self.now - max(late, self.width) - self.width else None

    def _coming(self, name: str) -> list[tuple[datetime, float]]:
        return [one for one in self._known(name) if one[0] + self.width > self.now]

    def _known(self, name: str) -> list[tuple[datetime, float]]:
        column = self.columns.get(name, [])
        return [(at, one) for at, one in zip(self.instants, column, strict=False) if one is not None]

    def _clock(self, at: datetime) -> str:
        """With its weekday where it is another day than that of now."""
        there, here = at.astimezone(self.zone), self.now.astimezone(self.zone)
        if there.date() == here.date():
            return f"{there:%H:%M}"
        return f"{there:%a %H:%M}" if abs(at - self.now) < timedelta(days=6) else f"{there:%d %b %Y %H:%M}"


def _kind(power: float) -> str:
    return "rests" if abs(power) < RESTS else FLOWS["battery"][power > 0]
