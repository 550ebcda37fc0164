"""What a hostile reader found in the profiles, the fifth time: each names what is right."""

from pathlib import Path

import pytest

from bridges.fieldbus.contract import Declined
from bridges.fieldbus.modbus.codec import pack, unpack
from bridges.fieldbus.modbus.direction import places, steps
from bridges.fieldbus.modbus.setpoints import targets
from schemas.messages import Value
from schemas.profiles import load_profile
from schemas.register import Register
from tests.bridges.control.story import story
from tests.bridges.fieldbus.bare import Bare, device
from tests.bridges.fieldbus.test_device import sunspec
from tests.field.test_enables import SOURCES, limited, pv
from tests.virtual import virtual


@virtual
async def test_the_operators_next_limit_counts_at_an_inverter_that_wants_its_enable_anew(tmp_path: Path) -> None:
    """https://github.com/callifo/fronius_modbus/pull/58: with WMaxLim_Ena at 1 a new WMaxLimPct is stored, and the
    inverter keeps the old limit. The shipped profile wrote the enable once: told 20 % and then 10 %, it fed in 20 %."""
    async with story(tmp_path, "pv:wants_enable", command_sources=SOURCES, only=["pv"]) as it:
        await limited(it, 6, percent=20.0)
        await limited(it, 6, percent=10.0)
        assert pv(it) == pytest.approx(15_000, rel=0.02)


@pytest.mark.parametrize("name", [f"sunspec_pv{end}" for end in ("", "_101", "_102", "_111", "_112", "_113")])
def test_every_control_of_model_123_is_enabled_anew(name: str) -> None:
    commands = load_profile(name).commands
    assert {key: one.enable_each for key, one in commands.items()} == {"p_limit_pct": True, "pf_set": True}


# An amount of 0 that is none ----------------------------------------------------------------------------

SOLAREDGE = load_profile("solaredge_storage")
CHARGE, DISCHARGE, MODE, REMOTE = 57358, 57360, 57357, 57348
AMOUNT, MOST = Register(register=0, type="f32"), 5000.0
WISHES = [0.0, 3000.0, -1000.0, 2000.0, 0.0, -4000.0, -500.0, 0.4, 1000.0]


def stored(place: int, words: tuple[int, ...]) -> tuple[int, ...]:
    """What the device holds after a write."""
    return words if any(words) or place not in (CHARGE, DISCHARGE) else tuple(pack(AMOUNT, MOST, "little"))


def flows(held: dict[int, tuple[int, ...]]) -> float:
    """W that the battery gives by its registers."""
    way = {4: (DISCHARGE, 1), 3: (CHARGE, -1)}.get(held[MODE][0])
    return 0.0 if way is None else way[1] * float(unpack(AMOUNT, [*held[way[0]]], "little"))


@pytest.mark.parametrize("lost", range(5))
def test_a_device_that_takes_an_amount_of_0_for_its_greatest(lost: int) -> None:
    """https://github.com/springfall2008/batpred/issues/181 (0 is set back to 5000 W; biemond/solaredge.modbus #47: all
    but zero works): on the way to 1 kW of charging the amounts went to 0 first, the mode to charging then, so that the
    battery charged with 5 kW until the last write, and after it when that was lost. `lost`: the write after which
    nothing arrives any more."""
    setpoint = SOLAREDGE.commands["p_set"]
    assert setpoint.modes is not None
    held = {place: (0,) * count for (_, place), count in places(setpoint, setpoint.modes).items()}
    for value in WISHES:
        now, before = dict(held), flows(held)
        way = steps(setpoint, setpoint.modes, value, {(None, place): words for place, words in now.items()}, "little")
        for number, step in enumerate(way):
            if number == lost:
                break
            now[step.place[1]] = stored(step.place[1], step.words)
            assert abs(flows(now)) <= max(abs(before), abs(value)), (before, value, step)
            assert flows(now) * before >= 0 or flows(now) * value >= 0
        for step in way:
            held[step.place[1]] = stored(step.place[1], step.words)
        assert flows(held) == pytest.approx(value if abs(value) >= 1 else 0.0)


def test_at_rest_its_amount_does_not_matter() -> None:
    """The read-back of 5000 W was taken for a setpoint that is not held, and the cells were worn by writing it anew."""
    target = targets(SOLAREDGE, 5000.0, 5000.0)["p_set"]
    shown: dict[str, Value] = {"remote": "remote", "p_set_mode": "off", "p_set": MOST}
    assert target.held(SOLAREDGE, 0.0, shown) == 0.0
    assert target.held(SOLAREDGE, 0.0, shown | {"p_set_mode": "discharge"}) != 0.0
    assert target.held(SOLAREDGE, 0.0, {"remote": "remote", "p_set": MOST}) is None
    assert target.held(SOLAREDGE, 3000.0, shown | {"p_set_mode": "discharge"}) == MOST


# A rating that has changed ------------------------------------------------------------------------------


async def test_a_battery_whose_rating_has_changed_is_brought_to_rest_all_the_same() -> None:
    """A module of the battery drops out while it discharges, and WChaMax falls from 10 to 8 kW: from then on all writes
    were declined, also that of 0 (an interlock, a lockout, what is declared safe), and the battery went on as before.
    A share of 0 is 0 W of any rating."""
    registers, bases = sunspec((1, 66), (103, 50), (160, 88), (124, 24))
    base = bases[124]
    registers |= {(3, base + 2): 10_000, (3, base + 25): -2 & 0xFFFF}
    async with Bare(registers) as server:
        one = device(load_profile("fronius_gen24"), server.address, rated=10_000.0)
        await one.write("p_set", 5_000.0)
        server.registers[3, base + 2] = 8_000
        with pytest.raises(Declined, match="give rated_power = 8000"):
            await one.write("p_set", 6_000.0)
        await one.write("p_set", 0.0)
        assert [server.registers[3, base + at] for at in (12, 13, 5)] == [0, 0, 3]
        one.close()
