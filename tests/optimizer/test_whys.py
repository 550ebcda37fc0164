"""Each step of a plan says the binding constraint and what it is worth, as codes, numbers and words."""

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.why_words import SAID, SENTENCES, Place, sentence
from optimizer.whys import whys
from schemas.messages import Step, Why
from schemas.why import WhyCode
from tests.optimizer.outlooks import BERLIN, NOON, battery, charge, grid, limit, outlook, prices_by_hour, wild

EUR = Place("EUR", BERLIN)


def local(hour: float) -> int:
    """The number of the step that begins then; the first is at noon."""
    return round((hour - 12) % 24 * 4)


def by_hour(plain: float, **other: float) -> list[float]:
    """`h18=150e3`: another value from 18 to 19 h."""
    clocks = [at.astimezone(BERLIN).hour for at in outlook().starts]
    return [other.get(f"h{clock}", plain) for clock in clocks]


STORIES: dict[str, tuple[dict[str, Any], float, list[tuple[WhyCode, dict[str, Any]]], str]] = {
    "the peak is held and what it is worth": (
        {"load": by_hour(50e3, h18=150e3), "demand": 15.0, "billed": 60e3},
        18.25,
        [(WhyCode.HOLDS_PEAK, {"value": 60e3, "price": 15.0, "per": "month"})],
        "holds the month's peak of 60.0 kW at 18:15, worth 15.00 EUR/kW",
    ),
    "energy is held for the peak": (
        {"load": by_hour(50e3, h18=150e3), "demand": 15.0, "billed": 60e3},
        15.0,
        [(WhyCode.KEEPS_FOR_PEAK, {"value": 60e3, "price": 15.0}), (WhyCode.RESTS_SPREAD, {"price": 0.2})],
        (
            "holds 57 % for the month's peak of 60.0 kW at 18:00, worth 15.00 EUR/kW; "
            "does not charge: 0.20 EUR/kWh now, later 0.20 EUR/kWh at most, and with losses "
            "and wear it pays from 0.24 EUR/kWh"
        ),
    ),
    "it charges for the peak": (
        {"load": by_hour(50e3, h18=150e3), "demand": 15.0, "billed": 60e3},
        12.0,
        [(WhyCode.CHARGES_FOR_PEAK, {"value": 60e3, "price": 15.0})],
        "charges for the month's peak of 60.0 kW at 18:00, worth 15.00 EUR/kW",
    ),
    "cheap energy for a dear hour": (
        {"buy": prices_by_hour()},
        12.0,
        [(WhyCode.CHARGES_FOR_PRICE, {"price": 0.08, "value": 0.30}), (WhyCode.AT_RATED, {"limit": 100e3})],
        "charges; 0.08 EUR/kWh now, 0.30 EUR/kWh at 18:00; at the 100.0 kW of its power",
    ),
    "full, and kept for the dear hour": (
        {"buy": prices_by_hour()},
        17.0,
        [(WhyCode.KEEPS_FOR_PRICE, {"price": 0.20, "value": 0.30}), (WhyCode.RESTS_FULL, {"value": 90.0})],
        "holds 90 % for 18:00; 0.20 EUR/kWh now, 0.30 EUR/kWh then; rests: full at 90 %",
    ),
    "the spread does not pay losses and wear": (
        {"buy": prices_by_hour(cheap=0.19, dear=0.21), "soc": 10.0},
        12.0,
        [(WhyCode.RESTS_SPREAD, {"price": 0.19, "value": 0.21, "limit": 0.19 / 0.95**2 + 0.02})],
        (
            "does not charge: 0.19 EUR/kWh now, later 0.21 EUR/kWh at most, and with losses and wear it pays "
            "from 0.23 EUR/kWh"
        ),
    ),
    "empty in a dear hour": (
        {"buy": by_hour(0.2, h12=0.6, h13=0.6), "soc": 10.0},
        12.0,
        [(WhyCode.RESTS_EMPTY, {"value": 10.0}), (WhyCode.RESTS_SPREAD, {"price": 0.6, "value": 0.6})],
        (
            "rests: empty at 10 %; does not charge: 0.60 EUR/kWh now, later 0.60 EUR/kWh at most, and with losses "
            "and wear it pays from 0.68 EUR/kWh"
        ),
    ),
    "PV instead of a low price": (
        {"pv": by_hour(0, h12=80e3, h13=80e3, h14=80e3), "load": 30e3, "soc": 10.0},
        12.0,
        [(WhyCode.STORES_PV, {"price": 0.05})],
        "stores PV, sold for 0.05 EUR/kWh, worth 0.16 EUR/kWh later",
    ),
    "sold where it pays": (
        {"sell": by_hour(0.05, h18=0.60), "load": 0.0, "buy": 0.3},
        18.0,
        [(WhyCode.SELLS, {"price": 0.60})],
        "sells; 0.60 EUR/kWh now",
    ),
    "below its least": (
        {"soc": 4.0},
        12.0,
        [(WhyCode.BACK_INSIDE, {"value": 4.0, "limit": 10.0})],
        "comes back within its SoC limits: 4 %, 10 % is allowed",
    ),
    "the import limit against the price": (
        {"load": by_hour(50e3, h18=150e3), "grid": grid(import_limit=100e3)},
        18.0,
        [(WhyCode.KEEPS_IMPORT, {"value": 150e3, "limit": 100e3, "price": 0.02})],
        "keeps the 150.0 kW of the load below the import limit of 100.0 kW; a kWh more of it is worth 0.02 EUR",
    ),
    "a limit that holds back a cheap hour": (
        {"buy": prices_by_hour(), "load": 50e3, "held": [[limit(power=60e3)]] * 96},
        13.0,
        [(WhyCode.CHARGES_FOR_PRICE, {"price": 0.08}), (WhyCode.IMPORT_HELD, {"limit": 60e3, "of": "dso"})],
        "charges; 0.08 EUR/kWh now, 0.30 EUR/kWh at 18:00; held by the import limit of 60.0 kW by dso; a kWh more",
    ),
    "a limit that was sent": (
        {"load": by_hour(50e3, h18=90e3), "held": [[limit(power=80e3)]] * 96},
        18.0,
        [(WhyCode.KEEPS_IMPORT, {"value": 90e3}), (WhyCode.IMPORT_HELD, {"limit": 80e3, "of": "dso"})],
        (
            "keeps the 90.0 kW of the load below the import limit of 80.0 kW; "
            "held by the import limit of 80.0 kW by dso; a kWh more of it is worth 0.02 EUR"
        ),
    ),
}


@pytest.mark.parametrize(("given_", "hour", "codes", "words"), STORIES.values(), ids=STORIES)
def test_a_step_says_what_binds_and_what_it_is_worth(
    given_: dict[str, Any], hour: float, codes: list[tuple[WhyCode, dict[str, Any]]], words: str
) -> None:
    step = plan(outlook(**given_)).steps[local(hour)]
    assert step.reason.startswith(words)
    assert [one.code for one in step.why][: len(codes)] == [code.value for code, _ in codes]
    for one, (_, numbers) in zip(step.why, codes, strict=False):
        for name, value in numbers.items():
            assert getattr(one, name) == (value if isinstance(value, str) else pytest.approx(value, abs=1e-4)), name


def test_of_two_peaks_in_one_window_the_dearer_one_is_named() -> None:
    both = [charge(demand=5.0, billed=60e3, name="cheap"), charge(demand=20.0, billed=60e3, name="dear")]
    step = plan(outlook(load=by_hour(50e3, h18=150e3), charges=both)).steps[local(18)]
    assert (step.why[0].of, step.why[0].price) == ("dear", 20.0)
    assert "peak of dear of 60.0 kW at 18:00, worth 20.00 EUR/kW" in step.reason


def test_a_clock_of_tomorrow_has_its_day() -> None:
    why = Why(code="charges_for_price", value=0.3, price=0.1, at=NOON.replace(day=11))
    assert sentence([why], EUR, NOON) == "charges; 0.10 EUR/kWh now, 0.30 EUR/kWh at Thu 12:00"
    known = EUR._replace(prices_until=why.at)
    assert sentence([why], known, NOON) == "charges; 0.10 EUR/kWh now, 0.30 EUR/kWh at Thu 12:00 as forecast"


def test_every_code_has_a_sentence_and_each_number_is_one() -> None:
    assert set(SENTENCES) == set(WhyCode)
    names = {
        "currency",
        "of",
        "per",
        "unit",
        "at",
        "forecast",
        *(f"{name}:{how}" for name in ("value", "limit", "price") for how in SAID),
    }
    for code, words in SENTENCES.items():
        whole = Why(code=code.value, value=1.0, limit=2.0, price=3.0, at=NOON, of="whom", per="month")
        assert set(re.findall(r"\{(.*?)\}", words)) <= names, code
        assert not set("{}[]") & set(sentence([whole], EUR, NOON)), code


@pytest.mark.parametrize("why", [Why(code="newer"), Why(code="holds_peak")], ids=["code", "number"])
def test_what_has_no_words_is_an_error(why: Why) -> None:
    with pytest.raises(KeyError):
        sentence([why], EUR, NOON)


def test_only_what_is_known_is_sent_and_it_is_read_again() -> None:
    why = Why(code="holds_peak", value=60e3, price=15.0, at=NOON, per="month")
    sent = why.model_dump_json()
    assert sent == '{"code":"holds_peak","value":60000.0,"price":15.0,"at":"2026-06-10T10:00:00Z","per":"month"}'
    assert Why.model_validate_json(sent) == why
    before = plan(outlook(1)).steps[0].model_dump(mode="json", exclude={"why"})
    assert Step.model_validate_json(json.dumps(before)).why == [], "a plan of an older joulebus"


@given(look=wild(), draw=st.data())
def test_whatever_planned_it_every_step_says_why(look: Outlook, draw: st.DataObject) -> None:
    """Powers and values as no linear program has them."""
    count = len(look.starts)
    some = st.lists(st.floats(-1.2, 1.2), min_size=count, max_size=count)
    power, worth = (np.array(draw.draw(some)) for _ in range(2))
    found = whys(look, power * look.rated, worth)
    assert len(found) == count
    for at, each in zip(look.starts, found, strict=True):
        assert each
        assert len(sentence(each, EUR, at)) < 500
        assert all(WhyCode(one.code) for one in each)


@given(wild())
def test_who_charges_or_discharges_never_says_that_it_rests(look: Outlook) -> None:
    power = np.resize([look.rated, -look.rated], len(look.starts))
    for each in whys(look, power, np.zeros(len(power))):
        assert not any(one.code.startswith(("rests", "keeps_for")) for one in each)


def test_a_price_that_pays_is_never_above_the_price_it_is_paid() -> None:
    """Where a discharge names a price from which it pays, that is at most the price of the step."""
    for look in (outlook(buy=prices_by_hour()), outlook(buy=prices_by_hour(), battery=battery(wear=0.0))):
        for step in plan(look).steps:
            for one in step.why:
                if one.code in {"covers_load", "sells"} and one.limit is not None:
                    assert one.price is not None
                    assert one.limit <= one.price + 0.002
