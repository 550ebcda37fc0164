"""The arguments of every command, with the help that is shown for them."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from joulebus import archive_arguments
from joulebus.alarm import arguments as alarm_arguments
from joulebus.argument_types import moment, part_name, past_days, port, seconds
from joulebus.help_texts import CLOSING, overview
from joulebus.parts import SERVICES, Service
from joulebus.shipped_sites import site_file
from joulebus.site_command import PROGRAM, Commands, plain_command, site_command


def build_parser() -> argparse.ArgumentParser:
    """Every command with its help."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] COMMAND ...",
        epilog=CLOSING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="name and version")
    # what the commands are stands in groups above the options
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS, prog=PROGRAM
    )
    for name, service in SERVICES.items():
        _options(_add_service(commands, name, service), name)
    _together(commands)
    _site_files(commands)
    _running_parts(commands)
    _field(commands)
    _limit(commands)
    alarm_arguments.options(commands)
    archive_arguments.options(commands)
    _backtest(commands)
    docs = plain_command(commands, "docs", "write the generated documents")
    docs.add_argument("folder", type=Path, nargs="?", default=Path("docs"), help="where to [docs]")
    parser.description = overview({name: one.description or "" for name, one in commands.choices.items()})
    return parser


class _Version(argparse.Action):
    """Says name and version, out of the metadata of the package."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:  # noqa: ANN401  # argparse's
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import metadata  # noqa: PLC0415  # each command would wait 20 ms for it

        of = metadata(PROGRAM)
        print(f"{of['Name']} {of['Version']}")
        parser.exit()


def _add_service(commands: Commands, name: str, service: Service) -> argparse.ArgumentParser:
    parser = site_command(commands, name, service.says)
    where = f"where /health and /metrics answer [127.0.0.1:{service.health}]"
    parser.add_argument("--health", metavar="HOST:PORT", help=where)
    return parser


def _options(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "bridge":
        parser.add_argument("--name", type=part_name, default="bridge", help="when several bridges share a site")
        parser.add_argument("--device", action="append", metavar="NAME", help="serve only this one; may be repeated")
    if name == "archive":
        parser.add_argument("what", nargs="?", choices=["status"], help="do not run, but say how large it is")
        parser.add_argument("--json", action="store_true", help="with status: one line of JSON")
        parser.add_argument(
            "--forecast", action="store_true", help="with status: how large it becomes, and when the disk is full"
        )
    if name == "alarms":
        parser.add_argument("what", nargs="?", choices=["report"], help="do not run, but as `joulebus alarm report`")
        alarm_arguments.of_report(parser)
    if name == "simulate":
        parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="switched on from the start")
        parser.add_argument(
            "--past", type=past_days, default=0.0, metavar="DAYS", help="lived through before its first start"
        )
        _weather(parser)
    if name == "notify":
        parser.add_argument("what", nargs="?", choices=["test"], help="do not run, but send a test by every channel")
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--channel", metavar="NAME", help="with test: by this one alone")
        only.add_argument("--person", metavar="NAME", help="with test: by the channels of this person")
    if name == "status":
        parser.add_argument("--page", metavar="HOST:PORT", default="127.0.0.1:8080", help="where the page listens")


def _weather(parser: argparse.ArgumentParser) -> None:
    says = "load and sun are those of this moment on, such as 2026-06-07T12:00, and not of today"
    parser.add_argument("--weather", type=moment, metavar="TIME", help=says)


def _together(commands: Commands) -> None:
    up = site_command(commands, "up", "run all parts on this machine under one supervisor")
    up.add_argument("--simulate", action="store_true", help="run the simulated site as well")
    _with_broker(up)
    up.add_argument("--page", metavar="HOST:PORT", default="127.0.0.1:8080", help="where the status page listens")
    up.add_argument("--health-from", type=port, default=9180, metavar="PORT", help="first port of the parts' endpoints")
    demo = site_command(commands, "demo", "a site that lives on measured data, with all that it needs")
    demo.add_argument("--for", dest="seconds", type=seconds, metavar="SECONDS", help="stop after so long")
    demo.add_argument("--json", action="store_true", help="no summary; end with one line of JSON")
    demo.add_argument("--port", type=port, default=8080, help="of the status page; the health endpoints follow it")
    demo.add_argument(
        "--folder", type=Path, default=Path(".run/demo"), help="what it keeps: database, outbox, passwords"
    )
    demo.add_argument("--past", type=past_days, default=7.0, metavar="DAYS", help="that a new one looks back on [7]")
    _weather(demo)


def _with_broker(up: argparse.ArgumentParser) -> None:
    says = "run a broker for this site as well, with passwords of its own, in the folder `broker` of JOULEBUS_STATE"
    up.add_argument("--with-broker", action="store_true", help=says)
    up.add_argument("--broker-port", type=port, metavar="PORT", help="of that broker on 127.0.0.1 [1883]")
    says = "open that broker to other machines, by certificates, such as 0.0.0.0:8883"
    up.add_argument("--mqtts", default="", metavar="HOST:PORT", help=says)


def _site_files(commands: Commands) -> None:
    check = plain_command(commands, "check", "say what is wrong with a site file")
    check.add_argument("site", type=site_file, metavar="FILE", help="or a folder with a site.toml in it")
    interlocks = plain_command(commands, "interlocks", "what forbids the battery what: causes and effects")
    interlocks.add_argument("site", type=site_file, nargs="?", metavar="FILE", help="of this site [what is shipped]")


def _running_parts(commands: Commands) -> None:
    fault = plain_command(commands, "fault", "break something at the simulated site, and mend it")
    fault.add_argument("name", help="such as bms:silent; `list` shows all")
    fault.add_argument("switch", choices=["on", "off"], nargs="?", default="on")
    fault.add_argument("--health", default=f"127.0.0.1:{SERVICES['simulate'].health}", help="the simulator's endpoint")
    health = plain_command(commands, "health", "ask a part's health endpoint; exit 0 when it is ready")
    health.add_argument("address", nargs="?", help="host:port; JOULEBUS_HEALTH when left out")
    outbox = site_command(commands, "outbox", "show what a bridge keeps until it is archived")
    outbox.add_argument("file", type=Path, nargs="?", help="one outbox; those of the site when left out")


def _field(commands: Commands) -> None:
    scan = plain_command(commands, "scan", "look at Modbus addresses, and propose the site file")
    scan.add_argument(
        "address", nargs="+", help="tcp://host:502, /3 for unit 3; rtu+tcp://host:port; rtu:///dev/ttyUSB0"
    )
    scan.add_argument("--units", metavar="1-10", help="look at several units; 1,3 for some")
    scan.add_argument("--write", type=Path, metavar="FILE", help="propose the whole site in a new file")
    scan.add_argument("--watch", type=float, default=20.0, metavar="SECONDS", help="to see what belongs together [20]")
    commission = site_command(commands, "commission", "read all devices, step the batteries by 5 %%, write a report")
    commission.add_argument("--full", action="store_true", help="also ramp to 100 %% in both directions")
    commission.add_argument(
        "--no-broker", action="store_true", help="when the broker does not answer: you will type that no bridge runs"
    )
    commission.add_argument("--battery", metavar="NAME", help="only this one; one after the other when left out")
    commission.add_argument("--yes", action="store_true", help="do not ask before each write")
    commission.add_argument("--report", type=Path, default=Path("commissioning.md"), metavar="FILE", help="where to")


def _limit(commands: Commands) -> None:
    limit = site_command(commands, "limit", "say how much the site may feed in or draw, or ask what holds")
    limit.add_argument("--feed-in", metavar="SIZE", help="60%% of the PV's rated power, 42000W or 42kW; 100%% ends it")
    limit.add_argument("--consumption", metavar="SIZE", help="the same of what is drawn; %% are of grid.import_limit")
    limit.add_argument("--steerable", action="store_true", help="only of PV, or of what batteries draw from the grid")
    limit.add_argument(
        "--until", metavar="TIME", help="2026-06-21T18:00 in the site's zone; until it is said anew else"
    )
    limit.add_argument("--as", dest="source", default="operator", metavar="NAME", help="broker user and command source")
    limit.add_argument("--authority", choices=["protection", "dso", "operator"], help="[the most that NAME may claim]")
    limit.add_argument("--reason", default="", metavar="WORDS")


def _backtest(commands: Commands) -> None:
    from joulebus.backtest.flags import options  # noqa: PLC0415

    parser = plain_command(commands, "backtest", "play a year of load, PV and prices through the planner")
    options(parser)
