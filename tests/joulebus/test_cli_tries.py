"""Every command tried the way people try it: what is wrong is said in a sentence, and the exit code says of which kind.

0 done, 1 trouble, 2 wrong usage; never a traceback.
"""

import argparse
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers.archive.migrate import migrate
from joulebus.argument_types import moment, port, seconds
from joulebus.arguments import build_parser
from joulebus.cli import main
from joulebus.commission.command import typed
from joulebus.demo import kept_words
from joulebus.help_texts import GROUPS
from joulebus.live_line import Seen, fitted
from joulebus.variables import PREFIX, VARIABLES, environment_of
from schemas.address import parse_address

REPOSITORY = Path(__file__).parents[2]
Say = Callable[..., tuple[int, str]]
OUT = "--from 2026-06-01 --to 2026-06-02 --out x.csv"
SITE_COMMANDS = (
    *("bridge", "archive", "alarms", "optimize", "dispatch", "status", "notify", "simulate", "up", "demo", "outbox"),
    *("commission", "limit", "gaps", "journal verify", "money", "explain", "battery", "advice", "rules"),
    *(
        "alarm list",
        "alarm ack --all",
        "alarm history",
        "alarm explain x",
        "alarm report",
        f"export --point pcs.p {OUT}",
    ),
    f"backtest --archive {OUT.replace('--to 2026-06-02', '')}",
)
ASK = (
    "gaps",
    "journal verify",
    "money",
    "explain",
    "battery",
    "advice",
    "alarm history",
    "alarm report",
    "archive status",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of its own, with files that are not what they should be, the demo's site file and an archive."""
    for name, held in {
        "empty": b"",
        "bytes": b"\xff\xfe\0\1" * 9,
        "text": b"hello world\n",
        "no.pem": b"no pem\n",
    }.items():
        (tmp_path / name).write_bytes(held)
    for name in ("folder", "x.csv.part", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "site.toml").write_text("site = 1\n", encoding="utf-8")
    (tmp_path / "locked.pem").write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    (tmp_path / "own.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    for name in ("site.toml", "tariff.toml", "simulator"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEBUS_BROKER", "mqtts://127.0.0.1:9")
    monkeypatch.setenv("JOULEBUS_HEALTH", "127.0.0.1:0")
    return tmp_path


@pytest.fixture
def say(folder: Path, capsys: pytest.CaptureFixture[str]) -> Say:  # noqa: ARG001  # there it is tried
    """Its exit code and what it said, out of this process."""

    def said(words: str) -> tuple[int, str]:
        try:
            code = main(words.split())
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "mistake in joulebus" not in err
        return code, out + err

    return said


def test_no_command_takes_a_site_file_that_is_none(say: Say) -> None:
    """Each command asks the same loader: one of them tries all files."""
    for words in SITE_COMMANDS:
        files = {
            "nowhere.toml": "nowhere.toml does not exist",
            "folder": "folder is a folder: write the name of a file in it; there is: no .toml file",
            "empty": "empty: site: is missing",
            "bytes": "bytes: is no text in UTF-8: byte 1 cannot be read",
            "text": "text: not valid TOML",
            "text/below": "text/below does not exist",
            "/proc/self/mem": "/proc/self/mem: Input/output error",
            "n" * 300: "file name too long",
        }
        for file, says in [*files.items()][: None if words == "gaps" else 2]:
            code, said = say(f"{words} --site {file}")
            assert (code, says in said) == (1, True), (words, said)


def test_no_command_takes_a_file_of_variables_that_is_none(say: Say) -> None:
    for words in (*SITE_COMMANDS, "migrate", "backup x.db", "database users --passwords ."):
        files = {
            "nowhere": "nowhere cannot be read: No such file",
            "folder": "folder cannot be read: Is a directory",
            "bytes": "bytes cannot be read: it is not UTF-8",
            "text": "text:1: the line is not JOULEBUS_...=value",
        }
        for file, says in [*files.items()][: None if words == "gaps" else 1]:
            code, said = say(f"{words} --env {file}")
            assert (code, says in said) == (1, True), (words, said)


def test_no_command_takes_a_database_that_is_none(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (*ASK, "migrate", "backup x.db"):
        for url, says in {
            "nonsense": "JOULEBUS_DATABASE is not a database URL",
            "sqlite+aiosqlite:///folder": "folder",
            "sqlite+aiosqlite:///text": "not a database",
            "sqlite+aiosqlite:///no/where.db": "no",
        }.items():
            monkeypatch.setenv("JOULEBUS_DATABASE", url)
            code, said = say(words)
            assert (code, says in said) == (1, True), (words, url, said)
            assert ("is a folder" in said) == url.endswith("/folder"), said


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"BROKER": "mqtt://127.0.0.1:9"}, "the broker mqtt://127.0.0.1:9 cannot be reached"),
        ({"CA": "nowhere"}, "JOULEBUS_BROKER_CA: nowhere cannot be read: No such file or directory"),
        ({"CA": "folder"}, "JOULEBUS_BROKER_CA: folder cannot be read: Is a directory"),
        ({"CA": "no.pem"}, "JOULEBUS_BROKER_CA: no.pem is no PEM file of a certificate"),
        ({"CERT": "nowhere"}, "JOULEBUS_BROKER_CERT: nowhere cannot be read"),
        ({"CERT": "no.pem"}, "JOULEBUS_BROKER_CERT: no.pem is no PEM file of a certificate"),
        ({"CERT": "own.pem", "KEY": "nowhere"}, "JOULEBUS_BROKER_KEY: nowhere cannot be read"),
        ({"CERT": "locked.pem"}, "JOULEBUS_BROKER_CERT: locked.pem is locked with a pass phrase"),
        ({"KEY": "no.pem"}, "JOULEBUS_BROKER_CERT is missing"),
    ],
)
def test_a_broker_or_a_certificate_that_is_none(
    say: Say, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv("JOULEBUS_BROKER" if name == "BROKER" else f"JOULEBUS_BROKER_{name}", value)
    for words in ("alarm list", "limit", *(["dispatch"] if "BROKER" not in variables else [])):
        code, said = say(words)
        assert (code, says in said) == (1, True), (words, said)
        assert "Errno 2]" not in said


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("check .", 0, "site.toml: good"),
        ("check full", 1, "site.toml:1: site: needs text in quotes"),
        ("interlocks full", 1, "site.toml:1: site"),
        (f"export --point psc.p {OUT}", 2, "device 'psc' does not exist; did you mean 'pcs'"),
        ("export --point pcs.p --from yesterday --to 2026-06-02 --out x.csv", 2, "--from: 'yesterday' is no time"),
        ("export --point pcs.p --from 2026-06-02 --to 2026-06-01 --out x.csv", 2, "must lie before --to"),
        ("alarm history --from 2026-06-02 --to 2026-06-01", 2, "lies not before --to"),
        ("alarm report --from 0001-01-01", 2, "lies beyond all archives"),
        ("alarm ack", 2, "give either the NAME of an alarm or --all"),
        ("explain --at 25:00", 2, "--at: '25:00' is no time"),
        ("money --month June", 2, "write a month such as 2026-06"),
        ("limit --feed-in much", 2, "'much' is no size"),
        ("limit --feed-in 60% --until 1999-01-01", 2, "lies in the past"),
        ("commission --battery hal", 2, "battery 'hal' does not exist; did you mean 'hall'"),
        ("scan 192.0.2.10:502", 2, "write tcp://192.0.2.10:502"),
        ("scan tcp://127.0.0.1:9 --units x", 2, "'x' are not units"),
        ("bridge --name Bad/Name", 2, "'Bad/Name' is no name"),
        (
            "limit --feed-in 60% --as Bad/Name",
            2,
            "source: a name holds only a-z, 0-9, _ and -; did you mean 'bad_name'?",
        ),
        ("dispatch --health host", 2, "--health: 'host' is not HOST:PORT"),
        ("demo --port 99999", 2, "99999 is no port"),
        ("demo --port -1", 2, "-1 is no port"),
        ("demo --for nan", 2, "nan is no length of time"),
        ("up --health-from 0", 2, "0 is no port"),
        ("simulate --weather 0001-01-01", 2, "lies too far off"),
        ("simulate --past nan", 2, "number of days from 0 to 60"),
        ("status --page 127.0.0.1:http", 2, "--page: '127.0.0.1:http' is not HOST:PORT"),
        ("outbox nowhere.db", 1, "nowhere.db"),
        ("outbox folder", 1, "folder"),
        ("outbox text", 1, "text"),
        ("docs text", 1, "text"),
        ("fault list --health 127.0.0.1:9", 1, "no simulator answers at 127.0.0.1:9"),
        ("fault list --health nonsense", 2, "'nonsense' is not HOST:PORT"),
        ("fault a/../b on --health a:b", 2, "'a:b' is not HOST:PORT"),
        ("health 127.0.0.1:9", 1, "nothing answers at 127.0.0.1:9: Connection refused"),
        ("health http://x:99999/", 2, "'http://x:99999/' is not HOST:PORT"),
        ("health", 1, "nothing answers at 127.0.0.1:0"),
        ("backup folder/no/x.db", 1, "x.db"),
        ("backtest --data folder --from 2026-06-01 --out x", 1, "folder"),
        ("rules --file nowhere.toml", 1, "nowhere.toml does not exist"),
        ("advice --tariff folder", 1, "folder is a folder"),
        ("database users --passwords nowhere", 1, "has no users"),
    ],
)
def test_what_is_typed_wrong_is_answered(say: Say, words: str, code: int, says: str) -> None:
    migrate("sqlite+aiosqlite:///joulebus.db") if words.startswith(("alarm", "backup", "advice")) else None
    ended, said = say(words)
    assert (ended, says in said) == (code, True), said


def test_the_level_of_the_log_is_one_of_some(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBUS_LOG", "LOUD")
    code, said = say("dispatch")
    assert (code, "JOULEBUS_LOG: the level 'LOUD' does not exist; there is: DEBUG, INFO" in said) == (1, True), said


def test_a_question_that_nobody_can_answer_is_answered_with_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`joulebus commission` without a terminal: stdin is closed."""
    monkeypatch.setattr("sys.stdin", None)
    assert typed("step hall by 5 %? ") == ""
    assert "nobody is at a terminal to answer: taken for no" in capsys.readouterr().out


def test_a_mistake_of_our_own_is_one_line_with_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Path) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("joulebus.interlocks.run", broken)
    assert main(["interlocks"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("joulebus: this is a mistake in joulebus and not in what you gave: ZeroDivisionError")
    assert (said.count("\n"), "test_cli_tries.py, line " in said) == (1, True)


def test_ctrl_c_ends_a_command_quietly(tmp_path: Path) -> None:
    """In the middle of a scan of an address that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "joulebus.cli", "scan", address, "--units", "1-255"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")


# --- help -------------------------------------------------------------------------------------------


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """It and all that are below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from parsers(one)


@pytest.mark.parametrize("columns", [80, 200])
def test_every_help_fits_a_terminal_and_shows_plain_words(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for one in parsers(build_parser()):
        for line in one.format_help().splitlines():
            assert len(line) < (80 if columns == 80 else 200), (one.prog, line)
            assert "%%" not in line, (one.prog, line)
            assert "%(" not in line


def test_the_help_for_a_newcomer_has_every_command_once_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert len(lines) < 100
    named = [name for names in GROUPS.values() for name in names]
    every = next(one.choices for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    assert sorted(named) == sorted(every), "each stands in one group"
    for name in named:
        assert sum(line.startswith(f"  {name} ") for line in lines) == 1, name


def test_a_command_shows_the_variables_that_it_reads_and_no_other() -> None:
    """Those that are read are those that the settings know, and a command of the help reads each."""
    source = "".join((REPOSITORY / "runtime" / name).read_text(encoding="utf-8") for name in ("settings.py", "keys.py"))
    names = [one.name for one in VARIABLES if one.name not in ("BROKER_CA", "BROKER_CERT", "BROKER_KEY", "LOG")]
    for name in names:
        assert f'"{PREFIX}{name.partition("<")[0]}' in source, name
    commands = {one.prog.removeprefix("joulebus ") for one in parsers(build_parser())}
    assert {reader for one in VARIABLES for reader in one.readers} <= commands
    assert environment_of("check") == environment_of("simulate list") == ""
    assert "JOULEBUS_BROKER" not in environment_of("export")
    assert "JOULEBUS_DATABASE" not in environment_of("dispatch")
    assert "JOULEBUS_ACK_KEY *" in environment_of("status")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    version = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").split('version = "', 1)[1].split('"')[0]
    assert (ended.value.code, capsys.readouterr().out) == (0, f"joulebus {version}\n")


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("192.0.2.7", "write tcp://192.0.2.7:502"),
        ("gateway.local:1502", "write tcp://gateway.local:1502"),
        ("/dev/ttyUSB0", "write rtu:///dev/ttyUSB0?baud=9600&parity=N&stop=1"),
        ("COM3", "write tcp://192.0.2.10:502, rtu+tcp://192.0.2.10:4001 or rtu:///dev/ttyUSB0?baud=9600"),
    ],
)
def test_an_address_that_is_none_is_answered_with_one_that_is(given: str, right: str) -> None:
    with pytest.raises(ValueError, match="is not an address") as wrong:
        parse_address(given)
    assert right in str(wrong.value)
    assert "^" not in str(wrong.value)


# --- the demo ---------------------------------------------------------------------------------------

HALL, YARD = ("hall", -49_950.0, 47.4), ("yard", -12.0, 46.0)


def seen(*batteries: tuple[str, float | None, float | None], known: bool = True) -> Seen:
    powers = (-312_345.0, 123_456.0, 262_345.0) if known else (None, None, None)
    age = 312.0 if known else None
    return Seen(powers[0], powers[1], batteries, powers[2], "lockout" if known else "", age, 12, 1_234_567)


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 100, 120, 200])
@pytest.mark.parametrize(
    "site",
    [
        seen(),
        seen(HALL),
        seen(HALL, YARD),
        seen(HALL, YARD, ("depot", 250_000.0, 99.6), ("office", -9_900.0, 5.0)),
        seen(("hall", None, None), ("yard", None, None), known=False),
        seen(*[(f"container_{n}", -1e6, 50.0) for n in range(40)]),
    ],
    ids=["none", "one", "two", "large", "unknown", "forty"],
)
def test_the_live_line_fits_every_terminal(site: Seen, columns: int) -> None:
    line = fitted(site, columns)
    assert 0 < len(line) <= columns
    assert line.startswith("grid ")
    assert "-0.0" not in line
    if columns >= 79:
        assert "load" in line
        assert "alarms 12" in line
    if columns >= 200 and len(site.batteries) < 5:
        assert "samples 1234567" in line
        assert all(name in line for name, _, _ in site.batteries)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((500, 500, 0), "stopped, all kept: 500 samples are archived"),
        ((500, 480, 20), "stopped, all kept: 480 samples are archived, 20 more in the outbox for the next start"),
        ((500, 480, 19), "stopped, and 1 of 500 samples are lost"),
    ],
)
def test_the_demo_ends_with_what_is_kept(counts: tuple[int, int, int], says: str) -> None:
    assert kept_words(*counts) == says


def test_numbers_of_the_command_line() -> None:
    assert (port("8080"), seconds("0.5"), moment("2026-06-07").year) == (8080, 0.5, 2026)
    for kind, wrong in ((port, "0"), (port, "65536"), (seconds, "inf"), (moment, "9999-12-31")):
        with pytest.raises(argparse.ArgumentTypeError):
            kind(wrong)
