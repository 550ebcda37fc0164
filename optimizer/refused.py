"""What is kept of a plan that the second check has refused: enough to make it again and to find out why. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np

from optimizer.outlook import Outlook
from optimizer.storage import Storage
from schemas.messages import Plan

VECTORS = (
    *("load", "pv", "buy", "sell", "free", "inside", "spread", "carbon"),
    *("allowed_charge", "allowed_discharge", "up", "down", "floor", "ceiling"),
)
"""What an outlook has by step."""


def record(plan: Plan, outlook: Outlook, wrong: Sequence[str]) -> dict[str, Any]:
    """As it is written to a file: the plan, each reason, and what it was made from. JSON has no infinity: None is none,
    and what is one number for all steps is one."""
    return {
        "id": plan.id,
        "at": plan.at.isoformat(),
        "reasons": list(wrong),
        "plan": plan.model_dump(mode="json"),
        "outlook": {
            "starts": [at.isoformat() for at in outlook.starts],
            "minutes": outlook.minutes,
            "soc": outlook.soc,
            "rated": outlook.rated,
            "ramp": _plain(outlook.ramp),
            "battery": _plain(outlook.battery),
            "grid": outlook.grid.model_dump(mode="json"),
            "charges": [
                {
                    "component": one.component.model_dump(mode="json"),
                    "peaks": {at.isoformat(): power for at, power in one.peaks.items()},
                    "expected": one.expected,
                    "imported": one.imported,
                }
                for one in outlook.charges
            ],
            "held": [[one.model_dump(mode="json") for one in each] for each in outlook.held],
        }
        | {name: _plain(getattr(outlook, name)) for name in VECTORS},
    }


def _plain(given: Any) -> Any:  # noqa: ANN401  # what JSON can say of it
    if isinstance(given, np.ndarray | np.floating):
        return _plain(given.tolist())
    if isinstance(given, list | tuple):
        return [_plain(one) for one in given]
    if isinstance(given, Storage):
        return {name: _plain(one) for name, one in asdict(given).items()}
    return None if isinstance(given, float) and not isfinite(given) else given
