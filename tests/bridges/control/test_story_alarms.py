"""What operators see of a device that its bridge leaves alone: one cause is one line, and it does not come and go."""

from pathlib import Path

import pytest

from tests.bridges.control.alarmed import alarmed
from tests.bridges.control.story import story
from tests.virtual import virtual

TWO_PAUSES = 55.0
"""Seconds: commands fail for 10, it is left alone for 15, and all that again."""


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("local", {"bms_silent-bms", "pcs_command_failed-pcs", "pcs_left_alone-pcs", "pcs_interlock-pcs"}),
        ("local_ignores", {"bms_silent-bms", "pcs_command_failed-pcs", "pcs_left_alone-pcs", "pcs_interlock-pcs",
                           "pcs_not_held-pcs", "pcs_not_obeyed-pcs"}),
        ("silent", {"bms_silent-bms", "pcs_silent-pcs", "pcs_interlock-pcs"}),
    ],
)  # fmt: skip
def test_a_pause_that_the_bridge_makes_is_no_silence_and_nothing_comes_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, raised: set[str]
) -> None:
    """A PCS at its panel, beside a silent BMS, raised pcs_silent 8 times in 4 min: once for each pause."""

    @virtual
    async def told() -> None:
        async with story(tmp_path) as it, alarmed(it, monkeypatch) as alarms:
            await it.steer(30_000.0, 4)
            it.simulated.faults.on("bms:silent")
            it.simulated.faults.on(f"pcs:{fault}")
            await it.steer(5_000.0, TWO_PAUSES)
            assert alarms.raised == sorted(raised), "each once"
            assert not alarms.over - {"pcs_command_unanswered-pcs"}
            assert "pcs_command_unanswered-pcs" not in alarms.raised

    told()
