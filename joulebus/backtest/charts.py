"""Pictures as inline SVG, drawn with the class names of the report's style sheet. Pure text."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

WIDTH, LEFT, RIGHT, TOP = 720, 58, 12, 10
"""Pixels."""


def bars(names: Sequence[str], series: Mapping[str, Sequence[float]], unit: str, height: int = 230) -> str:
    """Groups of upright bars: `series` by its class, one value a name."""
    low, high, ticks = _scale([0.0, *(value for values in series.values() for value in values)])
    y = _axis(low, high, height)
    group = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    width = 0.8 * group / max(1, len(series))
    drawn = [_grid(ticks, y, unit, height)]
    for number, (kind, values) in enumerate(series.items()):
        for place, value in enumerate(values):
            left = LEFT + place * group + 0.1 * group + number * width
            top, bottom = sorted((y(value), y(0.0)))
            title = f"<title>{escape(names[place])}, {escape(kind)}: {value:,.2f} {escape(unit)}</title>"
            drawn.append(
                f'<rect class="s{number}" x="{left:.1f}" y="{top:.1f}" width="{width - 1:.1f}" '
                f'height="{max(0.5, bottom - top):.1f}">{title}</rect>'
            )
    drawn += [
        f'<text x="{LEFT + (place + 0.5) * group:.1f}" y="{height - 6}" text-anchor="middle">{escape(name)}</text>'
        for place, name in enumerate(names)
    ]
    return _svg(drawn, height) + _legend(list(series))


def lines(
    series: Mapping[str, Sequence[float]], unit: str, *, level: tuple[float, str] | None = None, height: int = 220
) -> str:
    """Steps over a day: a value each quarter hour. `level`: a dashed line with its name."""
    values = [value for each in series.values() for value in each]
    low, high, ticks = _scale([0.0, *values, *([level[0]] if level else [])])
    y = _axis(low, high, height)
    drawn = [_grid(ticks, y, unit, height)]
    for number, each in enumerate(series.values()):
        step = (WIDTH - LEFT - RIGHT) / max(1, len(each))
        points = " ".join(
            f"{LEFT + (place + edge) * step:.1f},{y(value):.1f}" for place, value in enumerate(each) for edge in (0, 1)
        )
        drawn.append(f'<polyline class="l{number}" points="{points}"/>')
    if level:
        at = y(level[0])
        drawn.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        drawn.append(f'<text x="{WIDTH - RIGHT}" y="{at - 4:.1f}" text-anchor="end">{escape(level[1])}</text>')
    count = max((len(each) for each in series.values()), default=0)
    for hour in range(0, 25, 3):
        at = LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, hour * 4 / max(1, count))
        drawn.append(f'<text x="{at:.1f}" y="{height - 6}" text-anchor="middle">{hour}</text>')
    return _svg(drawn, height) + _legend(list(series), "l")


def lying(values: Mapping[str, float], unit: str) -> str:
    """One lying bar a name, with its value beside it."""
    most, name_width = max([1e-9, *values.values()]), 150
    drawn = []
    for place, (name, value) in enumerate(values.items()):
        at, room = 8 + 30 * place, WIDTH - name_width - 130
        drawn.append(f'<text x="{name_width - 8}" y="{at + 15}" text-anchor="end">{escape(name)}</text>')
        drawn.append(
            f'<rect class="s{1 if 0 < place < len(values) - 1 else 0 if place == 0 else 2}" x="{name_width}" '
            f'y="{at}" width="{max(1.0, room * max(0.0, value) / most):.1f}" height="20"/>'
        )
        end = name_width + room * max(0.0, value) / most + 6
        drawn.append(f'<text x="{end:.1f}" y="{at + 15}">{value:,.0f} {escape(unit)}</text>')
    return _svg(drawn, 16 + 30 * len(values))


def _scale(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Lowest and highest of an axis and its ticks, at round numbers."""
    low, high = min(values), max(values)
    span = max(high - low, 1e-6)
    step = 10.0 ** floor(log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 5)
    first = floor(low / step)
    last = max(first + 1, ceil(high / step))  # all values may be 0
    return first * step, last * step, [number * step for number in range(first, last + 1)]


class _axis:  # noqa: N801  # called as a function
    """From a value to a pixel."""

    def __init__(self, low: float, high: float, height: int) -> None:
        self.low, self.scale, self.base = low, (height - TOP - 24) / (high - low), height - 24

    def __call__(self, value: float) -> float:
        return self.base - (value - self.low) * self.scale


def _grid(ticks: Sequence[float], y: "_axis", unit: str, height: int) -> str:
    drawn = []
    for tick in ticks:
        at = y(tick)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        drawn.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{tick:,.10g}</text>')
    return "".join(drawn) + f'<text x="4" y="{height - 6}">{escape(unit)}</text>'


def _svg(drawn: Sequence[str], height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">{"".join(drawn)}</svg>'


def _legend(names: Sequence[str], letter: str = "s") -> str:
    each = "".join(f'<span><i class="{letter}{i}"></i>{escape(name)}</span>' for i, name in enumerate(names))
    return f'<p class="legend">{each}</p>'
