"""One wire has one spelling, and one set of settings: two masters on it would talk into each other."""

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.address import parse_address, spelled
from schemas.site import Site
from schemas.site_device import Device
from schemas.site_file import load_site
from schemas.troubles import Trouble

DEMO = Path(__file__).parents[2] / "tests" / "one_battery.toml"
SERIAL = "rtu:///dev/ttyUSB0?baud=9600&parity=N&stop=1"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("tcp://10.0.0.2:502", "tcp://10.0.0.2:502"),
        ("tcp://Meter.Local.:0502", "tcp://meter.local:502"),
        ("rtu+tcp://GW:4001", "rtu+tcp://gw:4001"),
        ("tcp://[FE80:0::1]:502", "tcp://[fe80::1]:502"),
        ("rtu:///dev/ttyUSB0", SERIAL),
        ("rtu:////dev//ttyUSB0?stop=1", SERIAL),
        ("rtu:///dev/ttyUSB0?parity=N&stop=1&baud=9600", SERIAL),
        ("rtu:///dev/ttyUSB0?&parity=N", SERIAL),
    ],
)
def test_a_spelling(text: str, right: str) -> None:
    assert spelled(text) == right
    assert spelled(right) == right, "once is enough"
    assert Device(name="a", profile="x", address=text).address == right


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tcp://a:0", "port 0 does not exist: there are 1 to 65535; write tcp://a:502"),
        ("tcp://a:99999", "port 99999 does not exist: there are 1 to 65535; write tcp://a:502"),
        ("rtu+tcp://a:65536", "port 65536 does not exist"),
        ("tcp://a", "after tcp:// come a host and a port and nothing else, not 'a'; write tcp://192.0.2.10:502"),
        ("tcp://a:502/3", "not 'a:502/3'; write tcp://192.0.2.10:502 (the unit is a key of its own: unit = 1)"),
        ("tcp://me@a:502", "after tcp:// come a host and a port"),
        ("tcp://a b:502", "after tcp:// come a host and a port"),
        ("http://a:80", "'http://a:80' is not an address; write tcp://192.0.2.10:502, rtu+tcp"),
        ("10.0.0.2:502", "'10.0.0.2:502' is not an address"),
        ("tcp:a:502", "'tcp:a:502' is not an address"),
        ("rtu://dev/ttyUSB0", "'dev/ttyUSB0' is not a device file: three slashes lead to one; write rtu:///dev/tty"),
        ("rtu:///", "'/' is not a device file"),
        ("rtu:///dev/a?speed=9600", "setting 'speed' is not known: a serial line has baud, parity and stop; write"),
        ("rtu:///dev/a?baud=9600&baud=19200", "setting 'baud' is given twice"),
        ("rtu:///dev/a?baud=fast", "baud is such as 9600, not 'fast'"),
        ("rtu:///dev/a?baud=0", "baud is such as 9600, not '0'"),
        ("rtu:///dev/a?parity=n", "parity is N, E or O, not 'n'"),
        ("rtu:///dev/a?stop=3", "stop is 1 or 2, not '3'"),
    ],
)
def test_what_is_no_address_says_what_would_be_one(text: str, says: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        Device(name="a", profile="x", address=text)
    assert says in str(wrong.value)
    assert "should match pattern" not in str(wrong.value)


@given(
    st.permutations(["baud=9600", "parity=N", "stop=1"]),
    st.integers(0, 3),
    st.integers(1, 3),
)
def test_all_spellings_of_a_serial_line_are_one(settings: list[str], given_ones: int, slashes: int) -> None:
    text = f"rtu://{'/' * slashes}dev/ttyUSB0?{'&'.join(settings[:given_ones])}"
    assert spelled(text) == SERIAL
    assert parse_address(text).wire == parse_address(SERIAL).wire


def test_a_link_to_a_device_file_is_the_same_wire(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    one, other = (parse_address(f"rtu://{tmp_path}/{name}") for name in ("ttyUSB0", "by-id"))
    assert one.wire == other.wire
    assert str(other).startswith(f"rtu://{tmp_path}/by-id"), (
        "what is opened is what was written: it may be plugged anew"
    )


def site(*addresses: str) -> dict[str, Any]:
    """The demo's site with its first devices at these addresses, units 1 and up."""
    content = tomllib.loads(DEMO.read_text(encoding="utf-8"))
    for number, (block, address) in enumerate(zip(content["device"], addresses, strict=False), 1):
        block |= {"address": address, "unit": number}
    return content


SAME = [
    ("tcp://a:502", "tcp://A:0502"),
    ("rtu:///dev/ttyUSB0", "rtu:////dev/ttyUSB0?stop=1&baud=9600"),
    ("rtu+tcp://gw:4001", "rtu+tcp://gw.:4001"),
]
DIFFERENT = [
    ("rtu:///dev/ttyUSB0?baud=9600", "rtu:///dev/ttyUSB0?baud=19200"),
    ("rtu:///dev/ttyUSB0?parity=E", "rtu:////dev/ttyUSB0"),
    ("rtu:///dev/ttyUSB0?stop=2", "rtu:///dev/ttyUSB0?stop=1"),
    ("tcp://gw:502", "rtu+tcp://GW:502"),
]


@pytest.mark.parametrize(("one", "other"), [pair for way in SAME for pair in itertools.permutations(way)])
def test_one_wire_in_two_spellings_is_shared(one: str, other: str) -> None:
    a, b = Site.model_validate(site(one, other)).device[:2]
    assert parse_address(a.address).wire == parse_address(b.address).wire


@pytest.mark.parametrize(("one", "other"), [pair for way in DIFFERENT for pair in itertools.permutations(way)])
def test_one_wire_with_two_settings_is_refused(tmp_path: Path, one: str, other: str) -> None:
    text = (
        DEMO.read_text(encoding="utf-8").replace("tcp://127.0.0.1:15021", one).replace("tcp://127.0.0.1:15022", other)
    )
    (tmp_path / "site.toml").write_text(text.replace('name = "bms"\n', 'name = "bms"\nunit = 2\n', 1), encoding="utf-8")
    with pytest.raises(
        Trouble, match=r"site\.toml:\d+: device\.1\.address: device 'bms' and device 'pcs' share .* with "
    ):
        load_site(tmp_path / "site.toml")


def of_one_unit(one: str, other: str, profile: str, *instances: int | None) -> dict[str, Any]:
    """The first two devices at one unit, with one profile where `profile` is given."""
    content = site(one, other)
    for block, instance in zip(content["device"], instances, strict=False):
        told = {"unit": 1, "profile": profile or None, "instance": instance}
        block.update({key: value for key, value in told.items() if value is not None})
    return content


@pytest.mark.parametrize(("one", "other"), SAME)
@pytest.mark.parametrize(
    ("profile", "instances", "says"),
    [
        ("", (None, None), ""),
        ("", (2, None), ""),
        ("sunspec_meter_203", (1, 2), ""),
        (
            "sunspec_meter_203",
            (None, None),
            r"device 'bms' and device 'pcs' share .* unit 1 and profile sunspec_meter_203; give one of them another",
        ),
        ("sunspec_meter_203", (None, 2), r"or both an instance \(1, 2\.\.\.\)"),
        ("sunspec_meter_203", (2, None), r"or both an instance \(1, 2\.\.\.\)"),
        ("sunspec_meter_203", (2, 2), r"'bms' and device 'pcs' are both instance 2 of sunspec_meter_203 at .* another"),
    ],
)
def test_the_devices_of_one_unit_however_its_address_is_spelled(
    one: str, other: str, profile: str, instances: tuple[int | None, ...], says: str
) -> None:
    """A hybrid is several devices of one unit; the same one twice is a mistake."""
    content = of_one_unit(one, other, profile, *instances)
    if not says:
        assert len(Site.model_validate(content).device) == 4
        return
    with pytest.raises(ValidationError, match=says):
        Site.model_validate(content)
