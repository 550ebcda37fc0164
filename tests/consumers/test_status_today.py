"""The figures of the site's day: those of the ledger, each of the quarters that are known; an unknown is no 0."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.status.archive import Archive
from consumers.status.day import QUARTER, Places, energies
from consumers.status.state import State
from consumers.status.today import Today
from joulebus.money import FORMS
from runtime.history import History
from schemas.energies import Energy, Source
from tests.consumers.test_archive_money import accounts, measure, quarter, site_of

START = datetime(2026, 6, 9, 22, tzinfo=UTC)
"""Midnight in Berlin."""
NOW = START + timedelta(hours=2, minutes=5)
"""Seven quarters are over for as long as the archive has to tell of them."""
METER, PCS, SUN = ("grid", "p"), ("pcs1", "p"), ("pv1", "p")
PLANT = Places(METER, [PCS], {SUN: 25.0})


def told(numbers: Sequence[int], out: float = 0.0, into: float = 0.0) -> list[Energy]:
    return [Energy(START + n * QUARTER, out, into, Source.COUNTER, 900.0) for n in numbers]


ALL = range(8)
WHOLE = {METER: told(ALL, 100.0), PCS: told(ALL, 0.0, 40.0), SUN: told(ALL, 20.0)}
CASES: dict[str, tuple[Mapping[Any, list[Energy]], Places, dict[str, tuple[float | None, int, int]]]] = {
    "a whole day so far": (WHOLE, PLANT, {"imported": (800.0, 8, 8), "exported": (0.0, 8, 8), "charged": (320.0, 8, 8),
        "discharged": (0.0, 8, 8), "pv": (160.0, 8, 8), "load": (640.0, 8, 8)}),
    "nothing yet": ({}, PLANT, {"imported": (None, 0, 7), "pv": (None, 0, 7), "load": (None, 0, 7)}),
    "a silent PCS": (WHOLE | {PCS: told(range(5), 0.0, 40.0)}, PLANT, {"charged": (200.0, 5, 8), "load": (400.0, 5, 8),
        "imported": (800.0, 8, 8)}),
    "one of two PCS": (WHOLE, PLANT._replace(batteries=[PCS, ("pcs2", "p")]), {"charged": (None, 0, 8),
        "load": (None, 0, 8)}),
    "a silent meter": (WHOLE | {METER: told([0, 1, 7], 100.0)}, PLANT, {"imported": (300.0, 3, 8),
        "load": (240.0, 3, 8)}),
    "all silent for an hour": ({place: some[:3] for place, some in WHOLE.items()}, PLANT, {"imported": (300.0, 3, 7)}),
    "a PV inverter that woke late": (WHOLE | {SUN: told(range(5, 8), 20.0)}, PLANT, {"pv": (60.0, 3, 3),
        "load": (540.0, 8, 8)}),
    "a hole in its day": (WHOLE | {SUN: told([4, 7], 20.0)}, PLANT, {"pv": (40.0, 2, 4), "load": (400.0, 6, 8)}),
    "one that fell silent at noon": (WHOLE | {SUN: told(range(5), 26.0)}, PLANT, {"pv": (130.0, 5, 8),
        "load": (430.0, 5, 8)}),
    "one that slept since dusk": (WHOLE | {SUN: told([-40, -30], 20.0)}, PLANT, {"pv": (None, 0, 0),
        "load": (480.0, 8, 8)}),
    "one that died in the night": (WHOLE | {SUN: told([*range(-96, -90), -30], 20.0) + told([-90, -89], 26.0)},
        PLANT, {"pv": (None, 0, 2), "load": (360.0, 6, 8)}),
    "one that is silent for days": (WHOLE | {SUN: told([-79], 0.0)}, PLANT, {"pv": (None, 0, 6),
        "load": (120.0, 2, 8)}),
    "one of two that died": (WHOLE | {("pv2", "p"): []}, PLANT._replace(suns={SUN: 25.0, ("pv2", "p"): 25.0}),
        {"pv": (None, 0, 8), "load": (None, 0, 8)}),
    "without battery and PV": ({METER: WHOLE[METER]}, Places(METER, [], {}), {"load": (800.0, 8, 8)}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_sum_is_of_what_is_known_and_says_so(name: str) -> None:
    known, places, expected = CASES[name]
    found = energies(places, known, START, NOW)
    assert {one: (found[one]["wh"], found[one]["quarters"], found[one]["of"]) for one in expected} == expected
    assert ("pv" in found, "charged" in found) == (bool(places.suns), bool(places.batteries))


async def test_the_sums_are_those_of_joulebus_money(
    archive: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_of(tmp_path)
    await measure(
        archive,
        *(quarter(START + n * QUARTER, grid=8e3 * n - 9e3, pv=1e3, battery=-4e3 if n % 2 else 7e3) for n in range(7)),
    )
    await accounts(archive, site).write(NOW)
    history, state = History(archive), State(site)
    monkeypatch.setattr("consumers.status.today.utc_now", lambda: NOW)
    page = await Today(state, history, Archive(state)).figures()
    FORMS["json"](await history.money_days(site.site, START, NOW))
    (day,) = json.loads(capsys.readouterr().out)["days"]
    flows, money = page["energies"], page["money"]
    assert day["demand"] > 100 < day["imported"]
    for mine, its in (("imported", "imported"), ("exported", "exported"), ("pv", "pv"), ("load", "load")):
        assert flows[mine]["wh"] == pytest.approx(day[its]), mine
    assert flows["discharged"]["wh"] - flows["charged"]["wh"] == pytest.approx(4 * 1750 - 3 * 1000)
    for name in ("energy", "demand", "wear", "saved", "quarters", "compared"):
        assert money[name] == day[name], name
    assert money["paid"] == pytest.approx(day["energy"] + day["demand"] + day["wear"])
    assert money["until"] == flows["load"]["until"] == (START + 7 * QUARTER).isoformat()
    assert (page["begin"], page["fault"]) == (START.isoformat(), "")
