"""Did the device do what its registers were told? The power decides, not the register. Pure."""

from collections.abc import Mapping

from schemas.messages import Value

SHARE, LEAST = 0.02, 200.0
"""Of the rated power, and in W: as near as a setpoint is followed."""


def doubt(applied: Mapping[str, float], seen: Mapping[str, Value], rated: float) -> str:
    """What speaks against it, in words; empty when the measurement proves it."""
    near = max(SHARE * rated, LEAST)
    p, q = seen.get("p"), seen.get("q")
    if (target := applied.get("p_set")) is not None and not _near(p, target, near):
        return f"the register holds {target:g} W, the measured power stays at {_said(p)} W"
    if (target := applied.get("q_set")) is not None and "q" in seen and not _near(q, target, near):
        return f"the register holds {target:g} var, the measured reactive power stays at {_said(q)} var"
    if (percent := applied.get("p_limit_pct")) is not None:
        if seen.get("p_limit_state") == "disabled":
            return f"the limit of {percent:g} % is written, but not enabled"
        given = seen.get("ac_p", p)  # of a hybrid, whose p is the battery's
        if not isinstance(given, float) or abs(given) > rated * percent / 100 + near:
            return f"the limit is {percent:g} % of {rated:g} W, the measured power stays at {_said(given)} W"
    return ""


def _near(value: Value | None, target: float, near: float) -> bool:
    return isinstance(value, float) and abs(value - target) <= near


def _said(value: Value | None) -> str:
    return f"{value:g}" if isinstance(value, float) else "unknown"
