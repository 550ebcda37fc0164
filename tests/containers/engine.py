"""The engine the containers run in: the one that runs here, else a dockerd of our own in one folder."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.containers.packages import AUTHORITIES, HERE, root

PATIENCE = 60.0
"""Seconds a dockerd may take to start, or to end."""
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


class Impossible(RuntimeError):
    """No container can be started here; says what is missing."""


@dataclass(frozen=True)
class Engine:
    env: dict[str, str]
    own: bool
    """Started by us, for us alone."""

    def docker(self, *words: str | Path) -> str:
        """What docker prints. Raises subprocess.CalledProcessError."""
        env = self.env | {"DOCKER_BUILDKIT": "0"}  # the other builder is a plug-in, which may not be here
        return subprocess.run(["docker", *words], env=env, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Raises Impossible."""
    found = Engine({**os.environ}, own=False)
    if not shutil.which("docker"):
        raise Impossible("docker is not here: apt-get install docker.io")
    with suppress(subprocess.CalledProcessError):
        found.docker("version")
        yield found
        return
    if missing := [name for name in ("dockerd", "mmdebstrap", "iptables") if not shutil.which(name)]:
        raise Impossible(f"no engine runs, and {', '.join(missing)} is not here: apt-get install docker.io mmdebstrap")
    if os.geteuid() != 0:
        raise Impossible("no engine runs, and only root can start one")
    with _dockerd(folder) as own:
        yield own


@contextmanager
def _dockerd(folder: Path) -> Iterator[Engine]:
    socket = f"unix://{folder}/socket"
    places = [f"--{name}={folder / name}" for name in ("data-root", "exec-root", "pidfile")]
    own = Engine({**os.environ, "DOCKER_HOST": socket}, own=True)
    forwards = FORWARD.read_text(encoding="ascii")
    rules = _rules()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["dockerd", f"--host={socket}", "--bridge=none", *places], stdout=log, stderr=log)
    try:
        _wait(own, process, folder / "log")
        yield own
    finally:
        process.terminate()
        process.wait(PATIENCE)
        for left in (folder / "exec-root" / "netns").glob("*"):  # dockerd leaves that of the machine's own network
            subprocess.run(["umount", left], check=True)
        _restore(rules)
        FORWARD.write_text(forwards, encoding="ascii")


def _wait(own: Engine, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with suppress(subprocess.CalledProcessError):
            own.docker("version")
            return
        time.sleep(0.5)
    raise Impossible(f"dockerd does not start here: {log.read_text(encoding='utf-8')[-500:]}")


def _rules() -> str:
    return subprocess.run(["iptables-save"], check=True, capture_output=True, text=True).stdout


def _restore(before: str) -> None:
    """What our engine left in the firewall is taken out again; what others have put there meanwhile stays."""
    policy = re.search(r"^:FORWARD (\w+)", before[before.find("*filter") :], re.MULTILINE)
    kept = [line for line in _rules().splitlines() if not re.search(r"DOCKER|docker0|\bbr-[0-9a-f]{12}\b", line)]
    text = "\n".join(kept) + "\n"
    filters = text.find("*filter")
    text = text[:filters] + re.sub(r":FORWARD \w+", f":FORWARD {policy[1] if policy else 'ACCEPT'}", text[filters:])
    subprocess.run(["iptables-restore"], input=text, text=True, check=True)


def provide_images(docker: Engine, wanted: dict[str, str]) -> None:
    """By the stand-in's name the image that must be there. Raises Impossible, subprocess.CalledProcessError."""
    for name, image in wanted.items():
        with suppress(subprocess.CalledProcessError):
            docker.docker("image", "inspect", image)
            continue
        if docker.own:
            _stand_in(docker, name, image)
            continue
        try:
            docker.docker("pull", "--quiet", image)
        except subprocess.CalledProcessError as wrong:
            raise Impossible(f"the engine that runs here has no {image} and gets none: {wrong.stderr}") from wrong


def _stand_in(docker: Engine, name: str, image: str) -> None:
    docker.docker("import", root(name), f"joulebus-standin/{name}")
    with TemporaryDirectory() as folder:
        context = Path(shutil.copytree(HERE / name, Path(folder) / name))
        shutil.copy(AUTHORITIES, context)
        docker.docker("build", "--quiet", "--network=host", "--tag", image, context)
