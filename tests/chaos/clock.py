"""A process whose wall clock is set while it runs; its monotonic time goes on untouched (libfaketime)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joulebus import neighbours
from joulebus.server import Server

MADE = ("faketime_shm_{}", "sem.faketime_sem_{}")


def faked(offset: str) -> dict[str, str]:
    """The environment of a program that lives so far away, such as `-900d`; it stays there."""
    return {"LD_PRELOAD": str(neighbours.faketime().path), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Clock:
    """The wall clock of a server, from its next start on."""

    def __init__(self, server: Server, rc: Path) -> None:
        self.rc = rc
        self.set(0)
        env = faked("") | {"FAKETIME_TIMESTAMP_FILE": str(rc), "FAKETIME_NO_CACHE": "1"}
        del env["FAKETIME"]
        server.command[:0] = ["env", *(f"{name}={value}" for name, value in env.items())]

    def set(self, seconds: float) -> None:
        """So far ahead of everybody else's."""
        self.rc.write_text(f"{seconds:+.0f}s", encoding="ascii")


@contextmanager
def clocks(folder: Path, *servers: Server) -> Iterator[list[Clock]]:
    """One for each; what libfaketime leaves behind in shared memory is taken away."""
    try:
        yield [Clock(server, folder / f"clock-{number}") for number, server in enumerate(servers)]
    finally:
        for process in [server.process for server in servers if server.process is not None]:
            for name in MADE:
                Path("/dev/shm", name.format(process.pid)).unlink(missing_ok=True)  # noqa: S108
