"""The lines of `Connect` in docs/topics.md, run as they stand against the shipped broker and a real dispatch."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumers.dispatch.service import run as dispatch
from joulebus import connect, neighbours
from joulebus.documents import DOCUMENTS
from joulebus.examples import EXAMPLES
from runtime.part import Part
from runtime.settings import read_settings
from schemas.messages import ControlLimits, RequestOutcome, ServiceStatus, Telemetry
from schemas.site_file import load_site
from schemas.topics import CONTROL_LIMITS, CONTROL_OUTCOME, GRID_LIMIT, SERVICE_STATUS, TELEMETRY, M, Topic
from tests.bridges.control.story import DEMO
from tests.conftest import Broker
from tests.ear import ear

SITE = connect.SITE
SAID = Telemetry.model_validate(EXAMPLES[TELEMETRY.name])


def as_it_stands(line: str, broker: Broker) -> str:
    """The line of the page; only its ports, its host and the places of its files are those of this broker."""
    secrets = broker.secrets.folder / "secrets"
    for shown, here in {
        "-p 1883": f"-p {broker.port}",
        "-p 8883": f"-p {broker.tls_port}",
        "ems.example.org": "localhost",
        connect.PASSWORDS: str(secrets / "passwords"),
        "ca.crt": f"{secrets}/ca.crt",
        "cat limit-key": f"cat {secrets}/passwords/limit-key",
    }.items():
        line = line.replace(shown, here)
    return re.sub(r"(scada(-\d)?\.(crt|key))", rf"{secrets}/clients/\1", line)


class Shell:
    """A line that runs, and what it prints."""

    def __init__(self, job: asyncio.subprocess.Process) -> None:
        self.job = job
        self.passed: list[tuple[str, str]] = []
        """What was printed and not asked for yet."""

    async def hears(self, topic: Topic[M], **place: str) -> M:
        """The next message at an address, read out of what was printed."""
        assert self.job.stdout is not None
        async with asyncio.timeout(10):
            while not (found := [one for one in self.passed if one[0] == topic.at(**place)]):
                if not (line := await self.job.stdout.readline()):
                    break
                address, _, payload = line.decode().partition(" ")
                self.passed.append((address, payload))
        if found:
            self.passed.remove(found[0])
            return topic.payload.model_validate_json(found[0][1])
        assert self.job.stderr is not None
        raise AssertionError(f"it ended: {(await self.job.stderr.read()).decode()}")

    async def end(self) -> None:
        """At once: told to terminate, mosquitto_sub disconnects out of its signal handler, and may wait for itself."""
        if self.job.returncode is None:
            self.job.kill()
        await self.job.wait()


@pytest.fixture
async def shell(outer: Broker) -> AsyncIterator["Run"]:
    run = Run(outer)
    yield run
    for one in run.running:
        await one.end()


class Run:
    """Starts lines of the page."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.running: list[Shell] = []

    async def __call__(self, line: str) -> Shell:
        clients = [neighbours.mosquitto_sub(), neighbours.mosquitto_pub()]
        path = os.pathsep.join([*{str(one.path.parent) for one in clients}, os.environ["PATH"]])
        job = await asyncio.create_subprocess_exec(
            "sh", "-c", f"{'exec ' if line.startswith('mosquitto_sub') else ''}{as_it_stands(line, self.broker)}",
            env={**os.environ, **clients[0].env, "PATH": path},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.running.append(Shell(job))
        return self.running[-1]


async def until_heard(line: Shell, broker: Broker) -> Telemetry:
    """A bridge says it each second until the line has printed it: nobody is told when a line has subscribed."""
    hearing = asyncio.create_task(line.hears(TELEMETRY, site=SITE, device="pcs1"))
    async with ear(broker.url("bridge")) as bridge:
        while not hearing.done():
            await bridge.bus.say(TELEMETRY, SAID, site=SITE, device="pcs1")
            await asyncio.wait([hearing], timeout=0.1)
    return await hearing


def test_the_page_shows_each_line_that_is_run_here() -> None:
    page = DOCUMENTS["topics.md"]()
    assert page.index("## Connect") < page.index("## All topics")
    for line in connect.LINES:
        assert f"```console\n{line}\n```" in page


@pytest.mark.parametrize("line", [connect.HEAR, connect.HEAR_OUTSIDE, connect.KEPT])
async def test_a_line_hears_the_devices(outer: Broker, shell: Run, line: str) -> None:
    assert await until_heard(await shell(line), outer) == SAID


async def test_two_of_a_pair_hear_all_at_once(outer: Broker, shell: Run) -> None:
    """Each with its own certificate, both with the client id of a part, which goes on beside them."""
    first = connect.HEAR_OUTSIDE.replace("mosquitto_sub", "mosquitto_sub -i bridge")
    lines = [await shell(first), await shell(first.replace("scada.", "scada-2."))]
    async with ear(outer.url("bridge")) as bridge:
        each = [asyncio.create_task(line.hears(TELEMETRY, site=SITE, device="pcs1")) for line in lines]
        while not all(one.done() for one in each):
            await bridge.bus.say(TELEMETRY, SAID, site=SITE, device="pcs1")
            await asyncio.wait(each, timeout=0.1)
        for number in range(100, 400):
            await bridge.bus.say(TELEMETRY, SAID.model_copy(update={"seq": number}), site=SITE, device="pcs1")
        for line in lines:
            heard = [await line.hears(TELEMETRY, site=SITE, device="pcs1") for _ in range(300)]
            while heard[-1].seq != 399:
                heard.append(await line.hears(TELEMETRY, site=SITE, device="pcs1"))
            assert [one.seq for one in heard if one.seq != SAID.seq] == [*range(100, 400)]


async def test_who_looks_by_hand_takes_nothing_from_the_historian(outer: Broker, shell: Run) -> None:
    """What is said while it is away waits for it, whichever other line of the page is run meanwhile."""
    kept = await shell(connect.KEPT)
    await until_heard(kept, outer)
    await kept.end()
    other = await shell(connect.HEAR_OUTSIDE)
    async with ear(outer.url("bridge")) as bridge:
        await bridge.bus.say(TELEMETRY, SAID.model_copy(update={"seq": 777}), site=SITE, device="pcs1")
    await until_heard(other, outer)
    await other.end()
    back, seqs = await shell(connect.KEPT), set[int]()
    while 777 not in seqs:
        seqs.add((await back.hears(TELEMETRY, site=SITE, device="pcs1")).seq)


async def test_it_is_seen_who_is_alive(outer: Broker, shell: Run) -> None:
    said = ServiceStatus(state="online", version="1")
    async with ear(outer.url("archive")) as archive:
        await archive.bus.say(SERVICE_STATUS, said, site=SITE, service="archive")
        assert await (await shell(connect.ALIVE)).hears(SERVICE_STATUS, site=SITE, service="archive") == said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
async def test_a_limit_that_a_shell_has_signed_is_followed(outer: Broker, shell: Run, tmp_path: Path) -> None:
    sources = 'command_sources = { dispatch = "operator", scada = "dso" }'
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    (tmp_path / "site.toml").write_text(text.replace('site = "demo"', f'site = "{SITE}"\n{sources}', 1))
    keys = outer.secrets.folder / "secrets" / "passwords" / "limit-keys"
    env = {
        "JOULEBUS_BROKER": outer.url("dispatch"),
        "JOULEBUS_STATE": str(tmp_path),
        "JOULEBUS_LIMIT_KEYS_FILE": str(keys),
    }
    part = Part("dispatch", load_site(tmp_path / "site.toml"), read_settings("dispatch", env))
    job = asyncio.create_task(dispatch(part))
    try:
        listening = await shell(connect.ANSWER.replace("scada.", "scada-2."))
        before: ControlLimits = await listening.hears(CONTROL_LIMITS, site=SITE)
        assert (await (await shell(connect.LIMIT)).job.wait(), before.held) == (0, [])
        outcome: RequestOutcome = await listening.hears(CONTROL_OUTCOME, site=SITE)
        assert outcome.followed, outcome
        after: ControlLimits = await listening.hears(CONTROL_LIMITS, site=SITE)
        assert after.export_limit == 0.6 * before.export_limit
        await shell(connect.LIMIT.replace('"percent":60', '"percent":50').replace("limit-key-scada", "limit-key-dso"))
        forged: RequestOutcome = await listening.hears(CONTROL_OUTCOME, site=SITE)
        assert (forged.followed, forged.cause) == (False, "signature")
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
    assert GRID_LIMIT.at(site=SITE) in connect.LIMIT
