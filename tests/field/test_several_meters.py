"""A site behind two transformers, each with its meter: the loops are closed over their sum.

https://github.com/OpenEMS/openems/pull/2062: peak shaving on the sum of two meters, phase by phase;
https://github.com/evcc-io/evcc/issues/6701: two meters that do not send in the same second, added or subtracted, show
peaks that nobody has drawn.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from schemas.messages import DeviceState, Telemetry, Value
from schemas.units import Quality
from tests.field.curtailed import RATED, TOLERANCE, CurtailedSite, curtailed
from tests.virtual import loop, virtual

TWO = Path(__file__).parents[1] / "two_meters.toml"


def sums(it: CurtailedSite, others: dict[str, set[datetime]] | None = None) -> list[tuple[float, Telemetry]]:
    """What is published of the connection from now on, and when; and the times of what is published of `others`."""
    found: list[tuple[float, Telemetry]] = []
    publish = it.it.bridge.outgoing.put_from

    def put(moment: datetime, device: str, values: dict[str, Value], quality: Mapping[str, Quality]) -> Telemetry:
        said = publish(moment, device, values, quality)
        if device == "grid":
            found.append((loop().time(), said))
        elif others is not None:
            others.setdefault(device, set()).add(said.at)
        return said

    it.it.bridge.outgoing.put_from = put  # type: ignore[method-assign]  # looks over its shoulder
    return found


@virtual
async def test_a_full_battery_and_no_feed_in_behind_two_meters(tmp_path: Path) -> None:
    """Each shows half of it: who followed one of them would feed in as much again."""
    async with curtailed(tmp_path, file=TWO) as it:
        await it.live(30)
        assert it.longest_beyond() <= 10.0
        assert abs(it.most(10)) < TOLERANCE
        assert it.pv() == pytest.approx(it.load, abs=2 * TOLERANCE)
        assert it.it.causes("grid") == it.it.causes("north") == it.it.causes("pcs") == []


@virtual
async def test_one_meter_falls_silent_and_the_battery_rests(tmp_path: Path) -> None:
    """As with a single meter that is silent: half of the power is no power."""
    async with curtailed(tmp_path, soc=60.0, load=80e3, sun=0.2, export_limit=150e3, file=TWO) as it:
        await it.live(15)
        assert it.it.power == pytest.approx(50e3, abs=3e3), "the load of both"
        it.it.simulated.faults.on("south:silent")
        said = sums(it)
        await it.live(15)
        status = it.it.bridge.said["grid"]
        assert (status.state, status.reason) == (DeviceState.OFFLINE, "south: no answer")
        assert it.it.bridge.said["north"].state is DeviceState.ONLINE
        assert len(said) <= 1, "no sum without it"
        assert it.it.power == pytest.approx(0.0, abs=500.0)
        it.it.simulated.faults.off("south:silent")
        await it.live(15)
        assert it.it.bridge.said["grid"].state is DeviceState.ONLINE
        assert it.it.power == pytest.approx(50e3, abs=3e3)


@virtual
async def test_two_meters_read_apart_while_the_load_steps(tmp_path: Path) -> None:
    """South takes two seconds to answer, north does not. A load that comes shows in half for a round; it never goes
    back, nobody overshoots, and the battery stands still when the load does."""
    async with curtailed(tmp_path, soc=60.0, load=20e3, sun=0.1, export_limit=150e3, file=TWO) as it:
        it.it.simulated.faults.on("south:slow", 0.25)
        heard: dict[str, set[datetime]] = {}
        said = sums(it, heard)
        await it.live(15)
        for load in (90e3, 30e3):
            before, it.load, began = it.it.power, load, loop().time()
            await it.live(12)
            wanted = load - 0.1 * RATED
            assert it.it.power == pytest.approx(wanted, abs=3e3)
            powers = [one.number("p") or 0.0 for at, one in said if at > began]
            sign = 1 if wanted > before else -1
            assert min(sign * power for power in powers) > -5e3, "the battery never goes beyond"
            assert max(sign * power for power in powers) <= abs(wanted - before) + 3e3
        assert len(said) == pytest.approx(len(heard["south"]), abs=1), "once for each reading of the slower one"
        assert all(one.at in heard["north"] for _, one in said[1:]), "as old as the older of the two"
        assert it.it.causes() == it.it.causes("grid") == []
