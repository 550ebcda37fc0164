"""One power for the batteries that can be steered, and the share of each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.doing import of
from consumers.dispatch.held_back import probe
from consumers.dispatch.instruction import Instruction
from optimizer.dispatch import Ratings, Wanted
from optimizer.racks import Neighbour
from optimizer.reserve_now import keeps
from optimizer.situation.ages import METER_STEERS
from optimizer.split import split
from optimizer.storage import together
from schemas.messages import ControlRequest, Plan
from schemas.site import Site
from schemas.site_grid import Grid


def ratings(  # noqa: PLR0917  # what they are, and what is known of now: they read well in a row
    site: Site, pool: Sequence[BatteryDesk], grid: Grid, plan: Plan | None, last: Plan | None, now: datetime
) -> Ratings:
    """What the batteries are together. `grid`: as it may be used now; `last`: the last plan, also one that is over."""
    fresh = site.named(site.grid.meter).stale_after(METER_STEERS)
    rated, allowed = sum(one.seen.rated for one in pool), max(one.seen.bms_fresh for one in pool)
    promised = site.reserve if site.tariff_fault else site.reserves
    kept = keeps(site.plan, promised, last.steps if last else [], rated, now, site.zone)
    currency = plan.currency if plan else ""
    return Ratings(together([one.battery for one in pool]), grid, rated, fresh, allowed, currency, kept)


def divide_cells(pool: Sequence[BatteryDesk], every: Sequence[BatteryDesk]) -> None:
    """Several PCS on the same cells: each of the pool gets its part of what they allow, and what another one of them
    does anyway stands before."""
    taking = {one.pcs for one in pool}
    for one in pool:
        powers = [(each, each.seen.power or 0.0) for each in every if each.pcs in one.battery.beside]
        one.seen.beside = [
            (Neighbour(each.seen.rated, each.pcs in taking), max(0.0, -power), max(0.0, power))
            for each, power in powers
        ]


def last_power(pool: Sequence[BatteryDesk]) -> float:
    """W that was wanted of them before, or that they give."""
    return sum(one.last if one.last is not None else one.seen.power or 0.0 for one in pool)


def shares(
    wanted: Wanted, pool: Sequence[BatteryDesk], without: Sequence[str], request: ControlRequest | None, mono: float
) -> dict[str, Instruction]:
    """By PCS. Each with the reason of the whole, and who does not take part."""
    if len(pool) == 1:
        said = [*held(wanted, pool), *without]
        return {pool[0].pcs: Instruction(_because(wanted, wanted.power, said), request=request)}
    last = {one.pcs: one.last or 0.0 for one in pool}
    free = [one for one in pool if not one.stuck.holds(mono)] or pool  # where none obeys, each is asked again
    asked, left = dict[str, float](), wanted.power
    for one in pool:
        if one.pcs not in {each.pcs for each in free}:
            asked[one.pcs] = _part(one.stuck.at, left)
            left -= _part(one.seen.power or 0.0, left)
    whole = left
    for one in free:
        if (stands := one.stands(mono)) is not None:
            asked[one.pcs] = _part(stands, left)
            left -= asked[one.pcs]
    powers = asked | split(left, [one.room(mono) for one in free if one.pcs not in asked], last)
    more = dict.fromkeys(powers, 0.0) | _more(whole, powers, free, last, mono)
    of_all, sent = [f"its share of {wanted.power / 1000:.1f} kW", *without], dict[str, Instruction]()
    for one in pool:
        power, asks = powers[one.pcs], more[one.pcs]
        own = replace(wanted, reason=own_reason(one, wanted, power, mono))
        because = _because(own, power + asks, [*of_all, *_words(one, asks, mono)])
        sent[one.pcs] = Instruction(because, None, request, asks)
    return sent


def own_reason(one: BatteryDesk, wanted: Wanted, power: float, mono: float) -> str:
    """Why one of several does this: what the site wants, and what limits this one."""
    if blocked := one.interlocked.holds(wanted.sought):
        return f"{wanted.plain}; but {blocked}"
    limit = one.limit(wanted.sought, power, mono)
    return f"{wanted.plain}; limited by {limit}" if limit else wanted.plain


def held(wanted: Wanted, pool: Sequence[BatteryDesk]) -> list[str]:
    """Whom interlocks of the bridge keep from what the site seeks, in words."""
    said = [(one, one.interlocked.holds(wanted.sought)) for one in pool]
    return [f"but {of(one, words, pool)}" for one, words in said if words]


def _more(
    wanted: float, powers: Mapping[str, float], free: Sequence[BatteryDesk], last: Mapping[str, float], mono: float
) -> dict[str, float]:
    """By PCS: what those that are held back are asked beyond what passes. A little; but a register that may be written
    once in a while is told all of its share, as that little would be its one write."""
    unheld = split(wanted, [one.seen.room() for one in free], last)
    slow = split(wanted, [one.seen.room() if one.is_slow else one.room(mono) for one in free], last)
    return {
        one.pcs: slow[one.pcs] - powers[one.pcs]
        if one.is_slow
        else probe(powers[one.pcs], unheld[one.pcs], one.seen.rated)
        for one in free
        if one.stands(mono) is not None or one.room(mono) != one.seen.room()
    }


def _words(one: BatteryDesk, more: float, mono: float) -> list[str]:
    stands = one.stands(mono)
    if stands is not None:
        return [f"stays at {stands / 1000:.1f} kW until its register may be written again"]
    return ["asks whether it is still held back"] if more else []


def _part(power: float, wanted: float) -> float:
    """What of this power is wanted: no more, and never the opposite."""
    return min(max(power, min(wanted, 0.0)), max(wanted, 0.0))


def _because(wanted: Wanted, power: float, more: Sequence[str]) -> Wanted:
    reason = "; ".join([wanted.reason, *more])
    return replace(wanted, power=round(power, 1) + 0.0, reason=reason[:500])
