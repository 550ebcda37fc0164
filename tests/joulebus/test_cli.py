"""Bad input is answered in a sentence that names the file, the field and what would be right; never a traceback."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from joulebus.arguments import build_parser
from joulebus.cli import main
from joulebus.parts import SERVICES
from tests.conftest import Broker

REPOSITORY = Path(__file__).parents[2]
SITE = (REPOSITORY / "site.toml").read_text(encoding="utf-8")
TARIFF = (REPOSITORY / "tariff.toml").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The demo's site file in a folder of its own, to spoil, with one price: to read the prices of four years takes as
    long as all the rest."""
    (tmp_path / "simulator").symlink_to(REPOSITORY / "simulator")
    (tmp_path / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    path = tmp_path / "site.toml"
    path.write_text(SITE, encoding="utf-8")
    return path


def test_a_good_site_file_is_called_good(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parent / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    assert main(["check", str(site)]) == 0
    said = capsys.readouterr().out
    assert "site.toml: good" in said
    assert "  hall       battery of pcs + bms, 200 kWh, fallback 0 W\n" in said
    assert "  yard       battery of pcs2 + bms2, 130 kWh, fallback 0 W\n" in said
    assert "warning" not in said


@pytest.mark.parametrize(
    ("device", "poll", "warns"),
    [
        ("pcs", 20, "a command that ends is noticed up to 50 s later); 2 s or less would be right"),
        ("meter", 10, "limits at the grid are followed 10 s late"),
        ("bms", 6, "its limits count for 15 s after it fell silent"),
        ("bms", 2, ""),
        ("pv", 60, ""),
    ],
)
def test_a_poll_that_is_too_slow_to_steer_by_is_named(
    site: Path, capsys: pytest.CaptureFixture[str], *, device: str, poll: float, warns: str
) -> None:
    text = site.read_text(encoding="utf-8").replace("poll = 0.5\n", "")
    site.write_text(text.replace(f'name = "{device}"', f'name = "{device}"\npoll = {poll:.1f}'), encoding="utf-8")
    assert main(["check", str(site)]) == 0
    said = capsys.readouterr().out
    assert warns in said
    assert ("warning: device" in said) == bool(warns)
    read_only = f'mode = "read_only"\n{site.read_text(encoding="utf-8")}'
    site.write_text(read_only, encoding="utf-8")
    assert main(["check", str(site)]) == 0
    assert "warning" not in capsys.readouterr().out, "what is only watched may be slow"


@pytest.mark.parametrize(
    ("sources", "warns"), [("[]", True), ("{ scada = 'dso' }", True), ("['dispatch', 'scada']", False)]
)
def test_a_site_whose_bridges_obey_no_dispatch_is_named(
    site: Path, capsys: pytest.CaptureFixture[str], *, sources: str, warns: bool
) -> None:
    text = site.read_text(encoding="utf-8")
    site.write_text(f"command_sources = {sources}\n{text}", encoding="utf-8")
    assert main(["check", str(site)]) == 0
    assert ("warning: command_sources does not name dispatch" in capsys.readouterr().out) == warns


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "Demo site"', 'titel = "Demo site"', r"site\.toml:4: titel: unknown key"),
        (
            "import_limit = 500_000",
            'import_limit = "500 kW"',
            r"grid\.import_limit: .* number, without quotes and unit",
        ),
        ("import_limit = 500_000", "import_limit = -1", r"grid\.import_limit: .*greater than 0"),
        ("energy = 200_000", "energy = 0", r"battery\.0\.energy: .*greater than 0"),
        ("rated_power = 100_000", "rated_power = -5", r"rated_power: .*greater than 0"),
        ("rated_power = 150_000", "", r"device 'pv': rated_power \(W\) is missing"),
        (
            "rated_power = 150_000",
            "rated_power = 150_000\nsubstitute = { t_cabb = 25.0 }",
            r"device 'pv': substitute\.t_cabb does not exist; did you mean 't_cab'",
        ),
        (
            '"byd_c130"\naddress = "tcp://127.0.0.1:15026"',
            '"pylontech_powercube_m2"\naddress = "tcp://127.0.0.1:15022"',
            r"device\.3\.address: device 'bms2' and device 'bms' share tcp://127\.0\.0\.1:15022 unit 1 and profile ",
        ),
        (
            'profile = "byd_c130"',
            'profile = "byd_c130"\ninstance = 2',
            r"device 'bms2': instance = 2 goes with a profile of SunSpec models, and byd_c130 has none: leave it out",
        ),
        ("poll = 0.5", "line = { timeout = 0 }", r":36: device\.0\.line\.timeout: .*greater than 0"),
        ("poll = 0.5", "line = { time_out = 3 }", r"device\.0\.line\.time_out: unknown key; did you mean 'timeout'"),
        ('"sunspec_pv"', '"sunspec_pvv"', r"profile 'sunspec_pvv' does not exist; did you mean 'sunspec_pv'"),
        (
            'meter = "meter"',
            'meter = "metre"',
            r"site\.toml:9: grid\.meter: names device 'metre'; there is: bms, bms2, coldstore, meter",
        ),
        (
            "ramp = 50_000",
            "fallback = -120e3",
            r":20: battery\.0\.fallback: battery 'hall': -120000 W is beyond the rated ±100000 W of device 'pcs'",
        ),
        ('bms = "bms"', 'bms = "pv"', r":16: battery\.0\.bms: battery 'hall': device 'pv' is a pv, a bms is needed"),
        (
            'pcs = "pcs"\nbms = "bms"',
            'pcs = "bms"\nbms = "pcs"',
            r":15: battery\.0\.pcs: battery 'hall': device 'bms' is a bms, a pcs is needed; pcs and bms are swapped",
        ),
        ("rated_power = 92_000\n", "", r":43: device\.2: battery 'yard': device 'pcs2': rated_power \(W\) is missing"),
        ("[[battery]]", "[battery]", r":22: battery: there is a \[battery\] beside .*; write \[\[battery\]\] for each"),
        ("[[battery]]      ", "[battery]", r":22: battery: .*; write \[\[battery\]\] for each"),
        ("[grid]", "[grid]\nmeter = 'meter'\n[grid]", r":10: grid: there is a \[grid\] .*; write it once"),
        ('"Europe/Berlin"', '"Berlin"', r"site\.toml:5: time_zone: 'Berlin' is not an IANA name such as Europe/Berlin"),
        ('name = "bms"', 'name = "BMS 1"', r"name: .*did you mean 'bms_1'"),
        ('name = "bms"', 'name = "pcs"', r":39: device\.1\.name: device 'pcs' is given 2 times"),
        ('"tcp://127.0.0.1:15021"', '"http://127.0.0.1:15021"', r"address: "),
        ('tariff = "tariff.toml"', 'tariff = "nowhere.toml"', r"nowhere\.toml does not exist"),
        ("[grid]", "[grid", r"site\.toml: not valid TOML: .*line"),
    ],
)
def test_what_is_wrong_in_a_site_file_is_said(
    site: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    assert old in SITE
    site.write_text(SITE.replace(old, new, 1), encoding="utf-8")
    assert main(["check", str(site)]) == 1
    err = capsys.readouterr().err
    assert re.search(says, err), err
    assert str(site.parent) in err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("above = 8.0 ", "above = 8.0\nbelow = 3 ", r"give exactly one of when, above, below"),
        ("deadband = 1.0", "clear = 9", r"clear = 9 is on the wrong side of above = 8"),
        ('point = "t_0"\nabove = 8', 'point = "tt_0"\nabove = 8', r"tt_0.*did you mean 't_0'"),
    ],
)
def test_an_alarm_that_is_wrong_is_refused_and_the_others_run(
    site: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    assert old in SITE
    site.write_text(SITE.replace(old, new, 1), encoding="utf-8")
    assert main(["check", str(site)]) == 1
    err = capsys.readouterr().err
    assert re.search(rf"site\.toml:1\d\d: alarm\.0.*{says}", err), err
    assert "Traceback" not in err


@pytest.mark.parametrize("tariff", [None, "[import", "[import]"])
def test_a_tariff_that_cannot_be_read_hides_nothing_else(
    site: Path, capsys: pytest.CaptureFixture[str], tariff: str | None
) -> None:
    """Of one run: the tariff, once, and the alarm rules and interlocks that are wrong."""
    path = site.parent / "tariff.toml"
    path.unlink() if tariff is None else path.write_text(tariff, encoding="utf-8")
    wrong = SITE.replace("above = 8.0 ", "above = 8.0\nbelow = 3 ", 1)
    site.write_text(wrong + '[[interlock]]\nname = "x"\nkind = "bms"\nomit = "gone"\n', encoding="utf-8")
    assert main(["check", str(site)]) == 1
    err = capsys.readouterr().err
    assert err.count("tariff.toml") == 1, err
    assert "give exactly one of when, above, below" in err
    assert "interlock 'x' to omit" in err


def test_an_empty_list_is_said_in_words(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.split(r"\n(?=\[)", SITE)
    rest = "\n".join(one for one in blocks if not one.startswith("[[device]]"))
    site.write_text(f"device = []\n{rest}", encoding="utf-8")
    assert main(["check", str(site)]) == 1
    assert "site.toml:1: device: is empty; give at least one" in capsys.readouterr().err


def test_a_bms_of_no_battery_is_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = '[[device]]\nname = "bms3"\nprofile = "byd_c130"\naddress = "tcp://127.0.0.1:15027"\n'
    site.write_text(f"{SITE}\n{more}", encoding="utf-8")
    assert main(["check", str(site)]) == 0
    assert "warning: device bms3: a bms of no battery is read, and its limits hold for none" in capsys.readouterr().out


def test_a_tariff_without_its_prices_is_said(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoiled = TARIFF.replace("de_lu_day_ahead", "de_lu_day_behind", 1)
    (site.parent / "tariff.toml").write_text(spoiled, encoding="utf-8")
    assert main(["check", str(site)]) == 1
    assert re.search(r"tariff\.toml: import\.day_ahead\.file: .* does not exist", capsys.readouterr().err)


def test_a_price_that_is_none_is_said(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parent / "prices.csv").write_text(
        "timestamp_utc,price_eur_per_mwh\n2026-01-01T00:00Z,cheap\n", encoding="utf-8"
    )
    (site.parent / "tariff.toml").write_text('[import]\nday_ahead = { file = "prices.csv" }\n', encoding="utf-8")
    assert main(["check", str(site)]) == 1
    assert re.search(r"site\.toml: .*prices\.csv:2: not `timestamp_utc,price_eur_per_mwh`", capsys.readouterr().err)


def run(part: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A part as a process, with a health endpoint on any free port."""
    given = {"JOULEBUS_HEALTH": "127.0.0.1:0"} | env
    command = [sys.executable, "-m", "joulebus.cli", part, "--site", str(REPOSITORY / "site.toml")]
    return subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=40, check=False)


@pytest.mark.slow
def test_a_broker_that_is_not_there_is_said() -> None:
    """By a part that does nothing without it. Alarms and notify wait for it: they tell that it is away."""
    done = run("dispatch", JOULEBUS_BROKER="mqtt://127.0.0.1:9")
    assert done.returncode == 1
    assert "the broker mqtt://127.0.0.1:9 cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_password_is_said_and_not_printed(broker: Broker) -> None:
    done = run("alarms", JOULEBUS_BROKER=f"mqtt://alarms:not-it@127.0.0.1:{broker.port}")
    assert done.returncode == 1
    assert "does not let us in" in done.stderr
    assert "not-it" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("JOULEBUS_BROKER", "http://127.0.0.1", "is not mqtt://user@host:port"),
        ("JOULEBUS_BROKER", "mqtt://127.0.0.1:99999", "the port is not a number from 1 to 65535"),
        ("JOULEBUS_BROKER_FILE", "/nowhere/broker", "JOULEBUS_BROKER_FILE: /nowhere/broker cannot be read"),
        ("JOULEBUS_HEALTH", "nine", "JOULEBUS_HEALTH: 'nine' is not host:port"),
    ],
)
def test_a_setting_that_makes_no_sense_is_said(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert main(["alarms", "--site", str(REPOSITORY / "site.toml")]) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "given",
    [{"JOULEBUS_PAGE_TOKEN": ""}, {"JOULEBUS_PAGE_TOKEN": "short"}, {"JOULEBUS_PAGE_TOKEN_FILE": ""}],
    ids=["empty", "short", "no file"],
)
def test_a_token_that_opens_to_anybody_stops_the_page_alone(given: dict[str, str]) -> None:
    page = run("status", **given)
    assert page.returncode == 1
    assert "JOULEBUS_PAGE_TOKEN has" in page.stderr
    assert "openssl rand -hex 32" in page.stderr
    assert "Traceback" not in page.stderr


def test_the_token_of_the_page_stops_no_other_part() -> None:
    """It has no broker here, and ends by that."""
    other = run("dispatch", JOULEBUS_BROKER="mqtt://127.0.0.1:9", JOULEBUS_PAGE_TOKEN="", JOULEBUS_PAGE_TOKEN_FILE="")
    assert "cannot be reached" in other.stderr
    assert "JOULEBUS_PAGE_TOKEN" not in other.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_health_port_in_use_is_said(taken: int, broker: Broker) -> None:
    done = run("alarms", JOULEBUS_HEALTH=f"127.0.0.1:{taken}", JOULEBUS_BROKER=broker.url("alarms"))
    assert done.returncode == 1
    assert f"health endpoint 127.0.0.1:{taken}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("part", SERVICES)
def test_every_part_has_help(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([part, "--help"])
    assert ended.value.code == 0
    help_ = capsys.readouterr().out
    assert ("JOULEBUS_BROKER" in help_) == (part != "simulate"), "it speaks Modbus alone"
    assert "--site" in help_


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["interlocks"], 141),
        (["interlocks", "site.toml"], 141),
        (["check", "site.toml"], 141),
        (["docs", "{folder}"], 141),
        (["--help"], 0),  # argparse passes over it
    ],
)
def test_a_command_whose_reader_has_gone_ends_quietly(words: list[str], status: int, tmp_path: Path) -> None:
    """`joulebus interlocks site.toml | head` ended in a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "joulebus.cli", *(one.format(folder=tmp_path) for one in words)]
        done = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=40, check=False, cwd=REPOSITORY
        )
    finally:
        os.close(writer)
    assert (done.stderr, done.returncode) == ("", status)
