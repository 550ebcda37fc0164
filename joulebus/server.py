"""A server of one's own: started on a port of this machine, waited for, and ended by its process id."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

READY = 30.0
"""Seconds a server may take until it answers; a loaded machine is slow, a broken server ends at once."""
STOP = 10.0
"""Seconds it may take to end before it is killed."""


class NotStarted(RuntimeError):
    """A server ended or stayed silent instead of answering; carries the end of its log."""


PORTS, STRETCH = range(20_000, 32_000), 200
"""Below those the system gives to outgoing connections."""
_turn = itertools.count()


def free_port(row: int = 1) -> int:
    """The first of some ports in a row nobody listens on, now and in a moment: each process walks its own stretch."""
    first = PORTS.start + os.getpid() * STRETCH % len(PORTS)
    while True:
        turns = [next(_turn) % STRETCH for _ in range(row)]
        if turns[0] <= turns[-1] and all(is_free(first + turn) for turn in turns):
            return first + turns[0]


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the parts: what lately ended holds no port
        probe.bind(("127.0.0.1", port))
        return True
    return False


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def may_open(port: int) -> bool:
    """Whether this user may listen on a port: as a rule only root may below 1024.

    As servers ask for it: connections that ended a moment ago, such as a browser's to the page, keep nobody out.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return False
        except OSError:
            return True
        return True


def reached(host: str, port: int) -> bool:
    """Whether somebody listens there, on any machine."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False


@dataclass
class Server:
    """A program that listens on `port`. What it says goes to `log`."""

    command: list[str]
    env: dict[str, str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it and wait until it answers. Raises NotStarted."""
        # a server must not outlive the one who started it, however that one ends
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [*leash, *self.command], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + READY
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                raise NotStarted(f"{self.command[0]} does not answer on port {self.port}: {' | '.join(said)}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP to freeze it."""
        if self.process is not None:
            self.process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
