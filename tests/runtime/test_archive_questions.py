"""Every SQL block of docs/archive.md, asked of a filled archive of both databases: its numbers, not that it runs."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, text

from consumers.archive.money.accounts import Accounts
from runtime.history import History
from schemas import messages as m
from schemas import topics
from schemas.views import VIEWS
from tests.runtime.test_history_rollups import LATER, NOON, SITE, Archive, archive, history

__all__ = ["archive", "history"]

PAGE = (Path(__file__).parents[2] / "docs" / "archive.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"\n\n((?:[^\n]+\n)+)\n```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

DRAWN, FED_IN, CHARGED, RESTS, GIVEN = 4000.0, -2000.0, -1000.0, 0.0, 3000.0
QUARTERS = [
    *[{"meter": DRAWN, "pcs": CHARGED, "pv": 2000.0}] * 4,
    *[{"meter": FED_IN, "pcs": RESTS, "pv": 4000.0}] * 2,
    {"pcs": GIVEN, "pv": 4000.0},  # the meter is silent
    {"meter": FED_IN, "pcs": GIVEN, "pv": 4000.0},
]
"""From noon on; what the meter misses it has counted."""
MIDNIGHT = 12 * 3600.0
"""Seconds after noon: a quarter more of meter and battery, then the archive was away for ten hours."""
NIGHT = {"meter": 80.0, "pcs": 4000.0}
STARTS = {"e_import": 1e6, "e_export": 2e5, "e_inj_total": 3e7}
COUNTS = {"meter": ("e_import", "e_export"), "pv": ("e_inj_total",), "pcs": ()}


def lived(device: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """What a device told each minute, with its counters."""
    stood = {name: STARTS[name] for name in COUNTS[device]}
    powers: list[tuple[float, float, bool]] = [(-60.0, 0.0, True)]
    for number, quarter in enumerate(QUARTERS):
        power = quarter.get(device, FED_IN)
        powers += [(900.0 * number + 60 * minute, power, device in quarter) for minute in range(15)]
    powers += [(second, 80.0, False) for second in (60.0 * n for n in range(120, 720)) if device == "meter"]
    powers += [(MIDNIGHT + 60 * minute, NIGHT[device], True) for minute in range(15) if device in NIGHT]
    for second, power, told in powers:
        for name in stood:
            stood[name] += max(0.0, -power if name == "e_export" else power) / 60
        if told:
            yield second, {"p": power, **stood}


TARIFF = """
import.period = [{ price = 0.30 }]
export.period = [{ price = 0.08 }]
demand.price = 10.0
"""


async def price(archive: Archive, folder: Path) -> None:
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    site = SITE.model_copy(update={"tariff": str(folder / "tariff.toml")})
    accounts = Accounts(archive.store.engine, site, dict)
    while await accounts.write(LATER):
        pass


async def fill(archive: Archive) -> None:
    for device in COUNTS:
        await archive.keep(device, *lived(device))
    command = m.Command(
        id="c1", at=NOON, until=NOON + timedelta(seconds=10), source="dispatch", authority=m.Authority.PLAN,
        values={"p_set": 5500.0}, reason="cheap",
    )  # fmt: skip
    done = [
        command.model_copy(update={"id": "c2", "at": NOON + timedelta(minutes=1)}),
        m.Outcome(id="c2", at=NOON + timedelta(minutes=1), state=m.OutcomeState.VERIFIED, reason="done"),
    ]
    refused = m.Outcome(id="c1", at=NOON + timedelta(seconds=1), state=m.OutcomeState.REFUSED, reason="too old")
    alarm = m.Alarm(
        at=NOON, state=m.AlarmState.UNACKNOWLEDGED, priority=m.AlarmPriority.HIGH, device="bms", point="t",
        text="too hot", since=NOON,
    )  # fmt: skip
    await archive.say(
        (topics.COMMAND, {"device": "pcs"}, command),
        (topics.COMMAND, {"device": "pcs"}, done[0]),
        (topics.OUTCOME, {"device": "pcs"}, refused),
        (topics.OUTCOME, {"device": "pcs"}, done[1]),
        (topics.ALARM, {"alarm": "hot-bms"}, alarm),
        *((topics.PLAN, {}, plan(made, load)) for made, load in ((5.9, 4800.0), (7.0, 9999.0))),
    )
    await archive.roller.roll(LATER)


def plan(made: float, load: float) -> m.Plan:
    """Made at that hour, of two quarters from noon on."""
    at = NOON + timedelta(hours=made - 12)
    steps = [
        m.Step(
            at=NOON + n * timedelta(minutes=15), seconds=900, power=0, soc=50, grid=0, load=load, pv=2100.0,
            price_import=0.3, price_export=0.08, marginal_value=0.1, reason="rests",
        )
        for n in range(2)
    ]  # fmt: skip
    return m.Plan(id=f"p{made}", at=at, until=LATER, currency="EUR", steps=steps, cost=1.0, cost_idle=2.0)


def moments(*numbers: float) -> list[str]:
    """Beginnings of quarters after noon, as the databases write them."""
    return [f"{NOON + n * timedelta(minutes=15):%Y-%m-%d %H:%M}" for n in numbers]


def near(*rows: tuple[Any, ...]) -> list[Any]:
    return [tuple(pytest.approx(one) if isinstance(one, float) else one for one in row) for row in rows]


NIGHT_HOURS = [f"2026-06-01 {hour}" for hour in range(14, 24)]
ANSWERS: dict[str, list[Any]] = {
    "The energy of each day that the battery gave and took": near(
        ("2026-06-01", 1.5, 1.0, 8), ("2026-06-02", 1.0, 0.0, 1)
    ),
    "How well the energies of a month are known": near(
        ("meter", "counter", 6, 4.0, 1.0), ("meter", "share", 43, 0.82, 1.0), ("pcs", "power", 9, 2.5, 1.0),
        ("pv", "counter", 8, 6.0, 0.0),
    ),
    "The bill of a month by the hour": near(
        ("2026-06-01 12", 4.0, 0.0, 1.2, 40.0, 4), ("2026-06-01 13", 0.0, 2.0, -0.16, 0.0, 4),
        *((hour, 0.08, 0.0, 0.024, 0.0, 4) for hour in NIGHT_HOURS), ("2026-06-02 00", 0.02, 0.0, 0.006, 0.0, 1),
    ),
    "The five highest draws of a month": near(
        *((moment, 4.0, 900.0) for moment in moments(0, 1, 2, 3)), (*moments(48), 0.08, 900.0)
    ),
    "What a battery of 200 kWh went through each day": near(
        ("2026-06-01", 2.5, 0.00625), ("2026-06-02", 1.0, 0.0025)
    ),
    "What was commanded and did not happen": [(*moments(0), "pcs", "dispatch", 5500.0, "refused", "too old")],
    "How much of the PV was used on the site": near((5 / 6, 1 - 3020 / 9520)),
    "What was believed at six in the morning": near(
        *((moment, 4800.0, -200.0, 2100.0, 100.0) for moment in moments(0, 1))
    ),
    "The last hundred changes of alarms": [(*moments(0), "hot-bms", "unacknowledged", "high", "too hot")],
    # in the first hour it made 3 kW 4 kW, at 10 per kW; after midnight it spared 1 kW more, and 1 kWh
    "What the battery saved each day": near(
        ("2026-06-01", 41.262, -10.1, 30.45, 0.0, 0.0, 0.0, 0.0), ("2026-06-02", 0.074, 11.08, *[None] * 5),
    ),
    "In Grafana": near(
        (*moments(-1), 0.0, "meter"), (*moments(-1), 0.0, "pcs"), (*moments(-1), 0.0, "pv"),
        *(
            (*moments(n), power, device)
            for n, quarter in [*enumerate(QUARTERS), (48, NIGHT)]
            for device, power in sorted(quarter.items())
        ),
    ),
}  # fmt: skip
"""By how its paragraph begins. A block without a row here, and a row without its block, is a mistake."""

ORDERED: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "The five highest draws of a month": lambda row: (-round(row[1], 3), row[0]),
    "In Grafana": lambda row: (row[0], row[2]),
}
"""What SQL leaves open where two rows are equal."""


def plain(row: Row[Any]) -> tuple[Any, ...]:
    """Moments to the minute: one database gives them as text, the other as moments."""
    return tuple(
        f"{one:%Y-%m-%d %H:%M}" if isinstance(one, datetime)
        else one[:16] if isinstance(one, str) and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:", one)
        else one if isinstance(one, str | int | None) else float(one)
        for one in row
    )  # fmt: skip


def test_each_block_of_the_page_has_its_answer_here() -> None:
    begins = [next(one for one in (*ANSWERS, words) if words.startswith(one)) for words, _ in BLOCKS]
    assert begins == list(ANSWERS)
    assert PAGE.count("```sql") == len(BLOCKS)
    told = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `v_")]
    assert re.findall(r"v_\w+", " ".join(told)) == list(VIEWS)


async def test_the_questions_of_the_page_have_their_answers(history: History, archive: Archive, tmp_path: Path) -> None:
    await fill(archive)
    await price(archive, tmp_path)
    async with history.engine.connect() as connection:
        for words, question in BLOCKS:
            begins = next(one for one in ANSWERS if words.startswith(one))
            rows = [plain(row) for row in (await connection.execute(text(question))).all()]
            key = ORDERED.get(begins)
            assert (sorted(rows, key=key) if key else rows) == ANSWERS[begins], begins
