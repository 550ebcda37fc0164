"""What units are, which of them measure the same, and what comes of their products and quotients: tables.

A key that is missing in them is the error.
"""

from typing import NamedTuple

from consumers.alarms.expression.wrong import guess


class Unit(NamedTuple):
    """A value in this unit times `factor` is the value in the base unit of its dimension."""

    name: str
    dimension: str
    factor: float


BASES: dict[str, tuple[str, str]] = {
    "power": ("W", "power"),
    "reactive power": ("var", "reactive power"),
    "energy": ("Wh", "energy"),
    "reactive energy": ("varh", "reactive energy"),
    "charge": ("Ah", "charge"),
    "voltage": ("V", "voltage"),
    "current": ("A", "current"),
    "frequency": ("Hz", "frequency"),
    "resistance": ("Ohm", "resistance"),
    "temperature": ("degC", "temperature"),
    "difference": ("K", "difference of temperatures"),
    "time": ("s", "time"),
    "angle": ("deg", "angle"),
    "ratio": ("", "plain number or share"),
}
"""Of a dimension: its base unit, and what it is called."""

_PREFIXED = ("W", "VA", "var", "V", "A", "Hz", "Wh", "VAh", "varh", "Ah", "Ohm")
_SAME = {"VA": "W", "VAh": "Wh"}
"""Apparent power is compared with active power, and so are their energies."""
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "m": 1e-3}

_DIMENSION = {unit: dimension for dimension, (unit, _) in BASES.items()}
UNITS: dict[str, Unit] = {
    **{unit: Unit(unit, dimension, 1.0) for dimension, (unit, _) in BASES.items()},
    **{
        prefix + unit: Unit(prefix + unit, _DIMENSION[_SAME.get(unit, unit)], factor)
        for unit in _PREFIXED
        for prefix, factor in _PREFIXES.items()
    },
    "%": Unit("%", "ratio", 0.01),
    "ms": Unit("ms", "time", 0.001),
    "min": Unit("min", "time", 60.0),
    "h": Unit("h", "time", 3600.0),
}
"""Every unit without a slash."""
OTHERS = {
    "C": "did you mean 'degC'?",
    "F": "write it in degC",
    "degF": "write it in degC",
    "sec": "did you mean 's'?",
    "hours": "did you mean 'h'?",
}
"""What others write, where the nearest name is another one."""

_SPEEDS = {name: f"{name} per time" for name in BASES if name not in ("temperature", "time")}
RATIOS: dict[tuple[str, str], str] = {
    **{(name, "time"): speed for name, speed in _SPEEDS.items()},
    ("resistance", "voltage"): "resistance per voltage",
    ("voltage", "difference"): "voltage per difference",
    ("power", "difference"): "power per difference",
    ("energy", "difference"): "energy per difference",
}
"""Quotients that have a dimension of their own; their unit is written with a slash, `K/s` or `Ohm/V`."""
_PARTS = {dimension: pair for pair, dimension in RATIOS.items()}

_H = 1 / 3600
PRODUCTS: dict[tuple[str, str], tuple[str, float]] = {
    ("voltage", "current"): ("W", 1.0),
    ("power", "time"): ("Wh", _H),
    ("reactive power", "time"): ("varh", _H),
    ("current", "time"): ("Ah", _H),
    ("charge", "voltage"): ("Wh", 1.0),
    ("resistance", "current"): ("V", 1.0),
    ("frequency", "time"): ("", 1.0),
    **{(speed, "time"): (BASES[name][0], 1.0) for name, speed in _SPEEDS.items()},
    **{(dimension, below): (BASES[above][0], 1.0) for (above, below), dimension in RATIOS.items() if below != "time"},
}
"""Of two dimensions, in either order: the unit of the product, and what the product of the base units is in it."""

QUOTIENTS: dict[tuple[str, str], tuple[str, float]] = {
    ("power", "voltage"): ("A", 1.0),
    ("power", "current"): ("V", 1.0),
    ("voltage", "current"): ("Ohm", 1.0),
    ("voltage", "resistance"): ("A", 1.0),
    ("energy", "time"): ("W", 3600.0),
    ("energy", "power"): ("h", 1.0),
    ("reactive energy", "time"): ("var", 3600.0),
    ("reactive energy", "reactive power"): ("h", 1.0),
    ("charge", "time"): ("A", 3600.0),
    ("charge", "current"): ("h", 1.0),
    ("energy", "voltage"): ("Ah", 1.0),
    ("energy", "charge"): ("V", 1.0),
    ("reactive power", "power"): ("", 1.0),
    ("reactive energy", "energy"): ("", 1.0),
    **dict.fromkeys(_SPEEDS.items(), ("s", 1.0)),
}
"""The same of quotients, beside RATIOS; two of one dimension give a plain number."""


def is_unit(name: str) -> bool:
    return _find(name) is not None


def unit(name: str) -> Unit:
    """Raises KeyError for what is none."""
    found = _find(name)
    if found is None:
        raise KeyError(name)
    return found


def no_unit(name: str) -> str:
    """Why a name is no unit, and which was meant."""
    if name in OTHERS:
        return f"{name!r} is no unit here; {OTHERS[name]}"
    above, slash, below = name.partition("/")
    if slash and above == "degC" and below in UNITS:
        return f"a difference of temperatures is in K; did you mean 'K/{below}'?"
    if slash and above in UNITS and below in UNITS:
        return f"{above} per {below} is no unit here; there is: K/s, W/min, Ohm/V and others per time"
    bad = name if not slash else above if above not in UNITS else below
    return f"{bad!r} is no unit; {guess(bad, [one for one in UNITS if one])}"


def named(dimension: str) -> str:
    """A dimension as it is called in a sentence."""
    if dimension in BASES:
        return BASES[dimension][1]
    above, below = _PARTS[dimension]
    return f"{BASES[above][1]} per {BASES[below][1]}"


def product(left: Unit, right: Unit) -> tuple[Unit, float] | None:
    """The unit of a product, and what the product of the two numbers is multiplied with; None: there is none."""
    for one, other in ((left, right), (right, left)):
        if other.dimension == "ratio" and one.dimension != "temperature":
            return one, other.factor
        found = PRODUCTS.get((one.dimension, other.dimension))
        if found is not None:
            name, factor = found
            return UNITS[name], factor * left.factor * right.factor
    return None


def quotient(left: Unit, right: Unit) -> tuple[Unit, float] | None:
    """The same of a quotient."""
    pair = left.dimension, right.dimension
    if "temperature" in pair:
        return None
    if right.dimension == "ratio":
        return left, 1 / right.factor
    found = ("", 1.0) if pair[0] == pair[1] else QUOTIENTS.get(pair)
    if found is not None:
        name, factor = found
        return UNITS[name], factor * left.factor / right.factor
    dimension = RATIOS.get(pair)
    if dimension is None:
        return None
    factor = left.factor / right.factor
    if right.dimension != "time":  # Ohm/V, whatever the resistance is read in
        return Unit(f"{BASES[left.dimension][0]}/{BASES[right.dimension][0]}", dimension, 1.0), factor
    return Unit(f"{left.name or '1'}/{right.name}", dimension, factor), 1.0


def per_second(of: Unit) -> Unit | None:
    """The unit of a rate; None for what has none."""
    found = quotient(difference(of), UNITS["s"])
    return None if found is None else Unit(f"{difference(of).name or '1'}/s", found[0].dimension, found[0].factor)


def difference(of: Unit) -> Unit:
    """The unit of a difference of two values: K for temperatures."""
    return UNITS["K"] if of.dimension == "temperature" else of


def _find(name: str) -> Unit | None:
    if name in UNITS:
        return UNITS[name]
    above, slash, below = name.partition("/")
    if not slash or below not in UNITS or not below:
        return None
    top = UNITS.get("" if above == "1" else above)
    dimension = None if top is None else RATIOS.get((top.dimension, UNITS[below].dimension))
    return None if top is None or dimension is None else Unit(name, dimension, top.factor / UNITS[below].factor)
