"""Where the broker and the database are, from the environment; secrets from files.

What is wrong is said without a word of what was given: a mistyped address is often a password in a wrong place.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from runtime.keys import long_enough, named, read_engineer_token, read_limit_keys, read_page_token, secret, strong, text
from schemas.troubles import Trouble

__all__ = ["Broker", "Settings", "parse_broker", "read_env_file", "read_settings", "secret", "strong", "without_broker"]

BROKER = "mqtt://127.0.0.1:1883"
_WRITE = "write mqtt://user@host:port or mqtts://user@host:port, and the password into JOULEBUS_BROKER_PASSWORD_FILE"
_NAME = re.compile(r"JOULEBUS_[A-Z0-9_]+")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
DATABASE = "sqlite+aiosqlite:///joulebus.db"


@dataclass(frozen=True)
class Broker:
    """Where the broker listens and who we are there."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Without the password: this is printed."""
        return f"mqtt{'s' * self.tls}://{self.user + '@' if self.user else ''}{self.host}:{self.port}"


@dataclass(frozen=True)
class Settings:
    """What differs from machine to machine; what differs from site to site stands in the site file."""

    broker: Broker
    database: str = field(repr=False)
    """A URL, with its password."""
    health: tuple[str, int] | None = None
    """Where the health endpoint listens; port 0 for any free one."""
    state: Path = Path()
    """Folder for what a part keeps between runs, such as the bridge's outbox."""
    page_token: str | None = field(default=None, repr=False)
    """What the status page asks of who wants to act; without it only this machine may. Only the page has it."""
    command_key: str | None = field(default=None, repr=False)
    """With it dispatch signs its commands, and a bridge obeys no other."""
    limit_key: str | None = field(default=None, repr=False)
    """With it `joulebus limit` signs, in place of the command key."""
    limit_keys: Mapping[str, str] | None = field(default=None, repr=False)
    """Whose limits are signed with which key, by source; only dispatch has them. They are worth nothing at a device.
    None where nobody names them; without one of them each limit is refused."""
    price_key: str | None = field(default=None, repr=False)
    """With it optimize follows no prices of the topic that are not signed with it."""
    forecast_key: str | None = field(default=None, repr=False)
    """With it optimize follows no forecasts of a topic that are not signed with it."""
    price_token: str | None = field(default=None, repr=False)
    """What a publisher of prices asks of who fetches them. Only optimize has these three."""
    ack_key: str | None = field(default=None, repr=False)
    """With it notify signs the links that acknowledge an alarm, and the page obeys them. Only these two have it."""
    channels: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The variables with the addresses of the channels; only notify has them."""
    journal_key: str | None = field(default=None, repr=False)
    """With it the archive signs the seals of its journal, and `joulebus journal verify` proves them."""
    upkeep: str | None = field(default=None, repr=False)
    """By which the archive makes rollups, deletes and drops partitions: a URL like `database`, and that when None."""
    watch_disks: dict[str, Path] | None = None
    """By a name for people, the folders whose disks a part watches; None for those of what it keeps itself."""
    watch_certificates: Mapping[str, Path] = field(default_factory=dict)
    """The same of files with certificates, beside those of its own connection."""
    engineer_token: str | None = field(default=None, repr=False)
    """What the status page asks of who takes an alarm out of service; it is good for all else as well."""
    again: "Callable[[], Settings] | None" = field(default=None, repr=False, compare=False)
    """Reads all of it again."""

    def fresh(self) -> "Settings":
        """What stands in the files now: passwords are changed while we run. Raises Trouble when they cannot be read."""
        return replace(self.again(), again=self.again) if self.again else self

    @property
    def limits_signed(self) -> bool:
        """Limits without a signature are not followed."""
        return self.limit_keys is not None or self.command_key is not None

    def keys_of(self, source: str) -> list[str]:
        """What the limits of a source may be signed with: its own key, or the command key, whose holder may do more."""
        own = (self.limit_keys or {}).get(source)
        return [key for key in (own, self.command_key) if key is not None]


def without_broker(env: Mapping[str, str]) -> dict[str, str]:
    """Of a set of variables for all parts what is left for one that speaks to no broker: it has no password there."""
    return {name: value for name, value in env.items() if not name.startswith("JOULEBUS_BROKER")}


def read_settings(role: str, env: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a part; `{role}` in a variable stands for its name, so that one set serves all parts.

    `env` is read again with the files that it names, each time they are asked for anew. Raises Trouble that names the
    variable and what would be right.
    """
    return replace(_read_settings(role, env), again=lambda: _read_settings(role, env))


def _read_settings(role: str, env: Mapping[str, str]) -> Settings:
    env = {name: value.replace("{role}", role) for name, value in env.items() if name.startswith("JOULEBUS_")}
    password = secret(env, "JOULEBUS_BROKER_PASSWORD")
    broker = parse_broker(secret(env, "JOULEBUS_BROKER") or BROKER, role, password, env)
    database = secret(env, "JOULEBUS_DATABASE") or DATABASE
    if secret_word := secret(env, "JOULEBUS_DATABASE_PASSWORD"):
        database = _with_password(database, secret_word)
    upkeep = secret(env, "JOULEBUS_UPKEEP_DATABASE") or database
    if secret_word := secret(env, "JOULEBUS_UPKEEP_DATABASE_PASSWORD"):
        upkeep = _with_password(upkeep, secret_word, "JOULEBUS_UPKEEP_DATABASE")
    state = Path(env.get("JOULEBUS_STATE", "."))
    pages = env if role == "status" else {}  # no other part fails for what the page needs
    token = read_page_token(pages, "JOULEBUS_PAGE_TOKEN")
    engineer_token = read_engineer_token(pages, token)
    key = long_enough(named(env, "JOULEBUS_COMMAND_KEY"), "JOULEBUS_COMMAND_KEY")
    limit_key = long_enough(named(env, "JOULEBUS_LIMIT_KEY"), "JOULEBUS_LIMIT_KEY")
    journal_key = long_enough(named(env, "JOULEBUS_JOURNAL_KEY"), "JOULEBUS_JOURNAL_KEY")
    lines = named(env, "JOULEBUS_LIMIT_KEYS") if role == "dispatch" else None
    limit_keys = None if lines is None else read_limit_keys(lines, key)
    health = _health(env.get("JOULEBUS_HEALTH", ""))
    planner = env if role == "optimize" else {}
    prices = env if role in {"optimize", "archive"} else {}
    price_key = long_enough(named(prices, "JOULEBUS_PRICE_KEY"), "JOULEBUS_PRICE_KEY")
    forecast_key = long_enough(named(planner, "JOULEBUS_FORECAST_KEY"), "JOULEBUS_FORECAST_KEY")
    price_token = secret(planner, "JOULEBUS_PRICE_TOKEN")
    ack_key = named(env, "JOULEBUS_ACK_KEY") if role in {"notify", "status"} else None
    ack_key = long_enough(ack_key, "JOULEBUS_ACK_KEY")
    return Settings(
        broker,
        database,
        health,
        state,
        token,
        engineer_token=engineer_token,
        command_key=key,
        limit_key=limit_key,
        limit_keys=limit_keys,
        price_key=price_key,
        forecast_key=forecast_key,
        price_token=price_token,
        journal_key=journal_key,
        ack_key=ack_key,
        channels={name: text for name, text in env.items() if role == "notify" and name.startswith("JOULEBUS_NOTIFY_")},
        upkeep=upkeep,
        watch_disks=_watched(env, "JOULEBUS_WATCH_DISKS"),
        watch_certificates=_watched(env, "JOULEBUS_WATCH_CERTIFICATES") or {},
    )


def _watched(env: Mapping[str, str], name: str) -> dict[str, Path] | None:
    """NAME=PATH, with a comma between two; None where the variable is absent. Raises Trouble."""
    if name not in env:
        return None
    found: dict[str, Path] = {}
    for one in filter(None, (part.strip() for part in env[name].split(","))):
        who, equals, path = (word.strip() for word in one.partition("="))
        if not equals or not who or not path or who in found:
            raise Trouble(f"{name}: {one!r} is not NAME=PATH with a name of its own, such as broker=/mosquitto/data")
        found[who] = Path(path).absolute()
    return found


def read_env_file(path: Path) -> dict[str, str]:
    """KEY=VALUE lines, `#` for comments: the same variables as in the environment."""
    found: dict[str, str] = {}
    for number, line in enumerate(text(path).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            key, equals, value = line.partition("=")
            if not equals or not _NAME.fullmatch(key.strip()):
                raise Trouble(f"{path}:{number}: the line is not JOULEBUS_...=value")
            found[key.strip()] = value.strip()
    return found


def parse_broker(url: str, role: str, password: str | None, env: Mapping[str, str]) -> Broker:
    """A broker's URL: mqtt(s)://user@host:port. Raises Trouble for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Trouble(f"JOULEBUS_BROKER: the port is not a number from 1 to 65535; {_WRITE}") from None
    if parts.scheme not in ("mqtt", "mqtts") or not _HOST.fullmatch(parts.hostname or ""):
        raise Trouble(f"JOULEBUS_BROKER is not mqtt://user@host:port; {_WRITE}")
    if parts.path.strip("/") or parts.query or parts.fragment:  # a / ? or # in a password ends the address there
        raise Trouble(f"JOULEBUS_BROKER goes on behind the port; {_WRITE}")
    tls = parts.scheme == "mqtts"
    password = unquote(parts.password) if parts.password else password
    user = unquote(parts.username) if parts.username else (role if password else None)
    ca, cert, key = (env.get(f"JOULEBUS_BROKER_{name}") for name in ("CA", "CERT", "KEY"))
    return Broker(str(parts.hostname), port or (8883 if tls else 1883), tls, user, password, ca, cert, key)


def _with_password(database: str, password: str, variable: str = "JOULEBUS_DATABASE") -> str:
    scheme, _, rest = database.partition("://")
    user, at, place = rest.partition("@")
    if not at:
        raise Trouble(f"{variable}_PASSWORD is given, but {variable} names no user: write driver://user@host/name")
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"


def _health(address: str) -> tuple[str, int] | None:
    if not address:
        return None
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise Trouble(f"JOULEBUS_HEALTH: {address!r} is not host:port")
    return host or "127.0.0.1", int(port)
