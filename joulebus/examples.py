"""One message per topic, as it could be heard on a summer noon; the documents print them, the tests check them."""

from datetime import timedelta

from pydantic import BaseModel

from joulebus.examples_alarms import ALARMS, NOON
from schemas import messages as m
from schemas import topics as t
from schemas.billing import BilledComponent, Billing, MonthPeak
from schemas.forecast_powers import ForecastPowers
from schemas.forecast_skill import ForecastSkill, LeadSkill, Outsider, PriceSkill
from schemas.units import Kind

PLACES = {
    "site": "plant",
    "device": "pcs1",
    "alarm": "cell_temperature_high-bms1",
    "forecast": "roof",
    "service": "archive",
}
"""What the parts of an address stand for, and examples of them."""

EXAMPLES: dict[str, BaseModel] = {
    t.META.name: m.Meta(
        kind=Kind.PCS,
        make="Sinexcel",
        model="PWS2",
        profile="sinexcel_pws2",
        ratings={"rated_power": 100_000.0, "rated_apparent_power": 110_000.0},
        points={"p": m.PointMeta(unit="W"), "f": m.PointMeta(unit="Hz", low=0.0, high=70.0), "state": m.PointMeta()},
        commands=["p_set", "q_set"],
        actions=["start", "stop", "reset", "standby"],
    ),
    t.DEVICE_STATUS.name: m.DeviceStatus(
        at=NOON, state=m.DeviceState.OFFLINE, reason="no answer for 3 s from tcp://192.0.2.10:502 unit 1"
    ),
    t.TELEMETRY.name: m.Telemetry(
        at=NOON,
        epoch="5f1d3c9a7b20e846",
        seq=123_456,
        values={"p": 25_000.0, "f": 50.01, "state": "running", "alarms": []},
    ),
    t.ARCHIVED.name: m.Archived(epoch="5f1d3c9a7b20e846", ranges=[(123_400, 123_455), (123_457, 123_460)]),
    t.COMMAND.name: m.Command(
        id="dispatch-8842",
        at=NOON,
        until=NOON + timedelta(seconds=t.COMMAND_TTL),
        source="dispatch",
        authority=m.Authority.PLAN,
        values={"p_set": 25_000.0},
        reason="holds 448 kW mean of 14:00-14:15; 10 EUR/kW",
        why=[m.Why(code="holds_peak", value=448_000.0, price=10.0, at=NOON, per="month")],
    ),
    t.OUTCOME.name: m.Outcome(
        id="dispatch-8842",
        at=NOON + timedelta(milliseconds=40),
        state=m.OutcomeState.LIMITED,
        requested={"p_set": 25_000.0},
        applied={"p_set": 20_000.0},
        measured={"p": 19_950.0},
        limited_by=[m.Limited(point="p_set", source="bms:current", wanted=25_000.0, allowed=20_000.0)],
        source="dispatch",
    ),
    t.PLAN.name: m.Plan(
        id="2026-06-21T12:00:00Z",
        at=NOON,
        until=NOON + timedelta(hours=1),
        currency="EUR",
        steps=[
            m.Step(
                at=NOON,
                seconds=900.0,
                power=-40_000.0,
                soc=62.5,
                grid=0.0,
                load=35_000.0,
                pv=75_000.0,
                price_import=0.28,
                price_export=0.06,
                marginal_value=0.24,
                cap=80_000.0,
                policy=[(-90_000.0, -90_000.0), (0.0, 0.0), (80_000.0, 0.0), (180_000.0, 100_000.0)],
                reason="stores PV, sold for 0.06 EUR/kWh, worth 0.24 EUR/kWh later",
                why=[m.Why(code="stores_pv", value=0.24, price=0.06)],
            )
        ],
        peak=80_000.0,
        cost=12.4,
        cost_idle=31.9,
        peak_cost=0.0,
        peak_cost_idle=9.6,
        inputs={"bms1": 0.8, "grid": 0.5},
    ),
    **ALARMS,
    t.CONTROL_MODE.name: m.ControlMode(
        at=NOON,
        mode=m.Mode.AUTO,
        who="anna",
        why="service is over",
        plan=m.PlanHeld(
            use=m.PlanUse.LAST,
            since=NOON,
            made=NOON - timedelta(minutes=3),
            why="none has come after the plan of 21 Jun 11:57",
        ),
    ),
    t.CONTROL_DISPATCH.name: m.ControlDispatch(
        at=NOON,
        mode=m.Mode.AUTO,
        power=-40_000.0,
        authority=m.Authority.PLAN,
        reason="stores PV, sold for 0.06 EUR/kWh, worth 0.24 EUR/kWh later",
        batteries={
            "hall": m.BatteryDispatch(
                takes_part=True, power=-40_000.0, reason="stores PV, sold for 0.06 EUR/kWh, worth 0.24 EUR/kWh later"
            ),
            "yard": m.BatteryDispatch(takes_part=False, reason="pcs2 is silent; nothing is sent"),
        },
    ),
    t.CONTROL_REQUEST.name: m.ControlRequest(
        at=NOON,
        mode=m.Mode.MANUAL,
        who="anna",
        why="heat run after service",
        power=50_000.0,
        until=NOON + timedelta(minutes=20),
    ),
    t.GRID_LIMIT.name: m.GridLimitRequest(
        id="dso-4711",
        at=NOON,
        source="dso",
        authority=m.Authority.DSO,
        direction="feed_in",
        percent=60.0,
        until=NOON + timedelta(hours=2),
        reason="feed-in management",
    ),
    t.CONTROL_LIMITS.name: m.ControlLimits(
        at=NOON,
        import_limit=500_000.0,
        export_limit=90_000.0,
        held=[
            m.HeldLimit(
                direction="feed_in",
                scope="connection_point",
                power=90_000.0,
                authority=m.Authority.DSO,
                source="dso",
                since=NOON,
                until=NOON + timedelta(hours=2),
                cause="asked",
                reason="feed-in management",
            )
        ],
    ),
    t.MARKET_PRICES.name: m.MarketPrices(
        id="day-2026-06-22",
        at=NOON,
        currency="EUR",
        prices=[
            m.PriceBlock(start=NOON + timedelta(hours=10), minutes=15, per_mwh=[84.1, 79.95, 61.0, -3.2]),
            m.PriceBlock(start=NOON + timedelta(hours=11), minutes=60, per_mwh=[58.3]),
        ],
    ),
    t.FORECAST_POWERS.name: ForecastPowers(
        at=NOON, of="pv", start=NOON, minutes=60, values=[71_300.0, 68_900.0, 60_200.0, 47_000.0]
    ),
    t.FORECAST_SKILL.name: ForecastSkill(
        at=NOON,
        learned=NOON - timedelta(hours=9),
        days=93.0,
        skills=[
            LeadSkill(
                of="load",
                from_hours=6,
                to_hours=24,
                quarters=96_768,
                bias=310.0,
                rmse=8_120.0,
                pinball=2_010.0,
                covered=79.2,
            ),
            LeadSkill(
                of="pv",
                from_hours=6,
                to_hours=24,
                quarters=96_768,
                bias=-140.0,
                rmse=5_040.0,
                pinball=1_260.0,
                covered=78.6,
            ),
        ],
        outside=[
            Outsider(name="roof", weights={"0-1": 0.31, "1-6": 0.52, "6-24": 0.64}),
            Outsider(name="halls", weights={"0-1": 0.0, "1-6": 0.0, "6-24": 0.0}, words="stale: it was heard 19 h ago"),
        ],
        prices=[PriceSkill(of="import", days=14, bias=-0.0021, mae=0.0164, currency="EUR")],
    ),
    t.BILLING.name: Billing(
        at=NOON,
        until=NOON + timedelta(seconds=60),
        archived=NOON - timedelta(seconds=20),
        components=[
            BilledComponent(
                name="demand",
                minutes=15,
                window_start=NOON,
                window_end=NOON + timedelta(minutes=15),
                imported=4_200.0,
                covered=118.0,
                mean=128_136.0,
                peak=212_400.0,
                peak_at=NOON - timedelta(days=3, hours=2),
                per="month",
                period_start=NOON.replace(day=1, hour=0),
                period_end=NOON.replace(day=1, hour=0) + timedelta(days=30),
                seen=0.998,
                price=15.0,
                currency="EUR",
                months=[MonthPeak(start=NOON.replace(day=1, hour=0), peak=212_400.0, seen=0.998)],
            )
        ],
    ),
    t.SERVICE_STATUS.name: m.ServiceStatus(
        state="online",
        at=NOON,
        started=NOON - timedelta(hours=3),
        instance="9d0c44ab17e2f635",
        version="0.1.0",
        lag=0.04,
        last_success=NOON,
        counts={"stored": 432_000, "rejected": 0},
    ),
}
_OUTCOME = EXAMPLES[t.OUTCOME.name]
EXAMPLES[t.SERVICE_EVENT.name] = m.Event(
    at=NOON + timedelta(milliseconds=40),
    epoch="c07e1d5502f96ab3",
    seq=8_842,
    topic=t.OUTCOME.at(site=PLACES["site"], device=PLACES["device"]),
    payload=_OUTCOME.model_dump(mode="json", exclude_unset=True),
)
# one shape, one example
EXAMPLES[t.ALARM_MAINTENANCE.name] = EXAMPLES[t.ALARM_REQUEST.name]
EXAMPLES[t.CONTROL_OUTCOME.name] = EXAMPLES[t.ALARM_OUTCOME.name]
EXAMPLES[t.SERVICE_ARCHIVED.name] = EXAMPLES[t.ARCHIVED.name]
