"""The arguments of `joulebus alarm`, each with its help."""

import argparse
import getpass
import re
from datetime import timedelta

from joulebus.site_command import Commands, plain_command, site_command

LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d)")
SIZES = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
FAR = 400
"""Shifts, days, weeks or months that a report looks back at most."""
PRIORITIES = ("critical", "high", "medium", "low")


def options(commands: Commands) -> None:
    """`joulebus alarm` with all that it does."""
    alarm = plain_command(commands, "alarm", "what is wrong, what was, and what operators say to it")
    alarm.epilog = "The service that judges is `joulebus alarms`."
    each = alarm.add_subparsers(dest="what", required=True, metavar="WHAT")
    _list(each)
    _requests(each)
    _maintenance(each)
    _past(each)
    report = site_command(each, "report", "how well the alarms serve the operator (ISA-18.2)")
    of_report(report)


def of_report(parser: argparse.ArgumentParser) -> None:
    """Of `joulebus alarm report`, and of `joulebus alarms report`."""
    span = parser.add_mutually_exclusive_group()
    for name, says in (("shift", "of the site file"), ("day", ""), ("week", "from Monday on"), ("month", "")):
        words = f"report: the {name} that runs, on the site's clock" + (f"; {says}" if says else "")
        span.add_argument(f"--{name}", dest="span", action="store_const", const=name, help=words)
    parser.add_argument(
        "--before", type=_back, default=0, metavar="N", help="report: so many of these before: 1 is the last whole one"
    )
    parser.add_argument("--from", dest="start", default="", metavar="TIME", help="report: 2026-06-01 [24 hours before]")
    parser.add_argument(
        "--to", dest="end", default="", metavar="TIME", help="report: excluded, in the site's zone [now]"
    )
    parser.add_argument(
        "--operators", type=_positions, metavar="N", help="report: positions that share the alarms [the site file's]"
    )
    parser.add_argument("--json", action="store_true", help="report: one line of JSON")


def _list(each: Commands) -> None:
    parser = site_command(each, "list", "what is not normal; what asks most of an operator first")
    parser.add_argument("--all", action="store_true", help="also what is shelved, suppressed or out of service")
    parser.add_argument("--priority", choices=PRIORITIES, help="of this priority and above")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    _speaker(parser, "operator")


def _requests(each: Commands) -> None:
    ack = site_command(each, "ack", "acknowledge an alarm, or all that wait for it")
    ack.add_argument("name", nargs="?", default="", metavar="NAME")
    ack.add_argument("--all", action="store_true", help="each that is not acknowledged")
    _who(ack, "operator")
    shelve = site_command(each, "shelve", "keep an alarm quiet for a while; it comes back by itself")
    shelve.add_argument("name", metavar="NAME")
    shelve.add_argument(
        "--for", dest="length", type=length, required=True, metavar="TIME", help="30min, 2h; 24h at most"
    )
    _who(shelve, "operator")
    for name, says in (
        ("unshelve", "bring a shelved alarm back"),
        ("reset", "end an alarm that latches, once its cause is gone"),
    ):
        parser = site_command(each, name, says)
        parser.add_argument("name", metavar="NAME")
        _who(parser, "operator")
    comment = site_command(each, "comment", "say something of an alarm to whoever comes later")
    comment.add_argument("name", metavar="NAME")
    comment.add_argument("words", nargs="+", metavar="WORDS")
    _who(comment, "operator", why=False)


def _maintenance(each: Commands) -> None:
    out = site_command(each, "out-of-service", "take an alarm out of service, as an engineer")
    out.add_argument("name", metavar="NAME")
    out.add_argument("--for", dest="length", type=length, required=True, metavar="TIME", help="8h, 3d")
    out.add_argument("--why", required=True, metavar="WORDS", help="who comes later reads it")
    _who(out, "engineer", why=False)
    back = site_command(each, "in-service", "bring an alarm back into service, as an engineer")
    back.add_argument("name", metavar="NAME")
    _who(back, "engineer")


def _past(each: Commands) -> None:
    history = site_command(each, "history", "what happened to alarms, out of the archive")
    history.add_argument("name", nargs="?", default="", metavar="NAME", help="of this one alone")
    history.add_argument("--from", dest="start", default="", metavar="TIME", help="2026-06-01 [24 hours before]")
    history.add_argument("--to", dest="end", default="", metavar="TIME", help="excluded; both in the site's zone [now]")
    how = history.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one line of JSON")
    how.add_argument("--csv", action="store_true", help="a line each")
    explain = site_command(each, "explain", "an alarm's rule in words, and what happened to it")
    explain.add_argument("name", metavar="NAME")
    explain.add_argument(
        "--at", default="", metavar="TIME", help="as it was then: 17:15 or 2026-06-01T17:15 [its last]"
    )
    explain.add_argument("--json", action="store_true", help="one line of JSON")


def _speaker(parser: argparse.ArgumentParser, user: str) -> None:
    parser.add_argument("--as", dest="source", default=user, metavar="USER", help=f"broker user [{user}]")


def _who(parser: argparse.ArgumentParser, user: str, *, why: bool = True) -> None:
    _speaker(parser, user)
    parser.add_argument("--who", type=_name, default=_me(), metavar="NAME", help="who asks [the user of this machine]")
    if why:
        parser.add_argument("--why", default="", metavar="WORDS")


def _me() -> str:
    try:
        return getpass.getuser()[:64]  # $USER, where it is set
    except (OSError, KeyError):  # a container without a name for its user
        return "operator"


def _name(text: str) -> str:
    if not 1 <= len(text.strip()) <= 64:
        raise argparse.ArgumentTypeError("write a name of 1 to 64 letters")
    return text.strip()


def length(text: str) -> timedelta:
    """Such as 30min, 2h or 3d."""
    found = LENGTH.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0 or float(found[1]) * SIZES[found[2]] > timedelta(days=365):
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write 30min, 2h or 3d")
    return float(found[1]) * SIZES[found[2]]


def _back(text: str) -> int:
    if not text.isdecimal() or int(text) > FAR:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of shifts, days, weeks or months: write 0 to {FAR}")
    return int(text)


def _positions(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of operators: write 1 to 100")
    return int(text)
