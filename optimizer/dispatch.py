"""The battery's power for now: the plan's intention, carried out on what is measured instead of what was forecast.

A plan is a policy: how much the grid may carry (its peak, its import), and what stored energy is worth. Its powers say
how the two are meant where both leave a choice.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from math import inf

from optimizer.dispatch_moment import Demands, Moment, Ratings, Wanted
from optimizer.follow_policy import Held, Present, follow
from optimizer.present_whys import STAYS, Meant, present
from optimizer.reserve_now import bounds as reserved
from optimizer.rules.wishes import NONE, Wishes, instead
from optimizer.rules.wishes import bounds as wished
from optimizer.running_window import RunningWindow
from optimizer.setpoint_whys import MOST, Around, Bound, Taken, clamp, reasons, through, tightest
from optimizer.without_policy import alone, follow_step
from schemas.messages import Authority, ControlMode, Mode, Plan, Step, Why
from schemas.site_grid import Grid
from schemas.why import WhyCode, fits

__all__ = ["DEADBAND", "Moment", "Ratings", "Wanted", "ahead", "current_step", "decide"]

DEADBAND = 0.005
"""Of the rated power: a smaller change is not worth a write."""


class Meter(StrEnum):
    """How well the grid is seen."""

    FRESH = "fresh"
    OLD = "old"
    LOST = "lost"
    UNKNOWN = "unknown"


def decide(
    ratings: Ratings,
    moment: Moment,
    mode: ControlMode,
    *,
    billing: RunningWindow,
    step: Step | None = None,
    peak: float | None = None,
    held: Held | None = None,
    billed: float | None = None,
    wishes: Wishes = NONE,
) -> Wanted:
    """The wanted power. The bridge guards it once more, whatever is decided here.

    `step` of the plan that holds now; `peak` in W is the highest mean import a billing window may have. `held`: where
    there are several demands, the window of each with its own peak; `billing` and `peak` where it is left out.
    `wishes` of the site's rules stand above the plan and below all else: their bounds come first, and the later win.
    """
    manual = mode.mode is Mode.MANUAL and mode.power is not None
    authority = Authority.OPERATOR if manual else Authority.PLAN if step else Authority.SELF_CONSUMPTION
    inner = _device_bounds(ratings, moment)
    if isinstance(inner, str):
        return _rest(inner, authority, _silent(WhyCode.BMS_SILENT, moment.bms_age, ratings.bms_fresh))
    if manual:
        why = Why(code=WhyCode.ASKED.value, of=mode.who, at=mode.until)
        wish = Wanted(mode.power or 0.0, f"manual by {mode.who}", authority, whys=(why,))
        return _bounded(ratings, moment, wish, inner)
    meter, net = _meter(ratings, moment), moment.net or 0.0
    if meter is not Meter.FRESH:
        return _blind(ratings, moment, meter, authority, inner)
    # PV that is curtailed covers the load itself: to discharge would curtail it more, and nobody goes ahead of it
    # before it has come to the load
    left = net if moment.spare is None else min(net - moment.spare, 0.0)
    carried = net + moment.charging
    if held is None:
        held = [] if peak is None else [(billing, peak)]
    paid = Demands(billing, held, peak, billed)
    meant, peaks = _meant(ratings, moment, step, paid, left=left, carried=carried, plain=wishes == NONE)
    power, words = instead(wishes, meant.power, meant.words, carried, moment.spare)
    whys = meant.whys if wishes.target is None else (Why(code=WhyCode.RULE.value, of=wishes.target.rule),)
    outer = _outer(ratings, moment, wishes, peaks, carried)
    return _bounded(ratings, moment, Wanted(power, words, authority, whys=whys), inner, outer, (step, held))


def _meant(
    ratings: Ratings,
    moment: Moment,
    step: Step | None,
    paid: Demands,
    *,
    left: float,
    carried: float,
    plain: bool,
) -> tuple[Meant, list[Bound]]:
    """What the plan means now, or what is done without one, and what keeps the peaks. `left` and `carried` in W as in
    `decide`; `plain`, that no rule of the site wishes anything."""
    if step is not None and step.policy:
        made = paid.billing.peak if paid.billed is None else paid.billed
        seen = _present(ratings, moment, left, (paid.billing, made, paid.held))
        followed = follow(step, seen, ratings.battery, ratings.currency)
        meant = Meant(followed.power, followed.why, followed.whys)
        # the policy keeps the peak by itself; a rule that moves the battery stands below it
        low = followed.least if plain else followed.needed
        peaks = [Bound(low, inf, f"the {paid.billing.how.per}'s peak", WhyCode.HOLDS_PEAK)]
    else:
        soc, per = moment.soc or 0.0, paid.billing.how.per
        meant = (
            follow_step(step, left, ratings.battery, paid.peak)
            if step
            else alone(ratings.battery, ratings.rated, left, soc, paid.peak, per)
        )
        peaks = _peak_bounds(paid.held, moment.now, carried, moment.unsure)
    return present(meant, step, left, ratings.currency), peaks


def _outer(ratings: Ratings, moment: Moment, wishes: Wishes, peaks: list[Bound], carried: float) -> list[Bound]:
    """What is not of the batteries, the strongest last."""
    soc, battery, rated = moment.soc or 0.0, ratings.battery, ratings.rated
    rules = {one.words: one.rule for one in wishes.limits.values()}
    return [
        *(Bound(*one, WhyCode.RULE_HELD, rules[one[2]]) for one in wished(wishes, carried, soc, battery, rated)),
        *peaks,
        *(Bound(*one, WhyCode.RESERVE_HELD) for one in reserved(ratings.keeps, soc, battery, rated)),
        *_grid_bounds(ratings.grid, carried),
    ]


def _blind(ratings: Ratings, moment: Moment, meter: Meter, authority: Authority, inner: Sequence[Bound]) -> Wanted:
    """The grid is not seen as it is now."""
    fresh = ratings.meter_fresh if meter is Meter.OLD else 2 * ratings.meter_fresh
    why = _silent(WhyCode.METER_SILENT, moment.meter_age, fresh)
    if meter is Meter.UNKNOWN:
        return _rest("grid meter and battery were not read together yet", authority, why)
    silent = f"the grid meter has been silent for more than {fresh:g} s"
    if meter is Meter.LOST:
        return _rest(silent, authority, why)
    return _bounded(ratings, moment, Wanted(moment.last, f"holds: {silent}", authority, whys=(why,)), inner)


def _silent(code: WhyCode, age: float, fresh: float) -> Why:
    """With the seconds that it has been silent for at least, where it is that."""
    return Why(code=code.value, limit=fresh if fresh < age < inf else None)


def _present(ratings: Ratings, moment: Moment, net: float, peaks: tuple[RunningWindow, float, Held]) -> Present:
    """`peaks`: the first demand's window, what of it is billed, and all windows."""
    empty = (moment.soc or 0.0) <= ratings.battery.soc_min
    most = 0.0 if empty else min(ratings.rated, max(moment.discharge or 0.0, 0.0))
    running = moment.running if moment.spare is None else None  # what is curtailed was never seen
    return Present(moment.now, net, running, moment.charging, moment.last, most, ratings.rated, *peaks, moment.unsure)


def _rest(words: str, authority: Authority, why: Why) -> Wanted:
    return Wanted(0.0, f"rests: {words}", authority, plain=f"rests: {words}", whys=(why,))


def _meter(ratings: Ratings, moment: Moment) -> Meter:
    if 2 * ratings.meter_fresh < moment.meter_age < inf:
        return Meter.LOST
    if moment.net is None:
        return Meter.UNKNOWN
    return Meter.FRESH if moment.meter_age <= ratings.meter_fresh else Meter.OLD


def current_step(plan: Plan | None, now: datetime) -> Step | None:
    """The step of a valid plan that holds now."""
    if plan is None or not plan.at <= now < plan.until:
        return None
    # compared as durations: the end of a step may lie beyond the end of the calendar
    return next((step for step in plan.steps if 0 <= (now - step.at).total_seconds() < step.seconds), None)


def _peak_bounds(held: Held, now: datetime, net: float, unsure: float) -> list[Bound]:
    """Keeps the mean import of each billing window at or below the peak of its month or year."""
    rooms = [(one.room(now, peak - unsure, load=net), one.how.per) for one, peak in held]
    least = sorted(rooms)[:1]  # the others leave more
    return [Bound(net - room, inf, f"the {per}'s peak", WhyCode.HOLDS_PEAK) for room, per in least]


def _grid_bounds(grid: Grid, net: float) -> list[Bound]:
    return [
        Bound(net - grid.import_limit, inf, "the import limit", WhyCode.IMPORT_HELD),
        Bound(-inf, net + grid.export_limit, "the export limit", WhyCode.EXPORT_HELD),
    ]


def ahead(held: Held, moment: Moment) -> float:
    """W that the billed peak leaves the batteries to draw, beyond what the site does: to go ahead of PV that is
    curtailed. Not so an import limit: the bridge holds that, too, and by the meter, which may show the PV late."""
    if moment.net is None:
        return inf
    room = min((one.room(moment.now, peak) for one, peak in held), default=inf)
    return room - max(moment.net + moment.charging, 0.0)


def _device_bounds(ratings: Ratings, moment: Moment) -> list[Bound] | str:
    """Or why there are none: what is not known allows nothing."""
    if moment.soc is None or moment.charge is None or moment.discharge is None:
        return "the BMS does not say what it allows"
    if moment.bms_age > ratings.bms_fresh:
        return f"the BMS has been silent for more than {ratings.bms_fresh:.0f} s"
    down = 0.0 if moment.soc >= ratings.battery.soc_max else -float("inf")
    up = 0.0 if moment.soc <= ratings.battery.soc_min else float("inf")
    return [
        Bound(down, up, f"the SoC of {moment.soc:.1f} %", WhyCode.RESTS_FULL if down == 0.0 else WhyCode.RESTS_EMPTY),
        _narrower(-1, moment.charge, moment.limiter[0], ratings.rated),
        _narrower(1, moment.discharge, moment.limiter[1], ratings.rated),
    ]


def _narrower(sign: int, allowed: float, whose: str, rated: float) -> Bound:
    """In one direction: what is allowed, or the rating where that is less."""
    if allowed < rated:
        most, by, code = max(allowed, 0.0), whose, WhyCode.BMS_HELD
    else:
        most, by, code = rated, "the PCS rating", WhyCode.AT_RATED
    return Bound(-most, inf, by, code) if sign < 0 else Bound(-inf, most, by, code)


def _bounded(  # noqa: PLR0917  # the wish between what it is made from and what bounds it
    ratings: Ratings,
    moment: Moment,
    wish: Wanted,
    inner: Sequence[Bound],
    outer: Sequence[Bound] = (),
    plan: tuple[Step | None, Held] = (None, ()),
) -> Wanted:
    """Later bounds win: what protects the battery stands after what saves money. `inner`: of the batteries; `plan`:
    its step and the windows, for the numbers of the reasons."""
    bounds = [*outer, *inner]
    allowed, by = clamp(wish.power, bounds)
    sought, outside = clamp(wish.power, outer)
    near = allowed != 0.0 and abs(allowed - moment.last) < DEADBAND * ratings.rated
    held, broken = clamp(moment.last, bounds)
    if near and not broken:  # the last power again, where every bound lets it pass
        allowed = held
    reason, plain = (_limited(wish, by, allowed), _limited(wish, outside, sought))
    whys = reasons(wish.whys, by, _around(ratings, moment, by[-1], *plan) if by else None)
    if near and whys and not fits(whys[0].code, allowed):  # it stays at what was told before
        whys, reason = (Why(code=WhyCode.STAYS.value), *whys)[:MOST], f"{STAYS}; else {reason}"[:500]
    return Wanted(round(allowed, 1) + 0.0, reason, wish.authority, sought, plain, whys)


def _around(ratings: Ratings, moment: Moment, last: Taken, step: Step | None, held: Held) -> Around:
    net, peak = (moment.net or 0.0) + moment.charging, None
    if last.bound.code is WhyCode.HOLDS_PEAK:
        peak = tightest(held, moment.now, net)
    gains = through(step, ratings.battery, discharges=last.power > 0)
    return Around(ratings.grid.import_limit, ratings.grid.export_limit, moment.soc or 0.0, peak, *gains)


def _limited(wish: Wanted, by: Sequence[Taken], power: float) -> str:
    """The words of a wish of which limits have left `power`: where that goes another way they come first."""
    if not by:
        return wish.reason[:500]
    names = ", ".join(one.bound.whose for one in by)
    goes = not wish.whys or fits(wish.whys[0].code, power)
    return (f"{wish.reason}; limited by {names}" if goes else f"limited by {names}; else {wish.reason}")[:500]
