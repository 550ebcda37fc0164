"""What a hostile reader found in the profiles, the fifth time: each names what is right."""

from pathlib import Path

import pytest

from schemas.profiles import load_profile
from tests.bridges.control.story import story
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
