"""The benchmark runs, measures, and a small load is no load."""

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
    command = [sys.executable, str(BENCHMARK), "--json", "--devices", "20", "--seconds", "3", "--warm", "5"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert len(said) == 1
    found = json.loads(said[0])
    assert list(found) == NAMES
    assert found["on_time_share"] >= 0.9
    assert found["latency_ms_p50"] < 100
    assert found["rss_mb"] < 60
