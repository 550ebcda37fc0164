"""What an engine of containers learns of a part: asked of the real endpoint, by the command of docker-compose.yml."""

import asyncio
import sys

import pytest
import yaml

from joulebus.neighbours import REPOSITORY
from runtime.health import serve_health

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
WORDS = {"site": "s", "service": "alarms", "detail": "no broker", "lag": 0.0, "counts": {}}


async def asked(port: int) -> tuple[int | None, str]:
    """What the command ends with, and what it prints."""
    program, *words = COMPOSE["x-part"]["healthcheck"]["test"][1:]
    assert program == "python"
    env = {"JOULEBUS_HEALTH": f"127.0.0.1:{port}"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env, cwd=REPOSITORY, stdout=pipe, stderr=pipe
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize(("ready", "code"), [(True, 0), (False, 1)])
async def test_it_ends_as_the_part_is_ready_and_prints_what_that_says(ready: bool, code: int) -> None:
    async with serve_health(("127.0.0.1", 0), lambda: (ready, WORDS)) as port:
        ended, said = await asked(port)
    assert (ended, "no broker" in said) == (code, True)


async def test_a_part_that_is_not_there_is_not_ready() -> None:
    async with serve_health(("127.0.0.1", 0), lambda: (True, WORDS)) as port:
        pass
    ended, said = await asked(port)
    assert (ended, said.partition(":")[0]) == (1, "nothing answers at 127.0.0.1")
