"""What a week of curves costs the status page: `python -m benchmarks.archive_page --json`.

A status process beside a broker, and an archive of a week at a sample a second of the devices of site.toml, whose
rollups are not made yet: the dearest case. The peak is what the kernel says of the process (VmHWM), before anybody
asked and after /api/series?hours=168.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

from benchmarks.archive_years import Life, write
from consumers.archive.migrate import migrate
from joulebus.broker import prepare
from joulebus.server import Server, free_port
from schemas.site_file import load_site
from schemas.units import utc_now

REPOSITORY = Path(__file__).resolve().parent.parent
HOURS = 168


def measure(folder: Path, poll: int = 1) -> dict[str, float]:
    """MB and seconds of one question for a week."""
    site = load_site(REPOSITORY / "site.toml")
    file = folder / "week.db"
    url = f"sqlite+aiosqlite:///{file}"
    migrate(url)
    life = Life(
        poll=poll, site_name=site.site, names=tuple(one.name for one in site.device), places=("p", "soc", "e_in")
    )
    end = utc_now().replace(second=0, microsecond=0)
    write(file, life, end - timedelta(hours=HOURS), end, ("telemetry",))
    secrets, page, health = prepare(folder / "broker", free_port()), free_port(), free_port()
    broker = Server(secrets.command, secrets.env, secrets.port, folder / "broker.log")
    broker.start()
    env = os.environ | {
        "JOULEBUS_BROKER": secrets.url("status"), "JOULEBUS_DATABASE": url, "JOULEBUS_STATE": str(folder),
        "JOULEBUS_HEALTH": f"127.0.0.1:{health}",
    }  # fmt: skip
    words = ["status", "--site", str(REPOSITORY / "site.toml"), "--page", f"127.0.0.1:{page}"]
    status = Server([sys.executable, "-m", "joulebus.cli", *words], env, page, folder / "status.log")
    try:
        status.start()
        if status.process is None:
            raise RuntimeError("the page did not start")
        time.sleep(3)
        before = _peak(status.process.pid)
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/api/series?hours={HOURS}", timeout=300) as answer:
            size = len(answer.read())
        took = time.monotonic() - began
        return {
            "series_168h_mb": round(_peak(status.process.pid), 1),
            "series_168h_idle_mb": round(before, 1),
            "series_168h_s": round(took, 2),
            "series_168h_answer_kb": round(size / 1e3, 1),
        }
    finally:
        status.stop()
        broker.stop()


def _peak(pid: int) -> float:
    """MB that a process had at most."""
    said = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in said.splitlines() if line.startswith("VmHWM")) * 1024 / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--poll", type=int, default=1, help="seconds between two samples of a device")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), wish.poll)
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<24} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
