"""Oracles outside of this house: words of real devices, or worked out by hand, decode to known values."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridges.fieldbus.modbus.blocks import Words, locate, values
from schemas.profile import Grade
from schemas.profiles import PROFILES, load_profile

RECORDINGS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parents[2] / "recordings").glob("*.toml")
}


def image(recording: dict[str, Any], function: int) -> Words:
    return {
        (function, block["start"] + place): int(word, 16)
        for block in recording["block"]
        for place, word in enumerate(block["words"].split())
    }


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_a_recording_decodes_to_what_its_source_says(name: str) -> None:
    recording = RECORDINGS[name]
    profile = load_profile(recording["profile"])
    bases = {int(model): base for model, base in recording.get("bases", {}).items()}
    seen = values(locate(profile, bases), image(recording, profile.function), profile)
    assert seen.keys() == recording["values"].keys()
    for point, wanted in recording["values"].items():
        assert seen[point] == (pytest.approx(wanted, rel=1e-6) if isinstance(wanted, float) else wanted), point
    assert recording["source"]
    assert recording["how"]


def test_a_grade_is_earned() -> None:
    earned = {one["profile"] for one in RECORDINGS.values() if one["device"]}
    graded = {path.stem for path in PROFILES.glob("*.toml") if load_profile(path.stem).grade is not Grade.LISTED}
    assert graded == earned
