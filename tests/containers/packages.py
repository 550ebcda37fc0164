"""What Debian's packages are made into, by mmdebstrap: the roots of stand-in images, and compose 2."""

import shutil
import subprocess
from pathlib import Path

from joulebus.neighbours import REPOSITORY

HERE = Path(__file__).parent
KEPT = REPOSITORY / ".run" / "containers"
"""What was made, for the next time: `make clean` forgets it."""
ROOTS = {
    "python": ("bookworm", "python3,python3-venv,python3-pip,ca-certificates"),
    "mosquitto": ("forky", "mosquitto,netcat-openbsd"),
    "mariadb": ("bookworm", "mariadb-server"),
}
"""By the name of a folder beside this file: the release of Debian, and the packages."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def root(name: str) -> Path:
    """The archive of a whole system with these packages. Raises subprocess.CalledProcessError."""
    release, packages = ROOTS[name]
    return _made(KEPT / f"{name}.tar", release, packages, "minbase")


def compose() -> list[str]:
    """Compose 2 as a command: that of this machine, else Debian's. Raises subprocess.CalledProcessError."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]):
            asked = subprocess.run([*words, "version", "--short"], capture_output=True, text=True, check=False)
            if asked.stdout.lstrip("v").startswith("2."):
                return words
    folder = _made(KEPT / "compose", "trixie", "docker-compose", "extract")
    return [str(next(path for path in folder.rglob("docker-compose") if path.is_file() and path.stat().st_size > 1e6))]


def _made(place: Path, release: str, packages: str, variant: str) -> Path:
    if not place.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f"new-{place.name}")
        shutil.rmtree(new, ignore_errors=True)
        # A mirror may be a copy of some weeks ago: testing's lists then say they are too old.
        words = ["mmdebstrap", "--quiet", f"--variant={variant}", '--aptopt=Acquire::Check-Valid-Until "false"']
        words += ["--dpkgopt=path-exclude=/usr/share/doc/*", f"--include={packages}", release, str(new)]
        subprocess.run(words, check=True)
        new.rename(place)
    return place
