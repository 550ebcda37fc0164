"""The link of a message: what it shows, what it does, and whom it refuses."""

import asyncio
import contextlib
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.status.acknowledge import Links
from consumers.status.app import create_app
from consumers.status.door import LARGEST
from consumers.status.service import Listener
from consumers.status.state import State
from runtime.ack_link import FORGED, BadLink, Claim, make_token, read_token
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Alarm, AlarmState
from schemas.site_file import load_site
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.notified import KEY, alarm
from tests.consumers.test_alarms_service import WARM, everyone, on_the_bus, running, site_file
from tests.consumers.test_status_api import TOKEN, Said, curves
from tests.consumers.test_status_state import page_site

__all__ = ["site_file"]  # a fixture
RAISED = alarm()
SINCE = RAISED.since


def claim(**more: object) -> Claim:
    plain: dict[str, object] = {"site": "plant", "alarm": "hot-bms1", "since": SINCE, "person": "anna"}
    return Claim.model_validate(plain | {"until": utc_now() + timedelta(hours=1)} | more)


def app_of(state: State, said: Said) -> httpx.AsyncClient:
    links = Links(state, KEY, said.publish)
    app = create_app(state.site, dict, curves, said.publish, token=TOKEN, links=links)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("192.0.2.7", 4711)), base_url="http://ems.example"
    )


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(page_site(tmp_path), broker=True, alarms={"hot-bms1": RAISED})


FOREIGN = "0123456789abcdef" * 2
LINKS: dict[str, tuple[Claim, str, Alarm | None, int, str]] = {
    "it is as it was": (claim(), KEY, RAISED, 200, "Acknowledge as anna"),
    "another key": (claim(), FOREIGN, RAISED, 403, "was not made by this site"),
    "another site": (claim(site="other"), KEY, RAISED, 403, "belongs to another site"),
    "expired": (claim(until=utc_now() - timedelta(seconds=1)), KEY, RAISED, 403, "has expired"),
    "raised anew": (claim(since=SINCE - timedelta(hours=1)), KEY, RAISED, 409, "was raised anew"),
    "over": (claim(), KEY, None, 409, "this alarm is over".capitalize()),
    "acknowledged": (
        claim(), KEY, RAISED.model_copy(update={"state": AlarmState.ACKNOWLEDGED, "by": "ben"}), 409,
        "acknowledged by ben: there is nothing to acknowledge"),
    "shelved": (
        claim(), KEY, RAISED.model_copy(update={"state": AlarmState.SHELVED}), 409, "is shelved"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
async def test_a_link_that_is_opened_shows_and_never_acknowledges(name: str, state: State) -> None:
    said, (what, key, there, status, words) = Said(), LINKS[name]
    state.alarms = {} if there is None else {"hot-bms1": there}
    async with app_of(state, said) as client:
        address = f"/ack/{make_token(what, key)}"
        for _ in range(2):
            shown = await client.get(address)
            assert (shown.status_code, words in shown.text) == (status, True), shown.text
            assert shown.headers["cache-control"] == "no-store"
        assert said.orders == []
        if status != 200:
            assert (await client.post(address)).status_code == status
            assert said.orders == []


async def test_the_address_is_no_door_to_anything_else(state: State) -> None:
    said = Said()
    async with app_of(state, said) as client:
        assert (await client.post("/ack/nothing")).status_code == 403
        assert (await client.post(f"/ack/{make_token(claim(), KEY)}/x")).status_code == 404
        assert (await client.post("/ack/../api/alarms/hot-bms1", content=b"{}")).status_code in (401, 404)
        assert (await client.post("/ack/x", content=b"x" * (LARGEST + 1))).status_code == 413
        state.broker = False
        assert (await client.post(f"/ack/{make_token(claim(), KEY)}")).status_code == 503
    assert said.orders == []


async def test_the_alarm_is_acknowledged_as_who_got_the_message_once(
    broker: Broker, site_file: Path, site_name: str
) -> None:
    """With the real alarm service; the browser sends no origin, for the page's referrer policy hides it."""
    settings = Settings(parse_broker(broker.url("status"), "status", None, {}), database="", ack_key=KEY)
    listener = Listener(Part("status", load_site(site_file), settings))
    async with running(broker, site_file), everyone(broker, site_name) as (plant, _, ear):
        await plant.until_heard("bms1", WARM, ear, cell_t_max=31.0)
        async with on_the_bus(broker, "status") as bus:
            work = asyncio.create_task(listener.work(bus))
            async with asyncio.timeout(10):
                while WARM not in listener.state.alarms:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            told = claim(site=site_name, alarm=WARM, since=ear.last(WARM).since)
            address = f"/ack/{make_token(told, KEY)}"
            links = Links(listener.state, KEY, listener.publish)
            app = create_app(listener.state.site, listener.view, curves, listener.publish, token=TOKEN, links=links)
            transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="https://ems.example") as client:
                answers = await asyncio.gather(*(client.post(address, headers={"origin": "null"}) for _ in range(2)))
            assert sorted(one.status_code for one in answers) == [200, 409]
            assert any("Acknowledged by anna" in one.text for one in answers)
            assert any("This link was used" in one.text for one in answers)
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        await ear.hears(WARM, "unacknowledged", "acknowledged")
        assert (ear.last(WARM).by, ear.last(WARM).why) == ("anna", "by the link of a message")


@given(st.integers(0, 400), st.sampled_from("abcXYZ019-_.=/ "))
def test_a_link_with_any_letter_changed_is_refused(place: int, letter: str) -> None:
    token = make_token(claim(), KEY)
    changed = token[: place % len(token)] + letter + token[place % len(token) + 1 :]
    if changed != token:
        with pytest.raises(BadLink, match="was not made by this site"):
            read_token(changed, KEY, "plant", utc_now())


@given(st.text(max_size=300))
def test_whatever_stands_in_a_link_it_is_refused_in_words(token: str) -> None:
    with pytest.raises(BadLink) as refused:
        read_token(token, KEY, "plant", datetime.now(tz=SINCE.tzinfo))
    assert str(refused.value) == FORGED
