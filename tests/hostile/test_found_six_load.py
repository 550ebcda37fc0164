"""Under load and over time: what a counter says of a healthy site, what a round costs, who waits for whom."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from consumers.archive.rows import sort_out
from consumers.archive.service import Archive
from consumers.archive.store import Kept
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas import topics
from schemas.billing import BilledComponent
from schemas.messages import Event, Outcome, OutcomeState, Telemetry
from schemas.site_file import load_site

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SITE = load_site(Path(__file__).parents[1] / "one_battery.toml")
DEVICE = {"site": SITE.site, "device": "pcs"}


def heard(topic: topics.Topic[Any], place: dict[str, str], message: Any) -> Heard[Any]:
    return Heard(topic, place, message, "", message.model_dump_json().encode(), False, 1)


def test_what_is_told_as_an_event_too_is_no_duplicate_of_a_sample(tmp_path: Path) -> None:
    """On a healthy site a third of all samples seemed to come twice: each command and outcome was counted as one, which
    is said live and as an event. A line that is so bad that samples are sent again was not seen beside them."""
    outcome = Outcome(id="c1", at=NOON, state=OutcomeState.APPLIED, applied={"p_set": 5.0})
    said = topics.OUTCOME.at(**DEVICE)
    event = Event(at=NOON, epoch="0" * 16, seq=7, topic=said, payload=outcome.model_dump(mode="json"))
    sample = Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"p": 1.0})
    batch = [
        heard(topics.TELEMETRY, DEVICE, sample),
        heard(topics.TELEMETRY, DEVICE, sample),
        heard(topics.OUTCOME, DEVICE, outcome),
        heard(topics.SERVICE_EVENT, {"site": SITE.site, "service": "bridge"}, event),
    ]
    broker = parse_broker("mqtt://archive:x@127.0.0.1:1", "archive", None, {})
    part = Part("archive", SITE, Settings(broker, f"sqlite+aiosqlite:///{tmp_path}/archive.db", None, tmp_path))
    entries, twins = sort_out(batch, NOON)
    assert [entry.table.name for entry in entries] == ["outcome", "telemetry"]
    Archive(part, None)._count(batch, Kept(), twins)  # type: ignore[arg-type]  # it stores nothing here
    assert part.counts["duplicates"] == 1


def test_a_word_about_billing_whose_window_is_no_window_is_refused() -> None:
    """The page adds `minutes` to a moment: one retained message with a length of millions of years, from a program with
    a mistake, and no reader saw the page again until somebody cleared the topic."""
    said = {
        "name": "demand",
        "minutes": 2**50,
        "window_start": NOON,
        "window_end": NOON,
        "imported": 0.0,
        "covered": 0.0,
    }
    said |= {
        "imported": 0.0,
        "covered": 0.0,
        "per": "month",
        "period_start": NOON,
        "period_end": NOON,
        "price": 1.0,
        "currency": "EUR",
    }
    with pytest.raises(ValidationError, match="minutes"):
        BilledComponent.model_validate(said)
    assert BilledComponent.model_validate(said | {"minutes": 15}).minutes == 15
