"""From an outlook to a verified plan: of the battery with the flexible loads, and what each reserve costs. Loads the
solver: only the planning thread imports it."""

from collections.abc import Mapping
from datetime import datetime

from consumers.optimize.look import Sight, look
from consumers.optimize.past import Past
from consumers.optimize.situation import Situation
from consumers.optimize.thought import Thought
from optimizer.grid_bounds import bounds, end, in_words
from optimizer.limit_shortage import beyond
from optimizer.loads.load import Load, paced, state_of
from optimizer.loads.rounds import Together, plan_loads
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.refused import record
from optimizer.reserve_price import prices
from optimizer.reserve_shortage import lacking
from optimizer.tariff import Series
from optimizer.verify import verify
from schemas.messages import HeldLimit, Plan
from schemas.site import Site


def think(situation: Situation, past: Past, series: Mapping[str, Series], now: datetime, mono: float) -> Thought:
    """One plan. Raises Trouble where the market has no price, program.Unsolved where there is none."""
    sight = look(situation, past, series, now, mono)
    found = _together(situation, sight, mono)
    made, outlook = found.plan, found.outlook
    narrow = [one for one in situation.held if bounds(outlook.grid, [one]) != bounds(outlook.grid, [])]
    limits = [f"{in_words(one)}{_until(situation.site, one)}" for one in narrow]
    short = [*beyond(outlook, [step.grid for step in made.steps]), *lacking(sight.bare, sight.kept, made.steps)]
    made = made.model_copy(update={"limits": limits, "shortage": short, "reserves": situation.reserves})
    wrong = verify(made, outlook)
    return Thought(made, wrong, record(made, outlook, wrong) if wrong else None)


def _together(situation: Situation, sight: Sight, mono: float) -> Together:
    site, ages = situation.site, situation.ages(mono)

    def solve(outlook: Outlook) -> Plan:
        return plan(outlook, ages)

    if not site.load:
        return Together(solve(sight.outlook), sight.outlook, {})
    loads = [
        Load.of(one, site.profiles[one.device], site.named(one.device).rated_power or 0.0, site.zone)
        for one in site.load
    ]
    now = sight.bare.now
    said = situation.loads(mono)
    states = {one.name: found for one in loads if (found := state_of(said.get(one.name), now)) is not None}
    return plan_loads([paced(one, states.get(one.name)) for one in loads], states, sight.outlook, solve)


def reserve_prices(
    situation: Situation, past: Past, series: Mapping[str, Series], now: datetime, mono: float
) -> dict[str, float]:
    """What each reserve costs a day: as many plans as there are reserves, so not for each plan."""
    sight = look(situation, past, series, now, mono)
    return prices(sight.bare, sight.kept)


def _until(site: Site, one: HeldLimit) -> str:
    over = end(site, one)
    return "" if over is None else f", until {over.astimezone(site.zone):%d %b %H:%M}"
