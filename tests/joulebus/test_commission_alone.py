"""Nothing is written while anybody else may serve the site, and while nobody knows."""

import asyncio
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from joulebus.cli import main
from joulebus.commission import bridge
from joulebus.commission.bridge import MAY_WRITE, Serves, conclude
from joulebus.commission.command import Person, Wish
from schemas.messages import ServiceStatus, Telemetry
from schemas.topics import SERVICE_STATUS, TELEMETRY
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.conftest import Broker
from tests.ear import ear
from tests.joulebus.commissioned import DEMO, Integrator, commissioned, powers, quicken, simulated, writes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


ONLINE = ServiceStatus(state="online", at=utc_now())
STOPPED = ServiceStatus(state="offline", at=utc_now(), detail="stopped")
LOST = ServiceStatus(state="offline", detail="died or lost its connection")


@pytest.mark.parametrize(
    ("statuses", "published", "serves"),
    [
        ({}, [], Serves.NEVER),
        ({"archive": ONLINE, "dispatch": ONLINE, "status": LOST}, [], Serves.NEVER),
        ({"bridge": ONLINE}, [], Serves.RUNS),
        ({"bridge-hall-2": ONLINE, "bridge": STOPPED}, [], Serves.RUNS),
        ({"bridge": STOPPED}, [], Serves.STOPPED),
        ({"bridge": LOST}, [], Serves.UNKNOWN),
        ({"bridge": STOPPED, "bridge-hall-2": LOST}, [], Serves.UNKNOWN),
        ({"bridge": STOPPED}, ["meter"], Serves.RUNS),
        ({}, ["meter"], Serves.RUNS),
    ],
)
def test_what_is_heard_tells_whether_a_bridge_serves(
    statuses: dict[str, ServiceStatus], published: list[str], serves: Serves
) -> None:
    assert conclude(statuses, published).serves is serves


def test_every_answer_says_whether_it_may_write() -> None:
    assert MAY_WRITE == {
        Serves.RUNS: False,
        Serves.STOPPED: True,
        Serves.NEVER: True,
        Serves.UNKNOWN: False,
    }


async def test_while_a_bridge_serves_the_site_it_refuses(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running, ear(broker.url("bridge")) as other:
        await other.bus.say(SERVICE_STATUS, ONLINE, site=site_name, service="bridge")
        with pytest.raises(Trouble, match="bridge serves these devices: stop the bridge"):
            await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(no_broker=True))
        assert writes(running) == []
        await other.bus.say(SERVICE_STATUS, None, site=site_name, service="bridge")


async def test_while_its_devices_are_published_it_refuses(
    broker: Broker, site_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever does it, and under whatever name."""
    monkeypatch.setattr(bridge, "LISTEN", 1.0)
    async with simulated(site_name) as running, ear(broker.url("bridge")) as other:

        async def publish() -> None:
            while True:
                sample = Telemetry(at=utc_now(), epoch="0" * 16, seq=1, values={"p": 1.0})
                await other.bus.say(TELEMETRY, sample, site=site_name, device="meter")
                await asyncio.sleep(0.2)

        publishing = asyncio.create_task(publish())
        with pytest.raises(Trouble, match="somebody publishes meter: stop the bridge"):
            await commissioned(running, broker.url("admin"), tmp_path)
        publishing.cancel()
        assert writes(running) == []


async def test_a_bridge_that_said_goodbye_is_no_reason_and_one_that_was_lost_is(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    """Its last will says nothing of its process: it guards on without the broker."""
    async with simulated(site_name) as running, ear(broker.url("bridge")) as other:
        await other.bus.say(SERVICE_STATUS, LOST, site=site_name, service="bridge")
        code, text = await commissioned(running, broker.url("admin"), tmp_path)
        assert writes(running) == []
        assert code == 1
        assert "nobody knows whether a bridge runs: bridge died or lost the broker" in text
        await other.bus.say(SERVICE_STATUS, STOPPED, site=site_name, service="bridge")
        code, text = await commissioned(running, broker.url("admin"), tmp_path)
        assert code == 0, text
        assert "No bridge served the site: bridge was stopped." in text
        await other.bus.say(SERVICE_STATUS, None, site=site_name, service="bridge")


@contextmanager
def mute() -> Iterator[str]:
    """A broker that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"mqtt://admin:x@127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def absent() -> Iterator[str]:
    """A broker that is not there."""
    yield "mqtt://admin:x@127.0.0.1:9"


@pytest.mark.parametrize("silent", [mute, absent])
@pytest.mark.parametrize(
    ("wish", "types", "written"),
    [
        (Wish(full=True), "right", False),
        (Wish(no_broker=True), "", False),
        (Wish(no_broker=True), "yes", False),
        (Wish(no_broker=True), "right", True),
    ],
    ids=["not told", "nothing typed", "something typed", "the site typed"],
)
async def test_without_a_word_of_the_broker_it_only_reads_unless_a_person_vouches(  # noqa: PLR0917  # as above
    site_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent: Callable[[], Any],
    wish: Wish,
    types: str,
    written: bool,
) -> None:
    monkeypatch.setattr(bridge, "ANSWER", 1.0)
    with silent() as broker:
        async with simulated(site_name) as running:
            who = Integrator(types=site_name if types == "right" else types)
            code, text = await commissioned(running, broker, tmp_path, who, wish=wish)
            assert bool(writes(running)) == written
    assert any(f"Type the site's name, {site_name}" in words for words in who.asked) == wish.no_broker
    if written:
        assert code == 0, text
        assert "A person has said that no bridge served the site" in text
    else:
        assert code == 1
        assert "| pcs | steps | not decided | nobody knows whether a bridge runs: the broker" in text
        assert "| meter | connection | good |" in text, "it reads all the same"


async def test_a_bridge_that_begins_meanwhile_ends_it(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running, ear(broker.url("bridge")) as other:
        online = ONLINE.model_dump_json().encode()
        address = SERVICE_STATUS.at(site=site_name, service="bridge")

        def ask(words: str) -> bool:
            if "-5.0 kW" in words:
                other.bus.post(address, online, retain=True)
            return True

        code, text = await commissioned(running, broker.url("admin"), tmp_path, Integrator(ask), wish=Wish(full=True))
        assert powers(running) == [5.0, 0.0, -5.0, 0.0]
        assert code == 1
        assert "| pcs | full | not decided | a bridge began to serve these devices meanwhile" in text
        await other.bus.say(SERVICE_STATUS, None, site=site_name, service="bridge")


@pytest.mark.parametrize("typed", ["", "y\n", "demo\n"])
def test_yes_on_the_command_line_is_no_word_about_a_bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """--yes answers what is asked before a write; who says that no bridge runs must type the site's name."""
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    async def instead(*given: Any, wish: Wish) -> int:
        person: Person = given[3]
        asked.append(person.types("which? "))
        assert person.ask("write?")
        return int(wish.no_broker)

    monkeypatch.setattr("joulebus.commission.command.commission", instead)
    arguments = ["commission", "--site", str(DEMO), "--yes", "--no-broker", "--report", str(tmp_path / "r.md")]
    assert main(arguments) == 1
    assert asked == [typed.strip()]
