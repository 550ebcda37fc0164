"""Keeps processes alive: starts them, starts them again when they die, and stops all of them within seconds."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds before a dead process is started again; doubled each time, until it has lived for a while."""

GRACE = 8.0
"""Seconds a process may take to end before it is killed: more than a bridge needs for its batteries (4.5 s), and the
end of an interpreter on a busy machine."""

LATER = (("archive", "simulate"), ("broker",))
"""These end after all others: a bridge needs the devices to bring the batteries to rest, the archive takes its last
words, and both need the broker."""

log = logging.getLogger("up")


@dataclass
class Job:
    """A process that should be there."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0
    stopping: bool = False
    last_words: str = ""


@dataclass
class Supervisor:
    """All processes of one site. What they say goes to `folder`/<name>.log."""

    folder: Path
    jobs: dict[str, Job] = field(default_factory=dict)
    _watches: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> Job:
        """Start a process and keep it alive."""
        job = Job(name, command, {**os.environ, **(env or {})})
        self.jobs[name] = job
        self.folder.mkdir(parents=True, exist_ok=True)
        self._watches.append(asyncio.create_task(self._keep(job), name=f"up.{name}"))
        return job

    async def stop(self, *names: str) -> None:
        """End some processes, told in the order given, and wait for all of them."""
        jobs = [self.jobs[name] for name in names]
        for job in jobs:
            job.stopping = True
            if job.process is not None and job.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    job.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(self._ended(job) for job in jobs))

    async def close(self) -> None:
        """End whatever is left: the parts, then what they need for it."""
        held = {name for names in LATER for name in names}
        for names in ([name for name in self.jobs if name not in held], *LATER):
            await self.stop(*(name for name in names if name in self.jobs))
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def failures(self) -> list[str]:
        """Which processes died by themselves, how often, and their last words."""
        return [f"{job.name} died {job.deaths} times: {job.last_words}" for job in self.jobs.values() if job.deaths]

    async def _keep(self, job: Job) -> None:
        pause = FIRST_PAUSE
        while not job.stopping:
            born = time.monotonic()
            code = await self._once(job)
            if job.stopping:
                return
            job.deaths += 1
            job.last_words = self._tail(job)
            if time.monotonic() - born > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            log.warning("%s ended with %s, again in %.1f s: %s", job.name, code, pause, job.last_words)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _once(self, job: Job) -> int:
        # No process may outlive its supervisor, however that one ends.
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with (self.folder / f"{job.name}.log").open("ab") as output:
            job.process = await asyncio.create_subprocess_exec(
                *leash,
                *job.command,
                env=dict(job.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the supervisor: it stops them in good order
            )
        return await job.process.wait()

    async def _ended(self, job: Job) -> None:
        if job.process is None:
            return
        try:
            async with asyncio.timeout(GRACE):
                await job.process.wait()
        except TimeoutError:
            log.warning("%s does not end, it is killed", job.name)
            with contextlib.suppress(ProcessLookupError):
                job.process.kill()
            await job.process.wait()

    def _tail(self, job: Job) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / f"{job.name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
            return lines[-1].strip() if lines else ""
        return ""
