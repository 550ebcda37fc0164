"""`joulebus limit` against the real broker and the real dispatch: it is answered, kept on disk, told and narrows."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.dispatch.service import run as dispatch
from joulebus import limit
from joulebus.cli import main
from runtime.part import Part
from runtime.settings import Settings, parse_broker, read_settings
from runtime.signature import signed
from schemas.messages import Authority, ControlLimits, GridLimitRequest, RequestOutcome
from schemas.site_file import load_site
from schemas.topics import COMMAND, CONTROL_LIMITS, CONTROL_OUTCOME, CONTROL_REQUEST, GRID_LIMIT
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.bridges.control.story import DEMO
from tests.conftest import Broker
from tests.ear import ear

KEY = "a key of the site that is long enough"


def site_file(folder: Path, name: str) -> Path:
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    sources = 'command_sources = { dispatch = "operator", operator = "operator", dso = "dso" }\n'
    text = text.replace('site = "demo"', f'site = "{name}"\n{sources}'.rstrip(), 1)
    (folder / "site.toml").write_text(text)
    return folder / "site.toml"


async def told(broker: Broker, keys: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Exit code of the command line, as a process of its own."""
    user = arguments[arguments.index("--as") + 1]
    env = {"PATH": "/usr/bin:/bin", "JOULEBUS_BROKER": broker.url(user), **keys}
    job = await asyncio.create_subprocess_exec(
        *(str(Path(__import__("sys").executable)), "-m", "joulebus.cli", "limit", *arguments),
        env=env, cwd=DEMO.parents[1], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await job.communicate()
    return job.returncode or 0, out.decode()


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_limit_is_sent_kept_and_told(broker: Broker, tmp_path: Path, site_name: str, key: str | None) -> None:
    file = site_file(tmp_path, site_name)
    site = load_site(file)
    settings = Settings(parse_broker(broker.url("dispatch"), "dispatch", None, {}), "", None, tmp_path, None, key)
    job = asyncio.create_task(dispatch(Part("dispatch", site, settings)))
    at, keys = {"site": site_name}, {} if key is None else {"JOULEBUS_COMMAND_KEY": key}
    async with ear(broker.url("admin"), CONTROL_LIMITS.at(**at), CONTROL_OUTCOME.at(**at)) as hears:
        try:
            await hears.until(CONTROL_LIMITS, lambda one: one.export_limit == 150e3)
            good = ("--site", str(file), "--feed-in", "60%", "--as", "dso", "--reason", "feed-in management")
            code, words = await told(broker, keys, *good)
            assert (code, words) == (0, "feed_in 60 %: followed\n")
            kept = json.loads((tmp_path / f"limits-{site_name}.json").read_text())
            assert [one["percent"] for one in kept["words"]] == [60.0], "on the disk before it was answered"
            said: ControlLimits = await hears.until(CONTROL_LIMITS, lambda one: one.export_limit == 90e3)
            assert (said.held[0].source, said.held[0].authority) == ("dso", Authority.DSO)
            code, words = await told(
                broker, keys, "--site", str(file), "--feed-in", "0%", "--as", "operator", "--authority", "dso"
            )
            assert (code, "authority: operator may claim operator at most" in words) == (1, True), words
            code, words = await told(broker, keys, "--site", str(file), "--as", "dso")
            assert (code, "feed_in 90 kW by dso as dso, asked: feed-in management" in words) == (0, True), words
            if key is not None:
                await _forged(broker, hears, file, at)
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)


async def test_who_limits_has_a_key_of_its_own(broker: Broker, tmp_path: Path, site_name: str) -> None:
    """Each limit in this story is well-formed and says 0 %; only its signature differs."""
    file, keys, dso, scada = site_file(tmp_path, site_name), tmp_path / "keys", "the key of the dso", "the key of scada"
    keys.write_text(f"# who limits\ndso={dso}\nscada={scada}\n")
    env = {"JOULEBUS_BROKER": broker.url("dispatch"), "JOULEBUS_STATE": str(tmp_path), "JOULEBUS_COMMAND_KEY": KEY}
    settings = read_settings("dispatch", env | {"JOULEBUS_LIMIT_KEYS_FILE": str(keys)})
    job = asyncio.create_task(dispatch(Part("dispatch", load_site(file), settings)))
    at = {"site": site_name}
    here, command = GRID_LIMIT.at(**at), COMMAND.at(**at, device="pcs")

    def wish(source: str) -> GridLimitRequest:
        return limit.request(limit.Wish(file, source, feed_in="0%"), load_site(file), utc_now())

    async with ear(broker.url("admin"), CONTROL_LIMITS.at(**at), CONTROL_OUTCOME.at(**at)) as hears:

        async def became_of(asked: GridLimitRequest, user: str = "dso") -> tuple[bool, str | None]:
            async with ear(broker.url(user)) as box:
                await box.bus.say(GRID_LIMIT, asked, expiry=10, **at)
            said: RequestOutcome = await hears.until(CONTROL_OUTCOME, lambda one: one.id == asked.id)
            return said.followed, said.cause

        try:
            await hears.until(CONTROL_LIMITS, lambda one: one.export_limit == 150e3)
            forged = (False, "signature")
            assert await became_of(wish("dso")) == forged, "unsigned"
            assert await became_of(signed(wish("dso"), here, scada), "scada") == forged, (
                "scada's key speaks for the dso"
            )
            assert await became_of(signed(wish("dso"), command, dso)) == forged, "signed for another topic"
            assert await became_of(signed(wish("dso"), GRID_LIMIT.at(site="other"), dso)) == forged, "for another site"
            assert await became_of(signed(wish("operator"), here, dso)) == forged, "who has no key has the command key"
            assert await became_of(signed(wish("operator"), here, KEY)) == (True, None)
            good = signed(wish("dso"), here, dso)
            assert await became_of(good) == (True, None)
            async with ear(broker.url("operator")) as box:  # the same words ask for nothing else
                await box.bus.send(CONTROL_REQUEST.at(**at), good.model_dump_json().encode())
            await hears.until(CONTROL_OUTCOME, lambda one: (one.followed, one.cause) == (False, "invalid"))
            keys.write_text(f"dso={scada}\n")
            assert await became_of(signed(wish("dso"), here, dso)) == forged, "its key was taken back"
            assert await became_of(signed(wish("dso"), here, scada)) == (True, None), "its new one counts at once"
            keys.unlink()
            assert await became_of(signed(wish("dso"), here, dso)) == forged, "a file that is lost opens nothing"
            environment = {"JOULEBUS_LIMIT_KEY": scada}
            code, words = await told(broker, environment, "--site", str(file), "--feed-in", "50%", "--as", "dso")
            assert (code, words) == (0, "feed_in 50 %: followed\n")
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)


async def _forged(broker: Broker, hears: Any, file: Path, at: dict[str, str]) -> None:  # an Ear
    wish = limit.request(limit.Wish(file, "dso", feed_in="0%"), load_site(file), utc_now())
    async with ear(broker.url("dso")) as box:
        await box.bus.say(GRID_LIMIT, wish, expiry=10, **at)
        said: RequestOutcome = await hears.until(CONTROL_OUTCOME, lambda one: one.id == wish.id)
    assert (said.followed, said.cause) == (False, "signature")


SIZES = {"60%": (None, 60.0), "4200 W": (4200.0, None), "4.2kW": (4200.0, None), "0%": (None, 0.0)}


@pytest.mark.parametrize("text", SIZES)
def test_sizes(text: str) -> None:
    assert limit.size(text) == SIZES[text]


WRONG: dict[str, tuple[list[str], str]] = {
    "no size": (["--feed-in", "much"], "write 60%, 42000W or 42kW"),
    "too much": (["--feed-in", "160%"], "percent"),
    "both": (["--feed-in", "60%", "--consumption", "1kW"], "give one of"),
    "no time": (["--feed-in", "60%", "--until", "soon"], "write 2026-06-21T18:00"),
    "an end in the past": (["--feed-in", "60%", "--until", "2020-01-01T00:00"], "until"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_typed_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    given, words = WRONG[what]
    assert main(["limit", "--site", str(site_file(tmp_path, "demo")), *given]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("lines", "warns"), [("export_limit = 0", False), ("export_limit = 0\ncurtail = false", True)])
def test_pv_that_nobody_limits_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: str, warns: bool
) -> None:
    file = site_file(tmp_path, "demo")
    file.write_text(file.read_text().replace("export_limit = 150_000", lines))
    assert main(["check", str(file)]) == 0
    words = "warning: pv can feed in 150 kW, export_limit is 0 kW, and nobody limits it: grid.curtail is false"
    assert (words in capsys.readouterr().out) == warns


def test_the_authority_is_the_most_that_a_source_may_claim(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path, "demo"))
    for source, authority in {
        "dso": Authority.DSO,
        "operator": Authority.OPERATOR,
        "stranger": Authority.OPERATOR,
    }.items():
        assert limit.request(limit.Wish(tmp_path, source, feed_in="60%"), site, utc_now()).authority is authority


def test_a_time_without_a_zone_is_the_sites(tmp_path: Path) -> None:
    site, now = load_site(site_file(tmp_path, "demo")), utc_now()
    noon = (now + timedelta(days=1)).astimezone(site.zone).replace(hour=12, minute=0, second=0, microsecond=0)
    wish = limit.Wish(tmp_path, "dso", feed_in="60%", until=f"{noon:%Y-%m-%dT%H:%M}")
    assert limit.request(wish, site, now).until == noon
    with pytest.raises(Trouble):
        limit.request(limit.Wish(tmp_path, "dso", feed_in="60%", until="12"), site, now)
