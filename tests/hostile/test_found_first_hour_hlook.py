"""What a look at the page and the terminal with fresh eyes found."""

import asyncio
import socket

import pytest

from consumers.dispatch.interlocked import Interlocked
from joulebus.commands import fault
from joulebus.server import is_free
from joulebus.terminal import folded
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


def test_a_demo_can_be_started_again_at_once() -> None:
    """The browser's connections to the one before linger for a minute: the port was said to be for root alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as browser:
            page, _ = server.accept()
            page.close()
            browser.recv(1)
        assert not is_free(port)
    assert is_free(port)


@pytest.mark.parametrize(
    ("line", "margin"),
    [
        (f"{'why':<10}{'holds 38 % for the peak; ' * 8}", 10),
        (f"{' ' * 14}{'Check its supply and the cable. ' * 8}", 14),
        ("          saved 1.20 EUR", 10),
    ],
)
def test_what_is_said_in_a_terminal_goes_on_below_itself(line: str, margin: int) -> None:
    first, *more = folded(line, 80, 10).splitlines()
    assert line.startswith(first)
    assert bool(more) == (len(line) > 80)
    assert all(one.startswith(" " * margin) and one[margin] != " " and len(one) <= 80 for one in more)
