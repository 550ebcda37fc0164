"""The dynamic program runs where nothing can be written: no crash, no warning, the same machine code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
from numba import float64
from optimizer.policy.compiled import compiled

@compiled(float64(float64))
def twice(x):
    return 2 * x
"""


@pytest.mark.parametrize("kept", [True, False], ids=["a folder that can be written", "none"])
def test_it_is_kept_where_it_can_be_and_made_anew_where_not(tmp_path: Path, kept: bool) -> None:
    """Beside its source, or nowhere: the folders are files where nothing can be kept, which also stops root."""
    (tmp_path / "numbers_twice.py").write_text(SOURCE)
    if not kept:
        (tmp_path / "__pycache__").write_text("a file where a folder should be")
    (tmp_path / "home").write_text("")
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}",
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home"),
    }
    program = [sys.executable, "-W", "error", "-c", "import numbers_twice; print(numbers_twice.twice(21.0))"]
    ran = subprocess.run(program, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "42.0\n", "")
    assert any(tmp_path.glob("__pycache__/*.nbi")) is kept
