"""The arguments of the commands that ask or keep the archive."""

from pathlib import Path

from joulebus.argument_types import days, months, size, whole_days
from joulebus.site_command import Commands, env_option, plain_command, site_command


def options(commands: Commands) -> None:
    """Each of them with its help."""
    _records(commands)
    _money(commands)
    _batteries(commands)
    _rules(commands)
    _database(commands)


def _records(commands: Commands) -> None:
    export = site_command(commands, "export", "write points of the archive to a file, CSV or Parquet")
    export.add_argument("--point", action="append", required=True, metavar="DEVICE.POINT", help="may be repeated")
    export.add_argument("--from", dest="start", required=True, metavar="TIME", help="2026-06-01 or 2026-06-01T12:00")
    export.add_argument("--to", dest="end", required=True, metavar="TIME", help="excluded; both in the site's zone")
    export.add_argument("--resolution", choices=["raw", "1m", "15m", "1h"], default="raw")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends with .csv or .parquet")
    gaps = site_command(commands, "gaps", "what is missing in the archive, and how complete it is")
    gaps.add_argument("--days", type=days, default=7.0, help="back from now [7]")
    gaps.add_argument("--json", action="store_true", help="one line of JSON")
    journal = site_command(commands, "journal", "whether anybody changed the record of commands")
    journal.add_argument("what", choices=["verify"])
    journal.add_argument("--head", metavar="NUMBER:HASH", default="", help="the head that was written down last time")


def _money(commands: Commands) -> None:
    money = site_command(commands, "money", "what was paid each day, with the battery and without it")
    money.add_argument("--days", type=whole_days, default=30, help="local days back, with today [30]")
    money.add_argument("--month", default="", help="its bill alone, such as 2026-06 [this one and the last]")
    how = money.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one line of JSON")
    how.add_argument("--csv", action="store_true", help="a line a day, every column")
    explain = site_command(commands, "explain", "what the battery did at a time, why, and what it cost or saved")
    explain.add_argument("--at", default="now", metavar="TIME", help="now, 17:15 or 2026-06-01T17:15 (Z for UTC) [now]")
    explain.add_argument("--json", action="store_true", help="one line of JSON")


def _batteries(commands: Commands) -> None:
    battery = site_command(commands, "battery", "how much energy each battery holds, and how much is lost")
    battery.add_argument("--days", type=days, default=90.0, help="back from now [90]")
    battery.add_argument("--json", action="store_true", help="one line of JSON")
    advice = site_command(commands, "advice", "what would save money: peaks, tariffs, battery sizes")
    advice.add_argument("--months", type=months, default=12, help="back, with this one [12]")
    advice.add_argument("--tariff", type=Path, metavar="FILE", help="the same measured energy by another tariff file")
    advice.add_argument("--size", type=size, action="append", default=[], metavar="KWH",
                        help="a battery to try; may be repeated [half, all and twice the site's own]")  # fmt: skip
    advice.add_argument("--json", action="store_true", help="one line of JSON")


def _rules(commands: Commands) -> None:
    rules = site_command(commands, "rules", "the site's rules in words, and what they would have done")
    rules.add_argument("what", nargs="?", choices=["explain", "try"], default="explain", help="[explain]")
    rules.add_argument("--from", dest="start", default="", metavar="TIME", help="try: 2026-06-01 [seven days before]")
    rules.add_argument("--to", dest="end", default="", metavar="TIME", help="excluded; both in the site's zone [now]")
    rules.add_argument("--rule", default="", metavar="NAME", help="try only this one")
    rules.add_argument("--file", type=Path, metavar="FILE", help="rules in place of those of the site file")


def _database(commands: Commands) -> None:
    database = plain_command(commands, "database", "a user of the MariaDB for each part, with the least rights")
    database.add_argument("what", choices=["users"])
    database.add_argument(
        "--passwords", type=Path, required=True, metavar="FOLDER", help="with a file for each, such as database-archive"
    )
    database.add_argument("--host", default="%", help="where they come from: 10.0.0.%% or 127.0.0.1 [any]")
    database.add_argument("--sql", action="store_true", help="do nothing, print it for the server's own client")
    env_option(database)
    backup = plain_command(commands, "backup", "copy the embedded archive while it is being written")
    backup.add_argument("file", type=Path)
    env_option(backup)
    migrate = plain_command(commands, "migrate", "bring the archive's tables up to date")
    env_option(migrate)
