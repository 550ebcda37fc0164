"""A story on a disk of its own that is so small that it fills: a tmpfs in a namespace, without any right of root."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def told_on(size: str, folder: Path, story: str) -> str:
    """What the story prints; `sys.argv[1]` is the folder, where a disk of that size is mounted. Skips where a namespace
    is not permitted."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    mount = f'mount -t tmpfs -o size={size} tmpfs "$1" || exit 77; exec "$2" -B -c "$3" "$1"'
    command = [unshare, "-rm", "sh", "-c", mount, "sh", str(folder), sys.executable, story]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"a namespace of our own is not permitted: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout
