"""The command line. A part is imported only when it runs: a bridge never loads pandas."""

import argparse
import asyncio
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from joulebus.arguments import build_parser
from joulebus.parts import SERVICES
from joulebus.start import environment, serve
from schemas.troubles import Trouble, Usage, of_the_machine


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
    part = False
    try:
        parsed = build_parser().parse_args(arguments)
        part = _is_part(parsed)
        return _run(parsed)
    except Trouble as trouble:
        print(f"joulebus: {trouble}", file=sys.stderr)
        return 2 if isinstance(trouble, Usage) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except OSError as wrong:  # of a file that nobody was more careful with
        print(f"joulebus: {of_the_machine(wrong)}", file=sys.stderr)
        return 1
    except Exception as wrong:
        if part or os.environ.get("JOULEBUS_LOG") == "DEBUG":  # the log of a part is for engineers
            raise
        print(f"joulebus: {_own_fault(wrong)}", file=sys.stderr)
        return 1


def _is_part(parsed: argparse.Namespace) -> bool:
    """It runs until it is told to stop."""
    return parsed.command in SERVICES and getattr(parsed, "what", None) is None


def _own_fault(wrong: Exception) -> str:
    """A mistake of ours in one line, with its place."""
    frame = traceback.extract_tb(wrong.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return (
        f"this is a mistake in joulebus and not in what you gave: {type(wrong).__name__}: {wrong} ({place}); "
        "with JOULEBUS_LOG=DEBUG it shows where it comes from"
    )


def _nobody_reads() -> bool:
    """What we print into was closed, as by `| head`: a broken pipe of another kind is no end in good order."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(0))


def _run(parsed: argparse.Namespace) -> int:
    from runtime.log import set_up  # noqa: PLC0415

    env = environment(getattr(parsed, "env", None))
    if _is_part(parsed):
        return serve(parsed, env)
    if parsed.command == "up":
        from joulebus import site_broker, up  # noqa: PLC0415

        broker = site_broker.wished(parsed.broker_port, parsed.mqtts, own=parsed.with_broker)
        all_parts = up.Wish(parsed.site, parsed.simulate, parsed.page, parsed.health_from, parsed.env, broker)
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
        case "alarm" | "alarms":
            from joulebus.alarm.command import run as alarm  # noqa: PLC0415

            return alarm(parsed, env)
        case "check":
            from joulebus.check import check  # noqa: PLC0415

            return check(parsed.site)
        case "notify":
            from joulebus import notify_test  # noqa: PLC0415

            return notify_test.run(parsed.site, parsed.channel, parsed.person, env)
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
    return _shortest(parsed, env)


def _shortest(parsed: argparse.Namespace, env: dict[str, str]) -> int:
    """What needs no more than a call."""
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


if __name__ == "__main__":
    sys.exit(main())
