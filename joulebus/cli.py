"""The command line. A part is imported only when it runs: a bridge never loads pandas."""

import argparse
import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from joulebus.parts import SERVICES, Service
from joulebus.shipped_sites import site_file
from schemas.troubles import Trouble

LONGEST_BACK = 36_525
"""Days."""

EPILOG = """\
environment:
  JOULEBUS_BROKER              mqtt(s)://user@host:port    [mqtt://127.0.0.1:1883]
  JOULEBUS_BROKER_PASSWORD     better: JOULEBUS_BROKER_PASSWORD_FILE, the name of a file
  JOULEBUS_BROKER_CA, _CERT, _KEY   for mqtts
  JOULEBUS_DATABASE            mariadb+asyncmy://user@host/name or sqlite+aiosqlite:///file    [sqlite+aiosqlite:///joulebus.db]
  JOULEBUS_DATABASE_PASSWORD   better: JOULEBUS_DATABASE_PASSWORD_FILE
  JOULEBUS_UPKEEP_DATABASE, _PASSWORD   archive: by which it deletes    [JOULEBUS_DATABASE]
  JOULEBUS_COMMAND_KEY         dispatch signs with it, bridges then obey no other; better: JOULEBUS_COMMAND_KEY_FILE
  JOULEBUS_LIMIT_KEY           `joulebus limit` signs with it instead; better: JOULEBUS_LIMIT_KEY_FILE
  JOULEBUS_PRICE_KEY           optimize and archive follow only topic prices that are signed with it; or ..._FILE
  JOULEBUS_FORECAST_KEY        optimize follows only topic forecasts that are signed with it; or ..._FILE
  JOULEBUS_PRICE_TOKEN         optimize fetches prices with it; better: JOULEBUS_PRICE_TOKEN_FILE
  JOULEBUS_LIMIT_KEYS_FILE     dispatch: lines SOURCE=KEY, whose limits are signed with which key
  JOULEBUS_JOURNAL_KEY         the archive signs the seals of its journal with it; better: JOULEBUS_JOURNAL_KEY_FILE
  JOULEBUS_HEALTH              host:port of the health endpoint
  JOULEBUS_STATE               folder for what a part keeps, such as the outbox    [.]
Each can be read from a file instead: NAME_FILE, or all from one with --env. {role} stands for the part's name.
"""


def _days(text: str) -> float:
    """Days back: more than none, and no more than a hundred years."""
    days = float(text)
    if not 0 < days <= LONGEST_BACK:
        raise argparse.ArgumentTypeError(f"{text} is no number of days to look back: write 1 to {LONGEST_BACK}")
    return days


def _whole_days(text: str) -> int:
    return int(_days(str(int(text))))


def _months(text: str) -> int:
    months = int(text)
    if not 1 <= months <= 120:
        raise argparse.ArgumentTypeError(f"{text} is no number of months to look back: write 1 to 120")
    return months


def _size(text: str) -> float:
    energy = float(text)
    if not 0 < energy <= 1e7:
        raise argparse.ArgumentTypeError(f"{text} is no battery: write its energy in kWh, such as 200")
    return energy


def _past_days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= 60:
        raise ValueError
    return days


_days.__name__, _whole_days.__name__ = "number of days", "whole number of days"  # as argparse names them
_months.__name__, _size.__name__ = "whole number of months", "energy in kWh"
_past_days.__name__ = "number of days from 0 to 60"


def build_parser() -> argparse.ArgumentParser:
    """Every command with its help."""
    parser = argparse.ArgumentParser(
        prog="joulebus",
        description="An energy management system for sites with a battery.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, service in SERVICES.items():
        _options(_add_service(commands, name, service), name)
    up = _command(commands, "up", "run all parts on this machine under one supervisor")
    up.add_argument("--simulate", action="store_true", help="run the simulated site as well")
    up.add_argument("--page", metavar="HOST:PORT", default="127.0.0.1:8080", help="where the status page listens")
    up.add_argument("--health-from", type=int, default=9180, metavar="PORT", help="first port of the parts' endpoints")
    _demo(commands)
    check = commands.add_parser("check", help="say what is wrong with a site file")
    check.add_argument("site", type=site_file)
    interlocks = commands.add_parser("interlocks", help="what forbids the battery what: the cause-and-effect matrix")
    interlocks.add_argument("site", type=Path, nargs="?", help="of this site; what is shipped when left out")
    migrate = commands.add_parser("migrate", help="bring the archive's tables up to date")
    migrate.add_argument("--env", type=Path, metavar="FILE", help="variables as KEY=VALUE lines")
    fault = commands.add_parser("fault", help="switch a fault of the simulated site on or off")
    fault.add_argument("name", help="such as bms:silent; `list` shows all")
    fault.add_argument("switch", choices=["on", "off"], nargs="?", default="on")
    fault.add_argument("--health", default=f"127.0.0.1:{SERVICES['simulate'].health}", help="the simulator's endpoint")
    health = commands.add_parser("health", help="ask a part's health endpoint; exit 0 when it is ready")
    health.add_argument("address", nargs="?", help="host:port; JOULEBUS_HEALTH when left out")
    scan = commands.add_parser("scan", help="look at Modbus addresses; of several, propose the whole site file")
    scan.add_argument(
        "address", nargs="+", help="tcp://host:502, /3 for unit 3; rtu+tcp://host:port; rtu:///dev/ttyUSB0"
    )
    scan.add_argument("--units", metavar="1-10", help="look at several units; 1,3 for some")
    scan.add_argument("--write", type=Path, metavar="FILE", help="propose the whole site in a new file")
    scan.add_argument("--watch", type=float, default=20.0, metavar="SECONDS", help="to see what belongs together [20]")
    commission = _command(
        commands, "commission", "read a new site's devices, step its batteries by 5 %%, write a report"
    )
    commission.add_argument("--full", action="store_true", help="also ramp to 100 %% in both directions")
    commission.add_argument(
        "--no-broker", action="store_true", help="when the broker does not answer: you will type that no bridge runs"
    )
    commission.add_argument("--battery", metavar="NAME", help="only this one; one after the other when left out")
    commission.add_argument("--yes", action="store_true", help="do not ask before each write")
    commission.add_argument("--report", type=Path, default=Path("commissioning.md"), metavar="FILE", help="where to")
    limit = _command(commands, "limit", "say how much the site may feed in or draw; without a size, what holds")
    limit.add_argument("--feed-in", metavar="SIZE", help="60%% of the PV's rated power, 42000W or 42kW; 100%% ends it")
    limit.add_argument("--consumption", metavar="SIZE", help="the same of what is drawn; %% are of grid.import_limit")
    limit.add_argument("--steerable", action="store_true", help="only of PV, or of what batteries draw from the grid")
    limit.add_argument(
        "--until", metavar="TIME", help="2026-06-21T18:00 in the site's zone; until it is said anew else"
    )
    limit.add_argument("--as", dest="source", default="operator", metavar="NAME", help="broker user and command source")
    limit.add_argument("--authority", choices=["protection", "dso", "operator"], help="[the most that NAME may claim]")
    limit.add_argument("--reason", default="", metavar="WORDS")
    outbox = _command(commands, "outbox", "show what a bridge keeps until it is archived")
    outbox.add_argument("file", type=Path, nargs="?", help="one outbox; those of the site when left out")
    _archive_commands(commands)
    _backtest(commands)
    docs = commands.add_parser("docs", help="write the generated documents")
    docs.add_argument("folder", type=Path, nargs="?", default=Path("docs"))
    return parser


def _backtest(commands: Any) -> None:  # noqa: ANN401  # argparse hides its type
    from joulebus.backtest.flags import options  # noqa: PLC0415

    parser = commands.add_parser("backtest", help="play a year of a site's own load, PV and prices through the planner")
    options(parser)


def _archive_commands(commands: Any) -> None:  # noqa: ANN401  # argparse hides its type
    export = _command(commands, "export", "write points of the archive to a file, CSV or Parquet")
    export.add_argument("--point", action="append", required=True, metavar="DEVICE.POINT", help="may be repeated")
    export.add_argument("--from", dest="start", required=True, metavar="TIME", help="2026-06-01 or 2026-06-01T12:00")
    export.add_argument("--to", dest="end", required=True, metavar="TIME", help="excluded; both in the site's zone")
    export.add_argument("--resolution", choices=["raw", "1m", "15m", "1h"], default="raw")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends with .csv or .parquet")
    gaps = _command(commands, "gaps", "what is or was missing in the archive, and how complete it is")
    gaps.add_argument("--days", type=_days, default=7.0, help="back from now [7]")
    gaps.add_argument("--json", action="store_true", help="one line of JSON")
    money = _command(
        commands, "money", "what was paid each day, with the battery and without it, and why not as planned"
    )
    money.add_argument("--days", type=_whole_days, default=30, help="local days back, with today [30]")
    money.add_argument("--month", default="", help="its bill alone, such as 2026-06 [this one and the last]")
    how = money.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one line of JSON")
    how.add_argument("--csv", action="store_true", help="a line a day, every column")
    explain = _command(commands, "explain", "what the battery did at a time, why, and what it cost or saved")
    explain.add_argument("--at", default="now", metavar="TIME", help="now, 17:15 or 2026-06-01T17:15 (Z for UTC) [now]")
    explain.add_argument("--json", action="store_true", help="one line of JSON")
    battery = _command(commands, "battery", "how much energy each battery still has, and how much of it is lost")
    battery.add_argument("--days", type=_days, default=90.0, help="back from now [90]")
    battery.add_argument("--json", action="store_true", help="one line of JSON")
    advice = _command(commands, "advice", "base load, peaks, power factor, another tariff, a battery of another size")
    advice.add_argument("--months", type=_months, default=12, help="back, with this one [12]")
    advice.add_argument("--tariff", type=Path, metavar="FILE", help="the same measured energy by another tariff file")
    advice.add_argument("--size", type=_size, action="append", default=[], metavar="KWH",
                        help="a battery to try; may be repeated [half, all and twice the site's own]")  # fmt: skip
    advice.add_argument("--json", action="store_true", help="one line of JSON")
    rules = _command(commands, "rules", "the rules of a site in words, and what they would have done in the past")
    rules.add_argument("what", nargs="?", choices=["explain", "try"], default="explain", help="[explain]")
    rules.add_argument("--from", dest="start", default="", metavar="TIME", help="try: 2026-06-01 [seven days before]")
    rules.add_argument("--to", dest="end", default="", metavar="TIME", help="excluded; both in the site's zone [now]")
    rules.add_argument("--rule", default="", metavar="NAME", help="try only this one")
    rules.add_argument("--file", type=Path, metavar="FILE", help="rules in place of those of the site file")
    journal = _command(commands, "journal", "whether the record of all commands was changed")
    journal.add_argument("what", choices=["verify"])
    journal.add_argument("--head", metavar="NUMBER:HASH", default="", help="the head that was written down last time")
    database = commands.add_parser("database", help="a user of the MariaDB for each part, with the least rights")
    database.add_argument("what", choices=["users"])
    database.add_argument(
        "--passwords", type=Path, required=True, metavar="FOLDER", help="with a file for each, such as database-archive"
    )
    database.add_argument("--host", default="%", help="where they come from: 10.0.0.%% or 127.0.0.1 [any]")
    database.add_argument("--sql", action="store_true", help="do nothing, print it for the server's own client")
    database.add_argument("--env", type=Path, metavar="FILE", help="variables as KEY=VALUE lines")
    backup = commands.add_parser("backup", help="copy the embedded archive while it is being written")
    backup.add_argument("file", type=Path)
    backup.add_argument("--env", type=Path, metavar="FILE", help="variables as KEY=VALUE lines")


def _command(commands: Any, name: str, says: str) -> argparse.ArgumentParser:  # noqa: ANN401  # argparse hides its type
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=says, description=says.capitalize().replace("%%", "%") + "."
    )
    parser.add_argument(
        "--site",
        type=site_file,
        default=Path("site.toml"),
        metavar="FILE",
        help="the site file [site.toml], or `large` for a shipped one",
    )
    parser.add_argument("--env", type=Path, metavar="FILE", help="variables as KEY=VALUE lines; the environment wins")
    return parser


def _add_service(commands: Any, name: str, service: Service) -> argparse.ArgumentParser:  # noqa: ANN401  # as above
    parser = _command(commands, name, service.says)
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    where = f"where /health and /metrics answer [127.0.0.1:{service.health}]"
    parser.add_argument("--health", metavar="HOST:PORT", help=where)
    return parser


def _demo(commands: Any) -> None:  # noqa: ANN401  # argparse does not name it
    demo = _command(commands, "demo", "a battery site that lives on measured data: broker, simulation, all parts")
    demo.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="stop after so long")
    demo.add_argument("--json", action="store_true", help="no summary; end with one line of JSON")
    demo.add_argument("--port", type=int, default=8080, help="of the status page; the health endpoints follow it")
    demo.add_argument(
        "--folder", type=Path, default=Path(".run/demo"), help="what it keeps: database, outbox, passwords"
    )
    demo.add_argument("--past", type=_past_days, default=7.0, metavar="DAYS", help="that a new one looks back on [7]")
    _weather(demo)


def _weather(parser: argparse.ArgumentParser) -> None:
    says = "load and sun are those of this moment on, such as 2026-06-07T12:00, and not of today"
    parser.add_argument("--weather", type=datetime.fromisoformat, metavar="TIME", help=says)


def _options(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "bridge":
        parser.add_argument("--name", default="bridge", help="when several bridges share a site")
        parser.add_argument("--device", action="append", metavar="NAME", help="serve only this one; may be repeated")
    if name == "archive":
        parser.add_argument("what", nargs="?", choices=["status"], help="do not run, but say how large it is")
        parser.add_argument("--json", action="store_true", help="with status: one line of JSON")
        parser.add_argument(
            "--forecast", action="store_true", help="with status: how large it becomes, and when the disk is full"
        )
    if name == "simulate":
        parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="switched on from the start")
        parser.add_argument(
            "--past", type=float, default=0.0, metavar="DAYS", help="lived through before its first start"
        )
        _weather(parser)
    if name == "status":
        parser.add_argument("--page", metavar="HOST:PORT", default="127.0.0.1:8080", help="where the page listens")


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Trouble is said in words, without a traceback; where nobody reads what it says it ends."""
    try:
        try:
            return _told(arguments)
        finally:
            sys.stdout.flush()  # a reader that has gone is found here, not when Python ends
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE  # as of any program whose reader has gone


def _told(arguments: list[str] | None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        return _run(parsed)
    except Trouble as trouble:
        print(f"joulebus: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _nobody_reads() -> bool:
    """What we print into was closed, as by `| head`: a broken pipe of another kind is no end in good order."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(0))


def _run(parsed: argparse.Namespace) -> int:
    from runtime.log import set_up  # noqa: PLC0415

    env = _environment(getattr(parsed, "env", None))
    if parsed.command in SERVICES and getattr(parsed, "what", None) is None:
        return _serve(parsed, env)
    if parsed.command == "up":
        from joulebus import up  # noqa: PLC0415

        all_parts = up.Wish(parsed.site, parsed.simulate, parsed.page, parsed.health_from, parsed.env)
        return asyncio.run(up.run(all_parts, env))
    if parsed.command == "demo":
        from joulebus import demo  # noqa: PLC0415

        wish = demo.Wish(
            parsed.site, parsed.folder, parsed.port, parsed.seconds, parsed.json, parsed.weather, parsed.past
        )
        return asyncio.run(demo.run(wish))
    set_up(parsed.command, "WARNING")
    return _short(parsed, env)


def _short(parsed: argparse.Namespace, env: dict[str, str]) -> int:  # noqa: PLR0911  # one line a command
    """What does one thing and ends."""
    match parsed.command:
        case "scan":
            from joulebus import survey  # noqa: PLC0415

            return survey.run(parsed.address, parsed.units, parsed.watch, parsed.write)
        case "commission":
            from joulebus.commission.command import Wish, run  # noqa: PLC0415
            from runtime.settings import read_settings  # noqa: PLC0415
            from schemas.site_file import load_site  # noqa: PLC0415

            settings, wish = read_settings("admin", env), Wish(parsed.full, parsed.no_broker, parsed.battery)
            return run(load_site(parsed.site), settings, parsed.report, wish, yes=parsed.yes)
        case (
            "export" | "gaps" | "money" | "journal" | "archive" | "backup" | "explain" | "battery" | "advice" | "rules"
        ):
            from joulebus import look  # noqa: PLC0415

            return look.run(parsed, env)
        case "check":
            from joulebus.check import check  # noqa: PLC0415

            return check(parsed.site)
        case "limit":
            from joulebus import limit  # noqa: PLC0415

            given = {one: getattr(parsed, one) for one in limit.Wish.__dataclass_fields__}
            return limit.run(limit.Wish(**given), env)
        case "backtest":
            from joulebus.backtest.command import run as backtest  # noqa: PLC0415

            return backtest(parsed, env)
        case "interlocks":
            from joulebus import interlocks  # noqa: PLC0415

            return interlocks.run(parsed.site)
    from joulebus import commands  # noqa: PLC0415

    short: dict[str, Callable[[], int]] = {
        "migrate": lambda: commands.migrate(env),
        "database": lambda: commands.database_users(parsed.passwords, parsed.host, as_sql=parsed.sql, env=env),
        "fault": lambda: commands.fault(parsed.name, parsed.switch == "on", parsed.health),
        "health": lambda: commands.health(parsed.address or env.get("JOULEBUS_HEALTH", "")),
        "outbox": lambda: commands.outbox(parsed.file, parsed.site, env),
        "docs": lambda: commands.docs(parsed.folder),
    }
    return short[parsed.command]()


def _environment(file: Path | None) -> dict[str, str]:
    from runtime.settings import read_env_file  # noqa: PLC0415

    return (read_env_file(file) if file else {}) | dict(os.environ)


def _serve(parsed: argparse.Namespace, env: dict[str, str]) -> int:
    from runtime.log import set_up  # noqa: PLC0415
    from runtime.part import Part  # noqa: PLC0415
    from schemas.site_file import load_site  # noqa: PLC0415

    name = getattr(parsed, "name", parsed.command)
    set_up(name, env.get("JOULEBUS_LOG", "INFO"))
    settings = replace(_settings(parsed, name), again=lambda: _settings(parsed, name))
    asyncio.run(_service(parsed, Part(name, load_site(parsed.site), settings)))
    return 0


def _settings(parsed: argparse.Namespace, name: str) -> Any:  # noqa: ANN401  # it is imported only now
    """As they stand now in the environment and in the files that are named there."""
    from runtime.settings import read_settings  # noqa: PLC0415

    env = {"JOULEBUS_HEALTH": f"127.0.0.1:{SERVICES[parsed.command].health}"} | _environment(parsed.env)
    if parsed.health:
        env["JOULEBUS_HEALTH"] = parsed.health
    if parsed.command == "simulate":  # it speaks Modbus only, and has no password to read
        env = {
            name: value for name, value in env.items() if not name.startswith(("JOULEBUS_BROKER", "JOULEBUS_DATABASE"))
        }
    return read_settings(name, env)


def _service(parsed: argparse.Namespace, part: Any) -> Coroutine[Any, Any, None]:  # noqa: ANN401, PLR0911  # one line a part
    """The part's own shell, imported only now."""
    match parsed.command:
        case "simulate":
            from joulebus.simulate import run as simulate  # noqa: PLC0415

            return simulate(part, parsed.fault, parsed.past, parsed.weather)
        case "bridge":
            from bridges.service import run as bridge  # noqa: PLC0415

            return bridge(part, parsed.device)
        case "archive":
            from consumers.archive.service import run as archive  # noqa: PLC0415
            from joulebus.market_prices import MarketPrices  # noqa: PLC0415

            return archive(part, MarketPrices(part.settings).of)
        case "alarms":
            from consumers.alarms.service import run as alarms  # noqa: PLC0415

            return alarms(part)
        case "optimize":
            from consumers.optimize.service import run as optimize  # noqa: PLC0415

            return optimize(part)
        case "dispatch":
            from consumers.dispatch.service import run as dispatch  # noqa: PLC0415

            return dispatch(part)
        case _:
            from consumers.status.service import run as status  # noqa: PLC0415

            return status(part, *host_and_port(parsed.page))


def host_and_port(address: str) -> tuple[str, int]:
    """`host:port` in two. Raises Trouble for anything else."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise Trouble(f"{address!r} is not host:port")
    return host or "127.0.0.1", int(port)


if __name__ == "__main__":
    sys.exit(main())
