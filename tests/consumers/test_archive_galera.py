"""The archive on a Galera cluster: three real nodes on this machine. One dies, nothing is lost."""

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.archive.migrate import migrate
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus import neighbours
from joulebus.mariadb import MariaDB
from joulebus.server import free_port
from runtime.database import engine
from runtime.heard import Heard
from runtime.history import History
from schemas.messages import Telemetry
from schemas.topics import TELEMETRY
from schemas.units import utc_now

EPOCH = "00112233aabbccdd"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


TRANSFER = """#!/bin/sh
# A node that joins has nearly all already: only the place to go on from is handed over, the rest comes as write sets.
while [ $# -gt 0 ]; do
    case $1 in --role) role=$2 ;; --gtid) place=$2 ;; --bypass) bypass=1 ;; esac
    shift
done
if [ "$role" = joiner ]; then
    rm -f "$PLACE"
    echo "ready 127.0.0.1"
    while [ ! -s "$PLACE" ]; do sleep 0.1; done
    cat "$PLACE"
else
    [ -n "$bypass" ] || exit 1
    echo "$place" > "$PLACE.new" && mv "$PLACE.new" "$PLACE"
    echo "done $place"
fi
"""


class Node(MariaDB):
    """One of three."""

    def __init__(self, folder: Path, listens: int, cluster: list[int]) -> None:
        super().__init__(folder)
        provider = neighbours.program("galera", "libgalera_smm.so")
        if libraries := provider.env.get("LD_LIBRARY_PATH"):
            self.env["LD_LIBRARY_PATH"] = ":".join(filter(None, [libraries, self.env.get("LD_LIBRARY_PATH")]))
        script = folder.parent / "wsrep_sst_place"
        script.write_text(TRANSFER, encoding="utf-8")
        script.chmod(0o755)
        self.env |= {"PATH": f"{script.parent}:{self.env['PATH']}", "PLACE": str(folder.parent / "place")}
        members = ",".join(f"127.0.0.1:{port}" for port in cluster)
        options = (
            f"gmcast.listen_addr=tcp://127.0.0.1:{listens}",
            f"ist.recv_addr=127.0.0.1:{free_port()}",
            "gcache.size=32M",
        )
        self.command += [
            "--wsrep-on=ON",
            f"--wsrep-provider={provider.path}",
            f"--wsrep-cluster-address=gcomm://{members}",
            "--wsrep-node-address=127.0.0.1",
            f"--wsrep-provider-options={';'.join(options)}",
            "--wsrep-sst-method=place",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-sync-wait=1",  # a reader of another node sees what was committed here
        ]

    def found(self) -> None:
        """Start as the first of a new cluster."""
        self.command.append("--wsrep-new-cluster")
        try:
            self.start()
        finally:
            self.command.remove("--wsrep-new-cluster")

    def rejoin(self) -> None:
        """After kill -9: from where its files stand, with what the others wrote since then."""
        command = [*self.command, "--wsrep-recover"]
        said = subprocess.run(command, env=self.env, check=True, capture_output=True, text=True).stderr
        place = re.findall(r"Recovered position: (\S+)", said)[-1]
        self.command.append(f"--wsrep-start-position={place}")
        self.start()

    def size(self) -> int:
        """How many nodes it sees; 0 while it is not part of a cluster."""
        try:
            status = self.sql("SHOW STATUS LIKE 'wsrep_%'")
        except subprocess.CalledProcessError:
            return 0
        ready = re.search(r"wsrep_ready\s+ON", status)
        return int(re.findall(r"wsrep_cluster_size\s+(\d+)", status)[0]) if ready else 0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Node]]:
    ports = [free_port() for _ in range(3)]
    nodes = [Node(tmp_path / f"node{n}", port, ports) for n, port in enumerate(ports)]
    try:
        nodes[0].found()
        synced(nodes[:1], 1)
        nodes[0].stop()
        for node in nodes[1:]:  # they begin with a copy, so that they need no transfer of a whole state
            node.password = nodes[0].password  # users are shared, too
            shutil.rmtree(node.data)
            shutil.copytree(nodes[0].data, node.data, ignore=shutil.ignore_patterns("galera.cache", "mariadb.sock"))
        nodes[0].found()
        for size, node in enumerate(nodes[1:], 2):
            synced(nodes[: size - 1], size - 1)
            node.start()
        synced(nodes, 3)
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def synced(nodes: list[Node], size: int) -> None:
    """Wait until each of them is in a cluster of so many."""
    end = time.monotonic() + 30
    for node in nodes:
        while (found := node.size()) != size:
            assert time.monotonic() < end, f"{node.data} sees {found} nodes instead of {size}"
            time.sleep(0.1)


@pytest.mark.slow
async def test_a_node_dies_and_nothing_is_lost(cluster: list[Node]) -> None:
    first, *others = cluster
    url = address(first, others)
    await asyncio.to_thread(migrate, url)
    database, told = engine(url), list[str]()
    store = Store(database, told.append)
    for seq in range(1, 301, 10):
        if seq == 101:
            await asyncio.to_thread(first.kill)
        await store.keep(sort_out(samples(seq, 10), utc_now())[0])
    await database.dispose()
    await asyncio.to_thread(synced, others, 2)
    for node in others:
        assert await stored(node) == [(1, 300)]
    await asyncio.to_thread(first.rejoin)
    await asyncio.to_thread(synced, cluster, 3)
    assert await stored(first) == [(1, 300)], "it has caught up"


@pytest.mark.slow
async def test_a_node_that_is_cut_off_is_left(cluster: list[Node]) -> None:
    first, *others = cluster
    url = address(first, others)
    await asyncio.to_thread(migrate, url)
    database = engine(url)
    store = Store(database, list[str]().append)
    await store.keep(sort_out(samples(1, 10), utc_now())[0])
    first.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
    await asyncio.to_thread(synced, others, 2)
    async with asyncio.timeout(30):
        await store.keep(sort_out(samples(11, 10), utc_now())[0])
    await database.dispose()
    for node in others:
        assert await stored(node) == [(1, 20)]


def address(first: Node, others: list[Node]) -> str:
    """Of a fresh database on the whole cluster."""
    return f"{first.database('joulebus')}?{'&'.join(f'host=127.0.0.1:{node.port}' for node in others)}"


def samples(first: int, count: int) -> list[Heard[Any]]:
    place = {"site": "plant", "device": "pcs"}
    said = [
        Telemetry(at=START + timedelta(seconds=n), epoch=EPOCH, seq=n, values={"p": 1.0})
        for n in range(first, first + count)
    ]
    return [Heard(TELEMETRY, place, one, "", b"", False, 1) for one in said]


async def stored(node: Node) -> list[tuple[int, int]]:
    """What one node alone knows."""
    database = engine(f"mariadb+asyncmy://joulebus:{node.password}@127.0.0.1:{node.port}/joulebus")
    found = await History(database).sequences("plant", EPOCH)
    await database.dispose()
    return found.get("pcs", [])
