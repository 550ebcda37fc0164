"""What the page says of a device's values, in words that people say."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.status.state import Moment, State, fold
from consumers.status.view import view
from schemas.labels import LABELS, label
from schemas.messages import ControlMode, Mode, Telemetry
from schemas.messages import Value as Said
from schemas.site_file import load_site
from schemas.topics import CONTROL_MODE, TELEMETRY
from schemas.units import Quality

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = Moment(NOON, 0.0)
SITE = load_site(Path(__file__).parents[2] / "site.toml")


def seen(device: str, values: Mapping[str, Said], quality: Mapping[str, Quality] | None = None) -> dict[str, Any]:
    state = State(SITE, broker=True)
    said = Telemetry(at=NOON, epoch="0" * 16, seq=1, values=dict(values), quality=dict(quality or {}))
    fold(state, TELEMETRY, {"site": SITE.site, "device": device}, said, NOW)
    (found,) = (one for one in view(state, NOW)["devices"] if one["device"] == device)
    return dict(found)


@pytest.mark.parametrize(
    ("device", "values", "words"),
    [
        ("coldstore", {"switch": 0.0}, {"Switch": "on"}),  # its contact opens to switch it on
        ("coldstore", {"switch": 1.0}, {"Switch": "off"}),
        ("pump", {"switch": 1.0}, {"Switch": "on"}),
        ("bms2", {"soc": 36.0, "alarms": ["cell_t_high"]}, {"State of charge": 36.0}),
        ("pcs2", {"p": 0.0, "state": "running"}, {"Power": 0.0, "State": "running"}),  # no cabinet that it never gave
        ("pcs2", {"state": "running"}, {"Power": None, "State": "running"}),
    ],
)
def test_a_value_is_said_by_its_name_and_what_was_never_given_is_left_out(
    device: str, values: dict[str, Said], words: dict[str, object]
) -> None:
    found = {one["label"]: one["value"] for one in seen(device, values)["values"] if one["point"] != "alarms"}
    assert found == words


def test_a_meter_beside_that_of_the_grid_buys_nothing() -> None:
    """`Energy bought` stood at the meter of a load and of the PV, too: a label is right at each device."""
    said = {label(f"e_{way}") for way in ("import", "export")}
    assert said == {"Energy imported", "Energy exported"}
    assert not [one for one in LABELS.values() if re.search(r"\b(bought|sold|fed in)\b", one) and "eactive" not in one]


def test_what_cannot_be_believed_is_said_in_words() -> None:
    assert seen("meter", {"p": 1.0}, {"p": Quality.FROZEN})["doubts"] == "Power does not move"
    assert seen("meter", {"p": 1.0})["said"] == "meter"


@pytest.mark.parametrize(
    ("mode", "pcs", "why"),
    [
        (Mode.LOCKOUT, "standby", ""),
        (Mode.LOCKOUT, "running", "hall's PCS (pcs) is running: ask for a lockout first"),
        (Mode.LOCAL, "standby", "anna steers at the device"),
        (Mode.AUTO, None, "hall's PCS (pcs) is silent"),
        (None, "standby", "dispatch was not heard"),
    ],
)
def test_a_grid_mode_that_cannot_be_says_why(mode: Mode | None, pcs: str | None, why: str) -> None:
    state = State(SITE, broker=True)
    if pcs is not None:
        said = Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"state": pcs})
        fold(state, TELEMETRY, {"site": SITE.site, "device": "pcs"}, said, NOW)
    if mode is not None:
        fold(state, CONTROL_MODE, {"site": SITE.site}, ControlMode(at=NOON, mode=mode, who="anna"), NOW)
    (hall,) = view(state, NOW)["grid_modes"]
    assert hall["battery"] == "hall"
    assert (hall["grid_forming"] == "") is (why == "")
    assert why in hall["grid_forming"]
