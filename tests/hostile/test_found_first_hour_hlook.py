"""What a look at the page and the terminal with fresh eyes found."""

import asyncio

import pytest

from consumers.dispatch.interlocked import Interlocked
from joulebus.commands import fault
from runtime.health import serve_health


def test_a_fault_that_the_list_names_can_be_switched(capsys: pytest.CaptureFixture[str]) -> None:
    """Its colon came escaped, and every fault was unknown."""

    async def story() -> None:
        orders = {"/fault/bms:silent/on": lambda: "bms:silent is on"}
        async with serve_health(("127.0.0.1", 0), lambda: (True, {}), orders) as port:
            assert await asyncio.to_thread(fault, "bms:silent", True, f"127.0.0.1:{port}") == 0

    asyncio.run(story())
    assert capsys.readouterr().out == "bms:silent is on\n"


@pytest.mark.parametrize(
    ("many", "said"),
    [
        (0, ""),
        (1, "interlock a0-bms"),
        (3, "interlocks a0-bms, a1-bms, a2-bms"),
        (12, "interlocks a0-bms, a1-bms, a2-bms and 9 more"),
    ],
)
def test_of_a_dozen_interlocks_the_first_are_named(many: int, said: str) -> None:
    """A silent BMS filled the card of dispatch with twelve names."""
    assert Interlocked({f"a{number}-bms": ["stop"] for number in range(many)}).stopped == said
