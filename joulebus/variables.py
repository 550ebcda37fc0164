"""The environment variables that a command reads, for its help."""

from dataclasses import dataclass
from textwrap import wrap

PARTS = ("bridge", "archive", "alarms", "optimize", "dispatch", "status", "notify")
"""That speak on the bus."""
SERVED = (*PARTS, "simulate")
ASKS = ("export", "gaps", "journal", "money", "explain", "battery", "advice", "rules")
FETCHES = ("money", "advice", "rules", "backtest")
"""That look for prices where optimize has put those that it fetched."""
PAST = ("history", "explain", "report")
"""Of `joulebus alarm`: what it asks the archive."""
ACTS = ("list", "ack", "shelve", "unshelve", "reset", "comment", "out-of-service", "in-service")
"""Of `joulebus alarm`: what it asks the broker."""
BUS = (*PARTS, "up", "commission", "limit", *(f"alarm {name}" for name in ACTS))
ARCHIVE = (
    *("archive", "optimize", "status", "up", "migrate", "database", "backup", "backtest"),
    *ASKS,
    *(f"alarm {name}" for name in PAST),
)


@dataclass(frozen=True)
class Variable:
    """With what it is for, and the commands that read it. `file`: NAME_FILE may name a file that holds it."""

    name: str
    says: str
    readers: tuple[str, ...]
    file: bool = False


VARIABLES = (
    Variable("BROKER", "mqtt(s)://user@host:port [mqtt://127.0.0.1:1883]", BUS),
    Variable("BROKER_PASSWORD", "of that user", BUS, file=True),
    Variable("BROKER_CA", "mqtts: file with the authority's certificate (PEM)", BUS),
    Variable("BROKER_CERT", "mqtts: file with our own certificate (PEM)", BUS),
    Variable("BROKER_KEY", "mqtts: file with its key (PEM)", BUS),
    Variable("DATABASE", "sqlite+aiosqlite:///FILE [joulebus.db], mariadb+asyncmy://user@host/name", ARCHIVE),
    Variable("DATABASE_PASSWORD", "of that user", ARCHIVE, file=True),
    Variable("UPKEEP_DATABASE", "by which it deletes [JOULEBUS_DATABASE]", ("archive", "up")),
    Variable("UPKEEP_DATABASE_PASSWORD", "of that user", ("archive", "up"), file=True),
    Variable("COMMAND_KEY", "signs commands; bridges then obey no other", ("bridge", "dispatch", "limit", "up"), True),
    Variable("LIMIT_KEY", "signs limits in place of the command key", ("limit",), file=True),
    Variable("LIMIT_KEYS", "lines SOURCE=KEY: whose limits have which key", ("dispatch", "up"), file=True),
    Variable("PRICE_KEY", "follow only topic prices signed with it", ("optimize", "archive", "up"), file=True),
    Variable("PRICE_TOKEN", "to fetch prices with", ("optimize", "up"), file=True),
    Variable("FORECAST_KEY", "follow only topic forecasts signed with it", ("optimize", "up"), file=True),
    Variable("PAGE_TOKEN", "what the page asks of who wants to act", ("status", "up"), file=True),
    Variable("ENGINEER_TOKEN", "the same of who takes alarms out of service", ("status", "up"), file=True),
    Variable("ACK_KEY", "signs the links that acknowledge an alarm", ("notify", "status", "up"), file=True),
    Variable("NOTIFY_<NAME>", "address of the channel NAME", ("notify", "up"), file=True),
    Variable("JOURNAL_KEY", "signs the seals of the journal", ("archive", "journal", "up"), file=True),
    Variable("HEALTH", "host:port of the health endpoint", (*SERVED, "health")),
    Variable("STATE", "folder for what is kept between runs [.]", (*SERVED, "up", "outbox", *FETCHES)),
    Variable("WATCH_DISKS", "NAME=FOLDER,... whose disks must not fill up [STATE]", (*SERVED, "up")),
    Variable("WATCH_CERTIFICATES", "NAME=FILE,... that must not end unseen", (*SERVED, "up")),
    Variable("LOG", "DEBUG, INFO, WARNING or ERROR [INFO]", SERVED),
)
"""Without the JOULEBUS_ before each name."""

PREFIX = "JOULEBUS_"
WIDTH = 79
"""Characters of a line."""
BESIDE = 34
"""Characters at most before the words of a variable."""


def environment_of(command: str) -> str:
    """The lines for its help; nothing where it reads none. `command` is "export", or "alarm list"."""
    read = [one for one in VARIABLES if command in one.readers]
    if not read:
        return ""
    lines = ["environment:"]
    names = [f"  {PREFIX}{one.name}{' *' if one.file else ''}" for one in read]
    column = min(BESIDE, 2 + max(map(len, names)))
    for name, one in zip(names, read, strict=True):
        first = f"{name:<{column}}" if len(name) < column else f"{name}\n{'':{column}}"
        lines.append(first + f"\n{'':{column}}".join(wrap(one.says, WIDTH - column, break_on_hyphens=False)))
    if any(one.file for one in read):
        lines.append("* better: the same name with _FILE names a file that holds it")
    if any(one.name.startswith("BROKER") for one in read):
        lines.append("{role} in a value stands for the user or part")
    return "\n".join(lines)
