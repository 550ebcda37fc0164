"""An integrator commissions a simulated site: what is right passes, and each thing that is wrong is named."""

from pathlib import Path

import pytest

from joulebus.commission.command import Wish
from tests.conftest import Broker
from tests.joulebus.commissioned import Integrator, commissioned, powers, quicken, simulated, writes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


async def test_a_site_that_is_right_passes(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        code, text = await commissioned(running, broker.url("admin"), tmp_path)
        assert running.world.plant.pcs.p_set == 0.0
        assert powers(running) == [5.0, 0.0, -5.0, 0.0, 5.0, 0.0], "two steps, and one for the watchdog"
    assert code == 0, text
    assert "**passed**" in text
    for line in (
        "| pcs | sign | good | +1.00 of a step of the setpoint | in its direction |",
        "| bms | sign | good",
        "| meter | sign | good",
        "| meter | scale | good",
        "| bms | interlocks | good | none | none acts |",
        "| pcs | dead time | good | 0.",
        "| pcs | watchdog | good | 0 after",
        "| pcs | left at rest | good |",
    ):
        assert line in text, text
    assert "For `[battery]` in the site file, in s: `dead_time = 0." in text
    assert "No bridge served the site: the broker has never heard of a bridge of this site." in text


async def test_a_meter_the_wrong_way_round_is_named_and_nothing_more_is_tried(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    async with simulated(site_name, "meter:inverted") as running:
        code, text = await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(full=True))
        assert powers(running) == [5.0, 0.0, -5.0, 0.0]
    assert code == 1
    assert "| meter | sign | WRONG |" in text
    assert "it counts backwards" in text
    assert "Nothing more was tried: the small steps come first." in text


@pytest.mark.parametrize(
    ("device", "point", "factor", "says"),
    [
        ("pcs", "p", 10.0, "| pcs | scale | WRONG | 10.00 (a factor of 10) | 1.00, 15% |"),
        ("bms", "i", -1.0, "| bms | sign | WRONG |"),
        ("meter", "p", 0.1, "| meter | scale at rest | WRONG |"),
    ],
)
async def test_a_wrong_scale_is_named(  # noqa: PLR0917  # pytest gives them by name
    broker: Broker, site_name: str, tmp_path: Path, device: str, point: str, factor: float, says: str
) -> None:
    async with simulated(site_name) as running:
        profile = running.site.profiles[device]
        wrong = profile.points[point].model_copy(update={"scale": profile.points[point].scale * factor})
        mistaken = profile.model_copy(update={"points": profile.points | {point: wrong}})
        site = running.site.model_copy()
        site.__dict__["profiles"] = running.site.profiles | {device: mistaken}
        code, text = await commissioned(running, broker.url("admin"), tmp_path, site=site)
    assert code == 1
    assert says in text, text


async def test_nothing_is_written_without_a_yes(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        who = Integrator(lambda _: False)
        code, text = await commissioned(running, broker.url("admin"), tmp_path, who, wish=Wish(full=True))
        assert writes(running) == []
    assert code == 1
    assert "| pcs | steps | not decided | none was made |" in text


async def test_a_watched_site_is_read_only_here_too(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name, mode="read_only") as running:
        await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(full=True))
        assert writes(running) == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("bms:silent", ["| bms | connection | WRONG |", "no step without bms"]),
        (
            "bms:cell_high",
            [
                "| bms | interlocks | WRONG | over_voltage_protection-bms: bms reports cell_over_voltage",
                "steps | not decided | interlock",
            ],
        ),
        ("pcs:trip", ["the PCS is in fault: start it first"]),
    ],
)
async def test_a_battery_that_is_not_well_is_left_alone(
    broker: Broker, site_name: str, tmp_path: Path, fault: str, says: list[str]
) -> None:
    async with simulated(site_name, fault) as running:
        who = Integrator(lambda words: "-5.0" in words)
        code, text = await commissioned(running, broker.url("admin"), tmp_path, who, wish=Wish(full=True))
        assert writes(running) == []
    assert code == 1
    for words in says:
        assert words in text, text


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("pcs:foreign_write", ["power still flows although 0 was written", "left at rest | WRONG | +5.0 kW: stop it"]),
        ("pcs:refuses_setpoint", ["its setpoint holds 0 kW instead of 5 kW", "left at rest | good"]),
    ],
)
async def test_another_hand_on_the_setpoint_ends_it(
    broker: Broker, site_name: str, tmp_path: Path, fault: str, says: list[str]
) -> None:
    async with simulated(site_name) as running:

        def ask(_: str) -> bool:
            running.faults.on(fault)
            return True

        code, text = await commissioned(running, broker.url("admin"), tmp_path, Integrator(ask), wish=Wish(full=True))
        assert powers(running)[-1] == 0.0
    assert code == 1
    for line in says:
        assert line in text, text
