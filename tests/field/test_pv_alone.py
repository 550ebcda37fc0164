"""A site with PV and no battery, in each mode: what is fed in is limited whoever steers, and nobody is told a power.

Case 20, https://github.com/davidusb-geek/emhass/issues/574: no feed-in, also where there is nothing to store it.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from consumers.dispatch.doing import NO_BATTERY
from schemas.messages import ControlRequest, Mode
from tests.bridges.control.story import DEMO
from tests.field.curtailed import TOLERANCE, curtailed
from tests.optimizer.test_dispatch import planned
from tests.virtual import loop, virtual


def without_battery(folder: Path) -> Path:
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    head, _, meter, pv = text[: text.index("[[alarm]]")].rsplit("[[device]]", 3)
    file = folder / "alone.toml"
    file.write_text("[[device]]".join([head[: head.index("[battery]")], meter, pv]))
    return file


@virtual
async def test_pv_follows_the_load_in_each_mode(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=without_battery(tmp_path), load=40e3) as it:
        assert it.desk.batteries == {}
        for mode, load in ((None, 40e3), (Mode.LOCAL, 25e3), (Mode.AUTO, 50e3), (Mode.LOCKOUT, 30e3)):
            now, it.load = loop().wall(), load
            if mode is not None:
                wish = ControlRequest(at=now, mode=mode, who="anna", why="test")
                assert it.desk.hear(wish, now, loop().time()).followed
            await it.live(30)
            assert it.most(5) < TOLERANCE, mode
            assert it.pv() == pytest.approx(load, abs=2 * TOLERANCE), mode
            assert mode is Mode.LOCAL or NO_BATTERY in it.desk.detail, mode
        assert it.longest_beyond() <= 10.0
        now = loop().wall()
        by_hand = ControlRequest(
            at=now, mode=Mode.MANUAL, who="anna", why="test", power=5e3, until=now + timedelta(hours=1)
        )
        answer = it.desk.hear(by_hand, now, loop().time())
        assert not answer.followed
        assert NO_BATTERY in answer.reason


@virtual
async def test_a_plan_of_negative_prices_curtails_pv_alone(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=without_battery(tmp_path), export_limit=150e3) as it:
        await it.live(20)
        assert it.writes(0.0) == 0, "there is nothing to limit"
        at = loop().wall()
        plan = planned(0.0, load=40e3, pv=90e3, grid=-50e3, price_export=-0.02, at=at, seconds=3600)
        it.desk.plans.hear(plan.model_copy(update={"at": at, "until": at + timedelta(hours=1)}), at)
        await it.live(30)
        assert it.most(10) < TOLERANCE
        assert it.pv() == pytest.approx(40e3, abs=2 * TOLERANCE)


@virtual
async def test_a_site_that_is_only_watched_writes_nothing(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=without_battery(tmp_path), mode="read_only") as it:
        await it.live(20)
        assert it.writes(0.0) == 0
