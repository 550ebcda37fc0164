"""One rule for energy: as a table of stories, as properties, and over a simulated day with all that goes wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bridges.telemetry.quality import Judge
from consumers.archive.energy.circuits import Circuit, circuits
from consumers.archive.energy.energies import HEADROOM, Power, Told, energies, measured, remembered
from consumers.archive.roller import Roller, floor
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from runtime.heard import Heard
from runtime.history import History
from schemas.energies import Energy, Source
from schemas.messages import Telemetry, Value
from schemas.profiles import PROFILES, load_profile
from schemas.site import Site
from schemas.site_file import load_site
from schemas.site_powers import rated_through, through_the_site
from schemas.topics import TELEMETRY
from simulator.past import past

MOST = 4000.0
"""W: 1000 Wh a quarter."""


def seen(out: float, into: float = 0.0) -> Power:
    return Power(out, into, 900.0)


# --- the rule --------------------------------------------------------------------------------------

STORIES: dict[str, tuple[dict[int, Told], dict[int, tuple[float, float, str]]]] = {
    "the counter before the power": (
        {0: Told(None, 100.0, 50.0), 1: Told(seen(500, 3), 400.0, 60.0)},
        {1: (300, 10, "counter")},
    ),
    "the first quarter has nothing to count from: by its power": (
        {0: Told(seen(500, 3), 100.0, 50.0)},
        {0: (500, 3, "power")},
    ),
    "a gap: its sum, in equal parts": (
        {0: Told(None, 0.0, 0.0), 4: Told(None, 800.0, 40.0)},
        dict.fromkeys((1, 2, 3, 4), (200, 10, "share")),
    ),
    "a gap beside a quarter whose power is known": (
        {0: Told(None, 0.0, 0.0), 3: Told(seen(600), 800.0, 0.0)},
        {1: (100, 0, "share"), 2: (100, 0, "share"), 3: (600, 0, "share")},
    ),
    "a counter that was doubted while the power was measured: the counter has the last word": (
        {0: Told(None, 0.0, 0.0), 1: Told(seen(300)), 2: Told(seen(100), 440.0, 0.0)},
        {1: (330, 0, "share"), 2: (110, 0, "share")},
    ),
    "more by power than the counter says": (
        {0: Told(None, 0.0, 0.0), 1: Told(seen(300)), 3: Told(seen(100), 200.0, 0.0)},
        {1: (150, 0, "share"), 2: (0, 0, "share"), 3: (50, 0, "share")},
    ),
    "another meter, lower: what it counts from there, and the power at the break": (
        {0: Told(None, 5000.0, 0.0), 1: Told(seen(70), 5010.0, 0.0), 2: Told(seen(80), 3.0, 0.0),
         3: Told(seen(90), 95.0, 0.0)},
        {1: (70, 0, "power"), 2: (80, 0, "power"), 3: (92, 0, "counter")},
    ),
    "another meter, higher than any energy that can have flown": (
        {0: Told(None, 5000.0, 0.0), 1: Told(None, 9_999_999.0, 0.0), 2: Told(None, 9_999_999.5, 0.0)},
        {2: (0.5, 0, "counter")},
    ),
    "another meter after a gap: what lies between is not known": (
        {0: Told(seen(50), 5000.0, 0.0), 5: Told(None, 10.0, 0.0), 6: Told(None, 20.0, 0.0)},
        {0: (50, 0, "power"), 6: (10, 0, "counter")},
    ),
    "one direction has no counter: by the power, and that is said": (
        {0: Told(None, 0.0), 1: Told(seen(99, 7), 100.0)},
        {1: (100, 7, "power")},
    ),
    "one direction is not known: neither is the quarter": (
        {0: Told(None, 0.0), 1: Told(None, 100.0)},
        {},
    ),
    "a counter that stands still although power flows: both ways by the power": (
        {0: Told(None, 7.0, 0.0), 1: Told(seen(500, 2), 7.0, 900.0), 2: Told(seen(400, 2), 7.0, 900.0)},
        {1: (500, 2, "power"), 2: (0, 0, "counter")},  # the second once the third has shown it
    ),
    "a counter that stands still over a gap": (
        {0: Told(None, 7.0, 0.0), 1: Told(seen(500)), 3: Told(seen(400), 7.0, 0.0)},
        {1: (500, 0, "power"), 3: (400, 0, "power")},
    ),
    "what is next to nothing is not held against a counter": (
        {0: Told(None, 7.0, 3.0), 1: Told(seen(500, 9), 500.0, 3.0), 2: Told(seen(400, 9), 900.0, 3.0)},
        {1: (493, 0, "counter"), 2: (400, 0, "counter")},
    ),
    "a counter that counts once in a quarter of an hour": (
        {0: Told(None, 7.0, 0.0), 1: Told(seen(500), 7.0, 0.0), 2: Told(seen(0), 507.0, 0.0)},
        {1: (0, 0, "counter"), 2: (500, 0, "counter")},
    ),
    "longer away than a counter is followed": (
        {0: Told(None, 0.0, 0.0), 50_000: Told(None, 10.0, 10.0)},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_the_counter_first_and_then_the_power(story: str) -> None:
    told, wanted = STORIES[story]
    found = {n: (one.out, one.into, one.source.value) for n, one in energies(told, MOST).items()}
    assert found.keys() == wanted.keys()
    for n, one in wanted.items():
        assert found[n][:2] == pytest.approx(one[:2])
        assert found[n][2] == one[2]


def test_a_counter_of_large_steps_is_not_held_against_its_power() -> None:
    told = {n: Told(seen(25.0), 1000.0 * (n // 40), 0.0) for n in range(90)}
    assert sum(one.out for one in energies(told, MOST, step=1000.0).values()) == 2000 + 25
    single = {n: Told(seen(25.0), 1e9 + 128 * (n // 5), 0.0) for n in range(90)}  # a float moves in steps of 119 Wh
    assert sum(one.out for one in energies(single, MOST).values()) == 128 * 17 + 25


def test_what_an_inverter_takes_at_night_is_nothing_where_nobody_measures_it() -> None:
    found = energies({0: Told(None, 0.0), 1: Told(None, 100.0), 2: Told(seen(40, 5), 141.0)}, MOST, one_way=True)
    assert [(one.out, one.into, one.source) for one in found.values()] == [
        (100, 0, Source.COUNTER), (41, 5, Source.COUNTER),
    ]  # fmt: skip


@given(
    gains=st.lists(st.floats(0, 1000), min_size=2, max_size=60),
    missing=st.sets(st.integers(1, 58)),
    powers=st.dictionaries(st.integers(0, 59), st.floats(0, 1500)),
)
def test_the_sum_is_the_counters_whatever_is_missing(
    gains: list[float], missing: set[int], powers: dict[int, float]
) -> None:
    last = len(gains) - 1
    counted = [sum(gains[: n + 1]) for n in range(last + 1)]
    lasts = {n: at for n, at in enumerate(counted) if n not in missing or n == last}
    numbers = lasts.keys() | {n for n in powers if n <= last}
    told = {n: Told(seen(powers[n]) if n in powers else None, lasts.get(n), lasts.get(n)) for n in numbers}
    found = energies(told, MOST, step=1000.0)
    assert sum(found[n].out for n in range(1, last + 1)) == pytest.approx(counted[-1] - counted[0], abs=1e-6)
    assert all(0 <= one.out <= 2 * HEADROOM * MOST / 4 * (1 + 1e-9) for one in found.values())


@given(values=st.lists(st.floats(0, 1e9) | st.none(), max_size=40))
def test_no_energy_is_negative_or_more_than_the_device_can_give(values: list[float | None]) -> None:
    told = {n: Told(None, one, 0.0) for n, one in enumerate(values) if one is not None}
    assert all(0 <= one.out <= 2 * HEADROOM * MOST / 4 * (1 + 1e-9) for one in energies(told, MOST).values())


FIVE = (0, 300, 600)


@pytest.mark.parametrize(
    ("minutes", "wanted"),
    [
        ([(60 * n, (10.0, 1.0, 60.0)) for n in range(15)], (150, 15, 900)),  # all of it
        ([(second, (10.0, 0.0, 60.0)) for second in FIVE], (150, 0, 180)),  # a value in each five minutes
        ([(0, (10.0, 0.0, 60.0)), *((60 * n, (0.0, 0.0, 60.0)) for n in range(5, 15))], (50, 0, 660)),
        ([(60 * n, (10.0, 0.0, 60.0)) for n in range(10)], None),  # it fell silent: five minutes nobody saw
        ([(0, (350_000 / 60, 0.0, 30.0))], None),  # half a minute of a large motor is no quarter
        ([], None),
    ],
)
def test_a_quarter_is_known_by_its_power_when_each_five_minutes_were_seen(
    minutes: list[tuple[int, tuple[float, float, float]]], wanted: tuple[float, float, float] | None
) -> None:
    assert measured(minutes) == (None if wanted is None else pytest.approx(wanted))


def test_a_quarter_whose_minutes_are_forgotten_needs_a_fifth() -> None:
    assert remembered((36.0, 0.0, 180.0)) == pytest.approx((180.0, 0.0, 180.0))
    assert remembered((30.0, 0.0, 150.0)) is None


@pytest.mark.parametrize(
    ("profile", "wanted"),
    [
        ("janitza_umg96rme", [("p", ("p",), "e_import", "e_export")]),
        ("sunspec_pv", [("p", ("p",), "e_inj_total", "")]),
        ("sunspec_storage_701", [("p", ("p",), "e_inj_total", "e_abs_total")]),
        ("sinexcel_pws2", [("p", ("p",), "", "")]),  # its p is at the AC side, its counters at the DC side
        ("kaco_gridsave", [("p", ("p",), "", "")]),
        ("pylontech_powercube_m2", [("p", (), "e_discharge_total", "e_charge_total")]),
        ("byd_c130", []),
        (
            "sungrow_sh",
            [("p", ("p",), "e_dc_discharge", "e_dc_charge"), ("pv_p", ("pv_p",), "e_pv_total", "")],
        ),
        (
            "deye_hybrid_3p",
            [
                ("p", ("p",), "e_dc_discharge", "e_dc_charge"),
                ("pv_p", ("pv_p_1", "pv_p_2", "pv_p_3", "pv_p_4"), "e_pv_total", ""),
            ],
        ),
        ("fronius_gen24", [("p", ("p",), "e_dc_discharge", "e_dc_charge"), ("pv_p", ("pv_p_1", "pv_p_2"), "", "")]),
    ],
)
def test_which_counters_count_which_power(profile: str, wanted: list[tuple[Any, ...]]) -> None:
    assert [one[:4] for one in circuits(load_profile(profile, PROFILES), MOST)] == wanted


def test_every_counter_of_a_circuit_is_an_energy_of_its_profile() -> None:
    for path in sorted(PROFILES.glob("*.toml")):
        profile = load_profile(path.stem, PROFILES)
        found: list[Circuit] = [*circuits(profile, MOST)]
        for circuit in found:
            counters = [one for one in (circuit.out, circuit.into) if one]
            assert [profile.points[one].unit for one in counters] == ["Wh"] * len(counters), path.stem
            assert [profile.points[one].unit for one in circuit.powers] == ["W"] * len(circuit.powers), path.stem


# --- a day -----------------------------------------------------------------------------------------

SITE = load_site(Path(__file__).parents[2] / "site.toml")
START, END = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
"""A day of Berlin, of 25 hours: the clocks go back."""
ALL = tuple(one.name for one in SITE.device)
EXCHANGE = START + timedelta(hours=18, minutes=4)
LOST = (
    (ALL, 3.0, 3.05),  # the bridge is restarted
    (("meter",), 5.1, 7.3),  # its line is cut
    (("pv",), 10.2, 12.4),  # around noon
    (("pcs",), 15.0, 16.0),
    (ALL, 21.05, 22.9),  # the bridge is down
)
"""Devices, and from when to when nothing of them was measured, in hours."""
LATE = (13.0, 14.5)
"""When the archive was away: what the bridges kept comes afterwards."""


STEP = 300
"""Seconds between two readings, as in the demo's past: the integral of values that hold for a minute is a fifth."""


@cache
def day() -> list[tuple[str, Telemetry]]:
    """What the simulated devices told, with the quarters around the day."""
    around = timedelta(minutes=20)
    return list(past(SITE, START - around, END + around, step=STEP))


def hours(at: datetime) -> float:
    return (at - START) / timedelta(hours=1)


def heard() -> Iterator[Heard[Telemetry]]:
    """The same through the eyes of the bridge: gaps, another meter, and counters that it does not believe yet."""
    judges = {name: judge(name) for name in ALL}
    exchanged: dict[str, float] = {}
    for number, (name, one) in enumerate(day()):
        if any(name in devices and first <= hours(one.at) < last for devices, first, last in LOST):
            continue
        values = dict(one.values)
        if name == "meter" and one.at >= EXCHANGE:
            for counter in ("e_import", "e_export"):
                now = values[counter]
                assert isinstance(now, float)
                values[counter] = now - exchanged.setdefault(counter, now) + 1_234.0
        bad = judges[name].judge(values, {0: (number % 65536,)}, one.at.timestamp())
        sample = one.model_copy(update={"values": values, "quality": bad, "seq": number})
        place = {"site": SITE.site, "device": name}
        yield Heard(TELEMETRY, place, sample, "", sample.model_dump_json().encode(), False, number)


def judge(name: str) -> Judge:
    profile = SITE.profiles[name].model_copy(update={"frozen_after": 0.0})
    return Judge(profile, rated_through(SITE, name), None, STEP, through_the_site(SITE))


async def live(database: AsyncEngine) -> None:
    """The archive of that day, with a round of the roller each few hours."""
    store = Store(database, lambda words: pytest.fail(words) if words else None)
    batch = [(hours(told.at), one) for one in heard() if (told := one.message)]
    late = [one for at, one in batch if LATE[0] <= at < LATE[1]]
    Random(4).shuffle(late)
    for begin, until in pairwise((-inf, 4.0, 11.0, 15.5, inf)):
        part = [one for at, one in batch if begin <= at < until and not LATE[0] <= at < LATE[1]]
        await store.keep(sort_out(part, END + timedelta(days=1))[0])
        await Roller(database, SITE, store).roll(min(START + timedelta(hours=min(until, 30.0)), END))
    for some in (late[: len(late) // 2], late[len(late) // 2 :]):
        await store.keep(sort_out(some, END + timedelta(days=1))[0])
        await Roller(database, SITE, store).roll(END + timedelta(hours=2))


def counted(device: str, point: str) -> float:
    """Wh that the device itself counted over the day."""

    def stood(at: datetime) -> float:
        *_, value = (one.values[point] for name, one in day() if name == device and one.at < at)
        assert isinstance(value, float)
        return value

    return stood(END) - stood(START)


def integral(device: str, quarters: set[datetime]) -> float:
    """Wh that it took and gave together in these quarters, of what it told before anything went wrong."""
    powers: list[Value] = [one.values["p"] for name, one in day() if name == device and floor(one.at, 900) in quarters]
    return sum(abs(power) * STEP / 3600 for power in powers if isinstance(power, float))


async def test_over_a_day_with_gaps_the_energies_are_those_the_devices_counted(lite: AsyncEngine) -> None:
    await live(lite)
    history = History(lite)
    found = {name: await history.energies(SITE.site, name, START, END) for name in ("meter", "pv", "bms", "pcs")}
    assert sum(one.out for one in found["meter"]) == pytest.approx(counted("meter", "e_import"), rel=0.005)
    assert sum(one.into for one in found["meter"]) == pytest.approx(counted("meter", "e_export"), abs=200)
    assert sum(one.out for one in found["pv"]) == pytest.approx(counted("pv", "e_inj_total"), rel=0.005)
    assert sum(one.out for one in found["bms"]) == pytest.approx(counted("bms", "e_discharge_total"), rel=0.005)
    assert sum(one.into for one in found["bms"]) == pytest.approx(counted("bms", "e_charge_total"), rel=0.005)
    assert {name: len(some) for name, some in found.items()} == dict.fromkeys(("meter", "pv", "bms"), 100) | {
        "pcs": 100 - len(unseen("pcs"))
    }
    # a PCS without counters is known where it was seen, and there it is right
    quarters = {one.at for one in found["pcs"]}
    assert not quarters & unseen("pcs")
    given = sum(one.out + one.into for one in found["pcs"])
    assert given == pytest.approx(integral("pcs", quarters), rel=0.005)
    for name, some in found.items():
        most = (rated_through(SITE, name) or through_the_site(SITE)) / 4
        assert all(0 <= one.out <= most and 0 <= one.into <= most for one in some), name
    await the_same_for_all(lite, history)


def unseen(device: str) -> set[datetime]:
    """Quarters with five minutes of which nothing is known."""
    lost = [(first, last) for devices, first, last in LOST if device in devices]
    fives = [START + timedelta(seconds=STEP * n) for n in range(300)]
    return {floor(at, 900) for at in fives if any(first <= hours(at) < last for first, last in lost)}


async def the_same_for_all(archive: AsyncEngine, history: History) -> None:
    """Who reads views, flows or the history reads the same energies."""
    asked = "SELECT sum(out_wh) AS out_wh, sum(net_wh) AS net_wh, count(*) AS quarters FROM v_energy_15min WHERE "
    async with archive.connect() as connection:
        view = (await connection.execute(text(f"{asked} device = 'meter'"))).one()
    meter = await history.energies(SITE.site, "meter", datetime(2026, 1, 1, tzinfo=UTC), END + timedelta(days=1))
    assert view.quarters == len(meter)
    assert view.out_wh == pytest.approx(sum(one.out for one in meter))
    assert view.net_wh == pytest.approx(sum(one.out - one.into for one in meter))
    whole: dict[datetime, Energy] = {one.at: one for one in meter}
    split = await history.flows(SITE.site, START, END)
    assert len(split) == 100 - len(unseen("pcs") & unseen("pcs2"))
    for at, flow in split:
        assert flow.grid_load + flow.grid_battery == pytest.approx(whole[at].out), at


HYBRID = Site.model_validate(
    {
        "site": "plant",
        "tariff": "tariff.toml",
        "grid": {"meter": ["north", "south"], "import_limit": 20_000, "export_limit": 20_000},
        "battery": {"pcs": "pcs", "energy": 10_000, "charge_limit": 5000, "discharge_limit": 5000},
        "device": [
            {"name": name, "profile": profile, "address": "tcp://127.0.0.1:502", "unit": unit, "rated_power": 10_000}
            for unit, (name, profile) in enumerate(
                {"north": "janitza_umg96rme", "south": "janitza_umg96rme", "pcs": "deye_hybrid_3p"}.items(), start=1
            )
        ],
    }
)


async def test_a_hybrids_sun_and_the_sum_of_several_meters_have_energies_too(archive: AsyncEngine) -> None:
    """The counter of the PV counts the sum of its inputs; its battery is counted at the DC side, where its `p` is."""
    store, at = Store(archive, lambda words: pytest.fail(words) if words else None), START
    batch = []
    for number in range(8):
        grown = number * 100.0
        told: dict[str, dict[str, Value]] = {
            "grid": {"p": 1000.0, "e_import": 5e5 + grown, "e_export": 0.0},
            "pcs": {
                "p": -600.0, "e_dc_charge": grown, "e_dc_discharge": 7.0, "e_pv_total": 9e6 + 3 * grown,
                **{f"pv_p_{each}": 300.0 for each in range(1, 5)},
            },
        }  # fmt: skip
        for device, values in told.items():
            one = Telemetry(at=at + timedelta(minutes=5 * number), epoch="0" * 16, seq=number + 1, values=values)
            place = {"site": "plant", "device": device}
            batch.append(Heard(TELEMETRY, place, one, "", one.model_dump_json().encode(), False, 0))
    await store.keep(sort_out(batch, END)[0])
    await Roller(archive, HYBRID, store).roll(END)
    history = History(archive)
    for device, point, out, into in (("grid", "p", 300, 0), ("pcs", "p", 0, 300), ("pcs", "pv_p", 900, 0)):
        by_power, counted, *_ = await history.energies("plant", device, START, END, point)
        assert (by_power.source, counted.source) == (Source.POWER, Source.COUNTER)
        assert (counted.out, counted.into) == pytest.approx((out, into)), device
    assert by_power.out == pytest.approx(4 * 300 / 4)  # of the PV: all four inputs
    async with archive.connect() as connection:
        sun = (await connection.execute(text("SELECT pv_wh FROM v_hybrid_pv_15min ORDER BY at"))).scalars().all()
    assert sun[:2] == pytest.approx([300, 900])


async def test_after_days_the_gap_is_filled_once_and_a_counter_that_ended_is_followed_no_more(
    archive: AsyncEngine,
) -> None:
    store = Store(archive, lambda words: pytest.fail(words) if words else None)
    far = timedelta(days=10)
    told = [
        *((timedelta(minutes=5 * n), {"p": 400.0, "e_import": 100.0 * n, "e_export": 0.0}) for n in range(3)),
        *((far + timedelta(minutes=5 * n), {"p": 400.0, "e_import": 96_200.0, "e_export": 0.0}) for n in range(3)),
        *((far + timedelta(minutes=15 + 5 * n), {"p": 400.0}) for n in range(3)),  # its counters are gone
    ]
    batch = [
        Heard(TELEMETRY, {"site": SITE.site, "device": "meter"}, one, "", one.model_dump_json().encode(), False, 0)
        for seq, (after, values) in enumerate(told, start=1)
        for one in [Telemetry(at=START + after, epoch="0" * 16, seq=seq, values=dict[str, Value](values))]
    ]
    await store.keep(sort_out(batch, END + far)[0])
    roller = Roller(archive, SITE, store)
    await roller.roll(END + far)
    found = await History(archive).energies(SITE.site, "meter", START, END + far)
    assert len(found) == 962
    assert [one.source for one in (found[0], found[1], found[960], found[961])] == ["power", "share", "share", "power"]
    assert sum(one.out for one in found[1:961]) == pytest.approx(96_000)
    async with archive.begin() as connection:
        last = START + far + timedelta(minutes=15)
        assert await roller.energies.make(connection, "meter", last, last) == [last]
