"""Stories of alarms as rows: what a device says, who asks, and what SCADA must see. And the site file of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.consumers.test_alarms_catalog import METER

PULSE = "pulse"
"""A device that is wrong each second second: by its alarm it is seen how late the service is."""
PROFILE = """
make = "ACME"
model = "room"
kind = "sensor"
source = "made up for tests"
[points]
x = { register = 0, scale = 0.1, unit = "%" }
y = { register = 1, scale = 0.1, unit = "%" }
"""
SITE = """
site = "{name}"
mode = "read_only"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 100e3, export_limit = 0.0 }}
[[device]]
name = "grid"
profile = "meter"
address = "tcp://127.0.0.1:502"
"""
DEVICE = """
[[device]]
name = "{d}"
profile = "room"
address = "tcp://127.0.0.1:503"
unit = {unit}
"""
HOT = """
[[alarm]]
name = "hot"
device = "{d}"
point = "x"
above = 30
{rule}
"""


@dataclass(frozen=True)
class Row:
    """One story of one device."""

    told: str
    """What its bridge says each second, such as `0*3 50 50? - 0`: x, x of bad quality, nothing at all; `50/1` is x and
    y, `B` an hour of x = 99 out of the outbox and then 0 now. The last one goes on."""
    sees: str | dict[str, str] = ""
    """What SCADA sees of `hot`, or of each alarm: `6 unacknowledged from 3, 7 returned`. `~`: within a second, by the
    clock; `from`: since when its condition is there; `+` and `-`: whether it is there, where the state does not say."""
    rule: str = ""
    """More of the rule `hot`: x above 30."""
    more: str = ""
    """Further tables of the site file; `{d}` is the device."""
    asks: Sequence[str] = ()
    """`3 operator shelve 5 -> followed`: who asks for what at second 3, for 5 s, and what becomes of it: `followed`, a
    cause, or `forbidden` by the broker. `stale`, `ahead` and `retained` before the action say how it is sent."""


@dataclass(frozen=True)
class Reading:
    values: dict[str, float]
    good: bool = True
    hour: bool = False
    """Behind an hour of history."""


def readings(told: str) -> list[Reading | None]:
    """One each second; None where nothing is said."""
    found: list[Reading | None] = []
    for word in told.split():
        text, _, times = word.partition("*")
        found += [_reading(text)] * int(times or 1)
    return found


def _reading(text: str) -> Reading | None:
    if text == "-":
        return None
    if text == "B":
        return Reading({"x": 0.0, "y": 0.0}, hour=True)
    x, _, y = text.rstrip("?").partition("/")
    return Reading({"x": float(x), "y": float(y or 0)}, good=not text.endswith("?"))


def site_file(folder: Path, name: str, rows: dict[str, Row], more: str = "") -> Path:
    """A site with a device for each row, by the row's name."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "room.toml").write_text(PROFILE, encoding="utf-8")
    (folder / "profiles" / "meter.toml").write_text(METER, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    devices = "".join(DEVICE.format(d=d, unit=unit) for unit, d in enumerate([*rows, PULSE], 1))
    rules = HOT.format(d=PULSE, rule="") + "".join(
        HOT.format(d=d, rule=row.rule) + row.more.replace("{d}", d) for d, row in rows.items()
    )
    path = folder / "site.toml"
    path.write_text(SITE.format(name=name) + devices + rules + more, encoding="utf-8")
    return path
