"""A bridge without a broker, before devices whose registers hold their own addresses."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridges.served import devices
from bridges.service import Bridge
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Telemetry
from schemas.site_file import load_site

KINDS = ("pcs", "bms", "meter")
PROFILE = """\
make = "Test"
model = "addresses"
kind = "{kind}"
source = "tests/bridges/liar.py"
frozen_after = 0.0
line = {{ timeout = {timeout} }}
[points]
a = {{ register = 100 }}
b = {{ register = 101 }}
c = {{ register = 300, rate = "slow" }}
d = {{ register = 400, rate = "slow" }}
"""
SITE = """\
site = "alone"
tariff = "tariff.toml"
mode = "read_only"
[grid]
meter = "d2"
import_limit = 500_000
export_limit = 0
[battery]
pcs = "d0"
bms = "d1"
energy = 200_000
"""
TRUTH = {"a": 100.0, "b": 101.0, "c": 300.0, "d": 400.0}


@dataclass
class Alone:
    """What the bridge read, and when by the monotonic clock."""

    bridge: Bridge
    began: float = field(default_factory=time.monotonic)
    seen: dict[str, list[tuple[float, Telemetry]]] = field(default_factory=dict)

    def note(self, device: str, sample: Telemetry, began: float) -> None:
        """In the place of the latest values'."""
        self.seen.setdefault(device, []).append((began, sample))

    def count(self, device: str) -> int:
        return len(self.seen.get(device, []))


@contextlib.asynccontextmanager
async def alone(
    folder: Path, addresses: Sequence[str], *, poll: float = 0.1, patience: float = 1.0
) -> AsyncIterator[Alone]:
    """One device at each address, unit 1 and up; three kinds, because a site has them."""
    (folder / "profiles").mkdir()
    for kind in KINDS:
        (folder / "profiles" / f"{kind}.toml").write_text(PROFILE.format(kind=kind, timeout=patience), encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    blocks = [SITE]
    for number, address in enumerate(addresses):
        rated = "rated_power = 1000\n" if number == 0 else ""
        blocks.append(
            f'[[device]]\nname = "d{number}"\nprofile = "{KINDS[min(number, 2)]}"\naddress = "{address}"\n'
            f"unit = {number + 1}\npoll = {poll}\n{rated}"
        )
    (folder / "site.toml").write_text("\n".join(blocks), encoding="utf-8")
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, folder)
    part = Part("bridge", load_site(folder / "site.toml"), settings)
    bridge = Bridge(part, devices(part))
    it = Alone(bridge)
    bridge.latest.note = it.note  # type: ignore[method-assign]  # nothing is decided by what a watched site says
    reading = asyncio.create_task(bridge.serve())
    try:
        yield it
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        bridge.close()
