"""Secrets from the environment and from files, and which of them are strong enough.

What is wrong is said without a word of what was given.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from schemas.troubles import Trouble
from schemas.units import NAME

Text = TypeVar("Text", str, str | None)
SHORTEST_KEY = 16
"""Characters: a shorter key, or token, could be guessed."""
FEWEST_SIGNS = 5
"""Different characters of a token: a key that was held down is none."""


def secret(env: Mapping[str, str], name: str) -> str | None:
    """A variable, or the content of the file that `name`_FILE names."""
    if name in env:
        return env[name]
    if path := env.get(f"{name}_FILE"):
        return text(Path(path), f"{name}_FILE: ").strip()
    return None


def named(env: Mapping[str, str], name: str) -> str | None:
    """A secret without which more is obeyed: a variable for its file that names none is a mistake. Raises Trouble."""
    if name not in env and env.get(f"{name}_FILE") == "":
        raise Trouble(f"{name}_FILE names no file: write its path, or leave the variable out")
    return secret(env, name)


def text(path: Path, where: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise Trouble(f"{where}{path} cannot be read: {wrong.strerror}") from None
    except UnicodeDecodeError:
        raise Trouble(f"{where}{path} cannot be read: it is not UTF-8") from None


def long_enough(key: Text, where: str) -> Text:
    if key is not None and len(key) < SHORTEST_KEY:
        raise Trouble(f"{where} has {len(key)} characters, it needs {SHORTEST_KEY}: openssl rand -hex 32")
    return key


def read_limit_keys(text: str, command_key: str | None) -> dict[str, str]:
    """A line for each source that limits, `dso=KEY`; `#` for comments. Raises Trouble that names the line and shows
    nothing of it."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"JOULEBUS_LIMIT_KEYS: line {number}"
        source, key = (part.strip() for part in line.partition("=")[::2])
        if not re.fullmatch(NAME, source):
            raise Trouble(f"{where} is not SOURCE=KEY, such as dso=..., with a source of command_sources")
        if source in found:
            raise Trouble(f"{where} gives {source} a second key: one line for each source")
        if key == command_key:
            raise Trouble(f"{where} gives {source} the command key: who limits could command; openssl rand -hex 32")
        if key in found.values():
            raise Trouble(f"{where} gives {source} the key of another one: either could speak for both")
        found[source] = long_enough(key, where)
    return found


def strong(token: str, name: str = "JOULEBUS_PAGE_TOKEN") -> str:
    """A token of the page, as it is. Raises Trouble for one that could be guessed, or that no browser can send."""
    if len(token) < SHORTEST_KEY or len(set(token)) < FEWEST_SIGNS:
        few = f"{len(token)} characters, {len(set(token))} different ones"
        raise Trouble(f"{name} has {few}; it needs {SHORTEST_KEY}, made by chance: openssl rand -hex 32")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Trouble(f"{name}: a token holds only letters, digits and signs of ASCII: openssl rand -hex 32")
    return token


def read_page_token(env: Mapping[str, str], name: str) -> str | None:
    """None when none is wanted. A variable that is there but empty is a mistake: it must not open the page."""
    if not env.keys() & {name, f"{name}_FILE"}:
        return None
    return strong(secret(env, name) or "", name)


def read_engineer_token(env: Mapping[str, str], page_token: str | None) -> str | None:
    token = read_page_token(env, "JOULEBUS_ENGINEER_TOKEN")
    if token is None:
        return None
    if page_token is None:
        raise Trouble("JOULEBUS_ENGINEER_TOKEN needs JOULEBUS_PAGE_TOKEN, which operators show: set both, or neither")
    if token == page_token:
        raise Trouble("JOULEBUS_ENGINEER_TOKEN is the same as JOULEBUS_PAGE_TOKEN: then every operator is an engineer")
    return token
