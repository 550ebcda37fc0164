"""What a plan comes to, in words: of which hours, the peak apart from the energy. Pure."""

from datetime import datetime

from optimizer.why_words import minus
from schemas.messages import Plan

WHOLE = 1000.0
"""From so much on cents say nothing."""


def hours(plan: Plan, now: datetime) -> float:
    """h that its sums are of, from now on."""
    if not plan.steps:
        return 0.0
    last = plan.steps[-1]
    return max(0.0, (last.at - now).total_seconds() + last.seconds) / 3600


def costs(plan: Plan, now: datetime) -> str:
    """`next 25 h: energy 687.10 EUR, 98.20 EUR less than without the battery; peak 4885 EUR, 1200 EUR less`."""
    span, money = f"next {hours(plan, now):.0f} h", plan.currency
    if plan.peak_cost is None or plan.peak_cost_idle is None:
        saved = _against(plan.cost_idle - plan.cost, money)
        return f"{span}: {amount(plan.cost, money)}, {saved} than without the battery"
    energy, idle = plan.cost - plan.peak_cost, plan.cost_idle - plan.peak_cost_idle
    peak = _against(plan.peak_cost_idle - plan.peak_cost, money)
    return (
        f"{span}: energy {amount(energy, money)}, {_against(idle - energy, money)} than without the battery; "
        f"peak {amount(plan.peak_cost, money)} beyond what is billed, {peak}"
    )


def amount(value: float, currency: str) -> str:
    """In money."""
    return f"{minus(f'{value:.{0 if abs(value) >= WHOLE else 2}f}')} {currency}".rstrip()


def _against(saved: float, currency: str) -> str:
    return f"{amount(abs(saved), currency)} {'less' if saved >= 0 else 'more'}"
