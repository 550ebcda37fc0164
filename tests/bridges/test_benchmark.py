"""The benchmark runs and measures; how fast is for the machine it runs on, not for a test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bridge.py"
NAMES = [
    "on_time_share",
    "cpu_ms_per_1000_points",
    "bare_loop_cpu_ms_per_1000_points",
    "rss_mb",
    "latency_ms_p50",
    "latency_ms_p99",
]


@pytest.mark.slow
def test_one_line_of_numbers() -> None:
    command = [sys.executable, str(BENCHMARK), "--json", "--devices", "20", "--seconds", "3", "--warm", "1"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert len(said) == 1
    found = json.loads(said[0])
    assert list(found) == NAMES
    assert 0 < found["on_time_share"] <= 1
    assert 0 < found["latency_ms_p50"] <= found["latency_ms_p99"]
    assert all(value > 0 for value in found.values())
