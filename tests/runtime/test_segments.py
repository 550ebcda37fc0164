"""Rows of commands and outcomes as bytes, and as runs: pure."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.segments import pack, runs, unpack

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
Row = tuple[str, dict[str, Any]]

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # given it there
NAMES = st.text("ab-0123456789", min_size=1, max_size=9)
BODIES = st.sampled_from(
    ["{}", "[]", "1e400", "nonsense \n\x00", '{"reason":"grün","values":{"p_set":1.50}}', '{"values":7}']
)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """As they may stand in the tables after anybody wrote to them; most with a body that says the same."""
    found: list[Row] = []
    for kind in draw(st.lists(st.sampled_from(["command", "outcome", "earlier"]), max_size=8)):
        at = draw(MOMENTS)
        row: dict[str, Any] = {"site": "x", "device": draw(NAMES), "at": at, "id": draw(NAMES)}
        if kind == "outcome":
            row["state"] = draw(st.sampled_from(["applied", "refused"]))
        else:
            row |= {"until": at + timedelta(seconds=draw(st.floats(0.001, 99))), "source": "d", "authority": "plan"}
        said = {name: f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value
                for name, value in row.items() if name not in ("site", "device")}  # fmt: skip
        row["body"] = draw(BODIES | st.just(json.dumps(said)))
        found.append((kind, row))
    return found


@given(rows())
def test_whatever_stands_in_the_tables_comes_out_again_letter_by_letter(found: list[Row]) -> None:
    if found:
        assert unpack("x", pack("x", found)) == found


@given(rows())
def test_each_command_is_in_one_run_with_its_time_its_id_and_its_outcomes(found: list[Row]) -> None:
    told = sorted(
        (run["device"], f"{run['prefix']}{item[0]}", run["at"] + timedelta(microseconds=item[1]), len(item[3]))
        for run in runs(found)
        for item in json.loads(run["items"])
    )
    ends = [(row["device"], row["id"]) for kind, row in found if kind == "outcome"]
    assert told == sorted(
        (row["device"], row["id"], row["at"], ends.count((row["device"], row["id"])))
        for kind, row in found
        if kind != "outcome"
    )


@pytest.mark.parametrize("packed", [b"", b"x", pack("x", [])])
def test_what_is_no_segment_is_said(packed: bytes) -> None:
    with pytest.raises(ValueError, match="its rows cannot be read"):
        unpack("x", packed)
