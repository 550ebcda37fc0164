"""The reason of the power that is told now, where the load of now asks for another one than the plan's step. Pure.

A step that discharges may rest while PV covers the load, and one that stores PV may rest under a cloud: then the step's
own words would say what nobody does.
"""

from typing import NamedTuple

from optimizer.setpoint_whys import stores
from optimizer.why_words import SENTENCES, minus
from schemas.messages import Step, Why
from schemas.why import WAYS, WhyCode, fits, way

STAYS = SENTENCES[WhyCode.STAYS]


class Meant(NamedTuple):
    """W before any limit, and why: in words, and for programs."""

    power: float
    words: str
    whys: tuple[Why, ...]


def present(meant: Meant, step: Step | None, net: float, currency: str) -> Meant:
    """The same power with the reason that it has at a net load of `net` W; the plan's where that fits."""
    if step is None or not meant.whys or fits(meant.whys[0].code, meant.power):
        return meant
    now = way(meant.power)
    if now > 0:
        price = Why(code=WhyCode.COVERS_LOAD.value, price=round(step.price_import, 4))
        return Meant(meant.power, f"covers the load; {_price(step.price_import)} {currency}/kWh now", (price,))
    if now < 0:
        return Meant(meant.power, *_charges(step, net, currency))
    code = _rests(WAYS[meant.whys[0].code], net)
    return Meant(meant.power, SENTENCES[code], (Why(code=code.value),))


def _rests(planned: int, net: float) -> WhyCode:
    if planned > 0 and way(net) <= 0:
        return WhyCode.NOTHING_TO_COVER
    return WhyCode.NOTHING_TO_STORE if planned < 0 and way(net) >= 0 else WhyCode.NOT_NEEDED


def _charges(step: Step, net: float, currency: str) -> tuple[str, tuple[Why, ...]]:
    if way(net) < 0:
        return f"stores PV; sold for {_price(step.price_export)} {currency}/kWh", (stores(step),)
    price = Why(code=WhyCode.CHARGES_FOR_LATER.value, price=round(step.price_import, 4))
    return f"charges; {_price(step.price_import)} {currency}/kWh now", (price,)


def _price(amount: float) -> str:
    return minus(f"{amount:.2f}")
