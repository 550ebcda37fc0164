"""What `joulebus explain` says, for people and for programs. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from joulebus.difference import more
from joulebus.money import WORDS
from joulebus.told import Ordered, Reading, Told
from optimizer.money import shifted
from optimizer.plan_words import costs
from optimizer.why_words import Place, sentence
from runtime.money_rows import MoneyQuarter
from schemas.labels import unit_of
from schemas.messages import Command, Plan, Step
from schemas.site import Site
from schemas.tables import CAUSES

Near = tuple[datetime | None, datetime | None]


def words(told: Told, site: Site, near: Near) -> list[str]:
    """For people: a line each, the clock in the site's zone."""
    if told.nothing:
        ahead = "that is still to come, and no plan tells of it" if told.at > told.now else ""
        return [f"{_clock(told.at, site)}: {ahead or 'the archive knows nothing of that time'}", *_near(near, site)]
    rows = [
        *_plan(told, site),
        *_orders(told, site),
        *_measured(told, site),
        *_forecast(told),
        *_limits(told),
        *_money(told, site),
        *_alarms(told),
        *(("missing", one) for one in missing(told, site)),
    ]
    return [f"{_clock(told.at, site)} ({site.time_zone})", *(f"{name:<10}{said}" for name, said in rows)]


def _plan(told: Told, site: Site) -> Iterator[tuple[str, str]]:
    plan, step = told.plan, told.step
    if plan is None:
        return
    out = f", {'will have' if told.at > told.now else 'had'} run out by then" if plan.until <= told.at else ""
    yield "plan", f"{plan.id}, made {_clock(plan.at, site)}, valid until {_hour(plan.until, site)}{out}"
    if plan.steps:
        yield "costs", f"{costs(plan, plan.at)}, until {_clock(_ends(plan), site)}"
    if step is None:
        return
    yield "step", f"{_hour(step.at, site)}, {step.seconds / 60:.0f} min: {_means(step, plan)}"
    yield "why", step.reason
    if step.cap is not None:
        yield "cap", f"billing windows up to {_kw(step.cap)} were meant to be let pass"
    for one in plan.limits:
        yield "limit", one


def _alarms(told: Told) -> Iterator[tuple[str, str]]:
    """Each state that an alarm was in, with the last words of it."""
    last = {(name, one.state): one.text for name, one in told.alarms}
    for (name, state), text in last.items():
        yield "alarm", f"{name}: {state}, {text}"


def _ends(plan: Plan) -> datetime:
    return plan.steps[-1].at + timedelta(seconds=plan.steps[-1].seconds)


def _means(step: Step, plan: Plan) -> str:
    told = " as forecast" if plan.prices_until is not None and step.at >= plan.prices_until else ""
    return (
        f"battery {_way(step.power)}, grid {_kw(step.grid)}, SoC {step.soc:.0f} % at its end; load {_kw(step.load)}, "
        f"PV {_kw(step.pv)}; bought at {step.price_import:.4f} "
        f"{plan.currency}/kWh, sold at {step.price_export:.4f} {plan.currency}/kWh{told}, a stored kWh is worth "
        f"{step.marginal_value:.4f} {plan.currency}"
    )


def _orders(told: Told, site: Site) -> Iterator[tuple[str, str]]:
    for one in told.ordered:
        command = one.command
        what = _values(command.values) or str(command.action)
        yield (
            "told",
            f"{one.device}: {what} by {command.source} as {command.authority}: {command.reason or 'no reason'}",
        )
        if command.why:
            yield "because", f"{one.device}: {_because(command, Place(_currency(told, site), site.zone), told.at)}"
        if one.outcomes:
            yield "did", f"{one.device}: {_outcome(one)}"


def _because(command: Command, place: Place, at: datetime) -> str:
    """Of one that a newer dispatch knows, its code and its numbers."""
    said = []
    for one in command.why:
        try:
            said.append(sentence([one], place, at, command.values.get("p_set")))
        except KeyError:
            said.append(", ".join(f"{name} {value}" for name, value in one.model_dump(mode="json").items()))
    return "; ".join(said)


def _outcome(one: Ordered) -> str:
    last = one.outcomes[-1]
    measured = _values(last.measured)
    return "; ".join([last.state.value, *([f"measured {measured}"] if measured else []), *filter(None, [last.reason])])


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{point} {_value(point, value)}" for point, value in values.items())


def _value(point: str, value: float) -> str:
    """With the unit of its name, where that has one."""
    unit = unit_of(point) or ""
    if unit in ("W", "var", "VA"):
        return f"{value / 1000:.1f} k{unit}"
    return f"{value:.10g} {unit}".rstrip()


def _limits(told: Told) -> Iterator[tuple[str, str]]:
    """What made less of a command."""
    for one in told.ordered:
        seen = {(limit.point, limit.source): limit for outcome in one.outcomes for limit in outcome.limited_by}
        for limit in seen.values():
            made, of = _value(limit.point, limit.allowed), _value(limit.point, limit.wanted)
            yield "limited", f"{one.device}.{limit.point}: {limit.source} made {made} of {of}"


def _measured(told: Told, site: Site) -> Iterator[tuple[str, str]]:
    if told.readings:
        spans = {0: "", 60: " (mean of the minute)", 900: " (mean of the quarter of an hour)"}
        yield "measured", ", ".join(f"{_reading(one)}{spans[one.seconds]}" for one in told.readings)
    net = resting(told, site)
    if net is not None:
        yield "", f"without its batteries the site would have drawn {_kw(net)}"


def _reading(one: Reading) -> str:
    return f"{one.device} {one.value:.1f} %" if one.point == "soc" else f"{one.device} {_kw(one.value)}"


def resting(told: Told, site: Site) -> float | None:
    """W the grid would have carried with resting batteries; None where one of them or the meter was not read."""
    powers = {one.device: one.value for one in told.readings if one.point == "p"}
    wanted = [site.grid.meter, *(pcs for battery in site.battery for pcs in battery.pcs)]
    return sum(powers[name] for name in wanted) if powers.keys() >= set(wanted) else None


def _forecast(told: Told) -> Iterator[tuple[str, str]]:
    one = told.forecast
    if one is None:
        return
    load = _error("load", one.load, one.measured_load)
    yield "forecast", f"{load}; {_error('PV', one.pv, one.measured_pv)} (the quarter of an hour)"


def _error(what: str, thought: float, came: float | None) -> str:
    if came is None:
        return f"{what} {_kw(thought)}, not measured"
    apart = (
        "as it came"
        if abs(came - thought) < 50
        else f"came {_kw(came)}: {_kw(abs(came - thought))} {'more' if came > thought else 'less'}"
    )
    return f"{what} {_kw(thought)}, {apart}"


def _money(told: Told, site: Site) -> Iterator[tuple[str, str]]:
    one, currency = told.money, _currency(told, site)
    if one is None:
        return
    yield "money", f"the quarter of an hour cost {one.energy + one.demand:.4f} {currency}: {_bill(one)}"
    if one.battery is not None and one.energy_without is not None and one.demand_without is not None:
        into, out = shifted(one.imported, one.exported, one.battery)
        yield (
            "resting",
            (
                f"with a resting battery {into / 1000:.3f} kWh drawn and {out / 1000:.3f} fed in, "
                f"{one.energy_without + one.demand_without:.4f} {currency}"
            ),
        )
    if one.saved is not None:
        worth = "" if one.stored is None else f"; the cells hold {more(one.stored, currency, 4)} than before"
        yield "", f"{'saved' if one.saved >= 0 else 'cost'} {abs(one.saved):.4f} {currency} by the battery{worth}"
    parts = {cause: getattr(one, cause) or 0.0 for cause in CAUSES}
    if one.planned is not None:
        named = [f"{value:+.4f} {WORDS[cause]}" for cause, value in parts.items() if abs(value) >= 0.00005]
        yield "planned", "; ".join([f"{one.planned:.4f} {currency}, it came {sum(parts.values()):+.4f}", *named])


def _bill(one: MoneyQuarter) -> str:
    wear = "" if one.wear is None else f", beside it wear {one.wear:.4f}"
    return (
        f"energy {one.energy:.4f} for {one.imported / 1000:.3f} kWh drawn and {one.exported / 1000:.3f} fed in, "
        f"demand {one.demand:.4f}{wear}"
    )


def missing(told: Told, site: Site) -> list[str]:
    """What the archive does not know, of all that it might."""
    if told.at > told.now:
        return ["all but the plan: this time is yet to come", *([] if told.step else ["a step of the plan for it"])]
    read = {(one.device, one.point) for one in told.readings}
    wanted = [(site.grid.meter, "p")]
    for battery in site.battery:
        wanted += [(pcs, "p") for pcs in battery.pcs] + [(rack, "soc") for rack in battery.racks]
    silent = [f"{device}.{point}" for device, point in wanted if (device, point) not in read]
    lacks: Mapping[str, bool] = {
        "a plan from before": told.plan is None,
        "a step of the plan for this time": told.plan is not None and told.step is None,
        "a command that held": not told.ordered,
        "an outcome of " + ", ".join(one.device for one in told.ordered if not one.outcomes): any(
            not one.outcomes for one in told.ordered
        ),
        "readings of " + ", ".join(silent): bool(silent),
        "a forecast of this quarter of an hour": told.forecast is None,
        "what this quarter of an hour cost": told.money is None,
        "what it would have cost with a resting battery": told.money is not None and told.money.saved is None,
        "what it was planned to cost": told.money is not None and told.money.planned is None,
    }
    return [what for what, lacking in lacks.items() if lacking]


def _near(near: Near, site: Site) -> Iterator[str]:
    before, after = near
    if before is None and after is None:
        yield "and of no other time"
    if before is not None:
        yield f"before it: something is known of {_clock(before, site)}"
    if after is not None:
        yield f"after it: something is known of {_clock(after, site)}"


def facts(told: Told, site: Site, near: Near) -> dict[str, Any]:
    """As JSON has it: W, %, Wh and the tariff's currency."""
    step = told.step
    return {
        "at": told.at.isoformat(),
        "known": not told.nothing,
        "plan": None if told.plan is None else told.plan.model_dump(mode="json", exclude={"steps"}),
        "step": None if step is None else step.model_dump(mode="json"),
        "ordered": [
            {
                "device": one.device,
                "command": one.command.model_dump(mode="json"),
                "outcomes": [out.model_dump(mode="json") for out in one.outcomes],
            }
            for one in told.ordered
        ],
        "measured": [vars(one) for one in told.readings],
        "without_battery": resting(told, site),
        "forecast": None if told.forecast is None else _plain(asdict(told.forecast).items()),
        "money": None if told.money is None else _plain(told.money._asdict().items()) | {"saved": told.money.saved},
        "currency": _currency(told, site),
        "alarms": [{"alarm": name} | one.model_dump(mode="json") for name, one in told.alarms],
        "missing": missing(told, site),
        "around": [None if one is None else one.isoformat() for one in near],
    }


def _plain(given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: one.isoformat() if isinstance(one, datetime) else one for name, one in given}


def _currency(told: Told, site: Site) -> str:
    return told.plan.currency if told.plan is not None else "" if site.tariff_fault else site.prices.currency


def _clock(at: datetime, site: Site) -> str:
    return f"{at.astimezone(site.zone):%Y-%m-%d %H:%M:%S}"


def _hour(at: datetime, site: Site) -> str:
    return f"{at.astimezone(site.zone):%H:%M}"


def _kw(watts: float) -> str:
    return f"{watts / 1000:.1f} kW"


def _way(watts: float) -> str:
    return f"{'gives' if watts > 0 else 'takes'} {_kw(abs(watts))}" if abs(watts) >= 50 else "rests"
