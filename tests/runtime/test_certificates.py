"""Certificates that end soon, beside a real broker with TLS: which one is named, and that a renewed one is seen."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runtime import certificates
from runtime.bus import Bus
from runtime.certificate_ends import ends
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Cause
from schemas.site_file import load_site
from tests.chaos.certificates import date
from tests.conftest import Broker

SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")
SOON, LATE = {"since": 1.0, "days": 11.0}, {"since": 1.0, "days": 90.0}
END = f"{datetime.now(UTC) + timedelta(days=10):%Y-%m-%d}"


async def until(wanted: Callable[[], bool], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not wanted():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _of_many_authorities(bundle: Path, kept: Path) -> None:
    """The one counts that has signed the broker's certificate; while that is not known, none of several."""
    door = parse_broker("mqtts://h", "bridge", None, {"JOULEBUS_BROKER_CA": str(bundle)})
    own, server = (kept / "ca.crt").read_bytes(), (kept / "server.crt").read_bytes()
    shown = ssl.PEM_cert_to_DER_cert(server.decode())
    for held, knows, knows_none in ((own, True, True), (server + own, True, False), (b"none", False, False)):
        bundle.write_bytes(held)
        assert (f"the authority {bundle}" in ends(door, shown, {})) is knows
        assert bool(ends(door, None, {})) is knows_none
    assert not ends(door, b"no certificate", {"x": bundle / "absent"})


async def _work(_: Bus) -> None:
    await asyncio.Event().wait()


async def test_who_is_connected_says_what_ends_and_sees_that_it_was_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK", 0.2)
    monkeypatch.setattr(certificates, "FIRST", 0.1)
    broker = Broker(tmp_path / "broker", tls=True)
    kept = broker.secrets.folder / "secrets"
    mine = kept / "clients" / "bridge.crt"
    _of_many_authorities(tmp_path / "bundle.crt", kept)
    files = {"CA": kept / "ca.crt", "CERT": mine, "KEY": mine.with_suffix(".key")}
    env = {f"JOULEBUS_BROKER_{what}": str(path) for what, path in files.items()}
    date(kept, "server", **SOON)
    await asyncio.to_thread(broker.start)
    door = parse_broker(f"mqtts://127.0.0.1:{broker.tls_port}", "bridge", None, env)
    part = Part("bridge", SITE, Settings(door, "", None, tmp_path, watch_certificates={"the page": kept / "page.crt"}))
    running = asyncio.create_task(part.run(_work))
    try:
        await until(lambda: part.causes.words == f"the broker's certificate ends on {END}")
        assert part.status().causes == [Cause.CERTIFICATE]
        assert part.ready
        assert part.causes.ready
        date(kept, "clients/bridge", **SOON)
        (kept / "page.crt").write_bytes(mine.read_bytes())
        both = f"; the certificate {mine} ends on {END}; the certificate {kept / 'page.crt'} of the page ends on {END}"
        await until(lambda: part.causes.words.endswith(both))
        (kept / "page.crt").unlink()
        date(kept, "clients/bridge", **LATE)
        date(kept, "server", **LATE)
        await asyncio.sleep(0.5)
        assert part.causes.words == f"the broker's certificate ends on {END}", "the broker has not read the new one yet"
        broker.send(signal.SIGHUP)
        await until(lambda: not part.causes.names)
        assert part.ready, "the connection was not lost for it"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(broker.stop)
