"""What the battery is to give where no policy says it: by a step that has none, or without any plan. Pure."""

from optimizer.grid_target import SMALL
from optimizer.present_whys import Meant
from optimizer.setpoint_whys import stores
from optimizer.storage import Storage
from optimizer.stored_worth import Worth, worth
from schemas.messages import Step, Why
from schemas.why import WhyCode

RESERVE, TAPER = 0.5, 5.0
"""Without a plan: so much of the usable SoC is kept for the billed peak; over so many % below and above that it is
refilled and used with less than full power, so that nothing chatters at the edge."""
REFILL = 0.8
"""Of the billed peak: the reserve is refilled from the grid as long as it carries less."""
NO_PLAN = (Why(code=WhyCode.NO_PLAN.value),)


def alone(  # noqa: PLR0917  # the battery and what is measured: they read well in a row
    battery: Storage, rated: float, net: float, soc: float, peak: float | None, per: str
) -> Meant:
    """Without a plan: self-consumption, and where a peak is billed a reserve for it."""
    words = "no valid plan: " + ("covers the load" if net > 0 else "stores PV")
    if peak is None:
        return Meant(net, words, NO_PLAN)
    reserve = battery.soc_min + RESERVE * (battery.soc_max - battery.soc_min)
    most = max(-1.0, min(1.0, (soc - reserve) / TAPER)) * rated
    if most < 0:
        refill = max(most, net - REFILL * peak)
        if refill < min(net, 0.0):
            words = f"no valid plan: refills the {reserve:.0f} % kept for the {per}'s peak"
            return Meant(refill, words, _keeps(reserve, per))
    if net <= max(most, 0.0):
        return Meant(net, words, NO_PLAN)
    words = f"no valid plan: keeps {reserve:.0f} % for the {per}'s peak"
    return Meant(max(most, 0.0), words, _keeps(reserve, per))


def _keeps(reserve: float, per: str) -> tuple[Why, ...]:
    return (Why(code=WhyCode.KEEPS_WITHOUT_PLAN.value, limit=reserve, per=per),)


def follow_step(step: Step, net: float, battery: Storage, peak: float | None) -> Meant:
    """What the plan means, on the measured load and PV: a forecast error alone never buys or sells energy."""
    planned = step.load - step.pv
    sells = step.power > max(planned, 0.0) + SMALL
    buys = step.power < min(planned, 0.0) - SMALL
    if sells or buys:
        return Meant(step.power, step.reason, (*step.why,))
    if step.power > SMALL:
        return Meant(_cover(step, max(net, 0.0), battery, peak), step.reason, (*step.why,))
    if step.power < -SMALL:
        whole = step.grid >= -SMALL
        power = min(net, 0.0) if whole else max(step.power, min(net, 0.0))
        return Meant(power, step.reason, (*step.why,))
    if net < -SMALL and step.marginal_value * battery.efficiency > step.price_export:
        words = f"stores PV nobody forecast: a kWh is worth {step.marginal_value:.2f}, sold at {step.price_export:.2f}"
        return Meant(net, words, (stores(step),))
    return Meant(0.0, step.reason, (*step.why,))


def _cover(step: Step, load: float, battery: Storage, peak: float | None) -> float:
    """Discharges into a load in W, as the plan meant to."""
    if worth(step, battery) is Worth.LESS:
        # only the peak or the import limit asked for it; the peak holds by itself, on the mean of its window
        return max(0.0, load - max(step.grid, 0.0)) if peak is None else 0.0
    whole = step.grid <= SMALL
    return load if whole else min(step.power, load)
