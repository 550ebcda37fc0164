"""A plan in the archive: small, and the plan that was said but for digits that mean nothing."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.archive_day import plan
from optimizer.plan import plan as made
from runtime import kept_plans
from schemas.messages import Plan, Step
from tests.optimizer.outlooks import outlook, prices_by_hour

NOON = datetime(2026, 6, 1, 12, 7, 31, 519_947, tzinfo=UTC)
ALLOWED = {"power": 0.5, "grid": 0.5, "load": 0.5, "pv": 0.5, "soc": 0.005, "price_import": 5e-6, "price_export": 5e-6,
           "marginal_value": 5e-6}  # fmt: skip


def again(given: Plan) -> Plan:
    return kept_plans.unpack(kept_plans.pack(given), kept_plans.forecasts(given))


def same(one: Plan, other: Plan) -> None:
    assert one.model_copy(update={"steps": []}) == other.model_copy(update={"steps": []})
    assert len(one.steps) == len(other.steps)
    for told, kept in zip(one.steps, other.steps, strict=True):
        assert told.model_dump(exclude=set(ALLOWED)) == kept.model_dump(exclude=set(ALLOWED))
        for name, most in ALLOWED.items():
            assert abs(getattr(told, name) - getattr(kept, name)) <= most * 1.0001, name


def test_two_days_of_quarters_take_less_than_five_kilobytes() -> None:
    given = plan(NOON, Random(1))
    same(given, again(given))
    assert len(given.steps) == 192
    assert len(kept_plans.pack(given)) + len(kept_plans.forecasts(given)) < 5000


def test_the_reasons_of_its_steps_are_kept_as_codes_and_numbers() -> None:
    given = made(outlook(buy=prices_by_hour()))
    kept = again(given)
    assert {why.code for step in kept.steps for why in step.why} > {"charges_for_price", "covers_load", "rests_full"}
    same(given, kept)


@given(
    st.lists(st.tuples(st.floats(0, 9000), st.floats(0.001, 9000), st.floats(-1e6, 1e6), st.floats(0, 1e6)), max_size=6)
)
def test_whatever_its_steps_are_it_is_the_same_plan(rows: list[tuple[float, float, float, float]]) -> None:
    steps, at = list[Step](), NOON
    for wait, seconds, power, load in rows:
        at += timedelta(seconds=wait if wait > 4500 else 0)
        steps.append(Step(at=at, seconds=seconds, power=power, soc=50, grid=load - power, load=load, pv=0,
                          price_import=0.1, price_export=0.05, marginal_value=0.1, reason="x"))  # fmt: skip
        at += timedelta(seconds=seconds)
    said = Plan(id="p", at=NOON, until=NOON + timedelta(hours=1), currency="EUR", steps=steps, cost=1.5, cost_idle=2)
    heard = Plan.model_validate_json(said.model_dump_json())
    same(heard, again(heard))


def test_what_is_no_plan_is_said() -> None:
    for packed, body in ((b"x", "{}"), (kept_plans.pack(plan(NOON, Random(1))), '{"steps": [[1, 2]]}')):
        with pytest.raises(ValueError, match="cannot be read"):
            kept_plans.unpack(packed, body)


def test_thinned_is_all_but_the_first_of_each_span() -> None:
    made = [NOON + timedelta(minutes=n) for n in range(60)]
    spare = kept_plans.thin(made, timedelta(minutes=15))
    assert [at for at in made if at not in spare] == [made[n] for n in (0, 8, 23, 38, 53)]
    assert kept_plans.thin(made, timedelta(minutes=1)) == []
