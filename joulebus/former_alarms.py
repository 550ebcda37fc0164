"""Keys of alarm rules that the version before called otherwise: they are still read, and `joulebus check` says where
they stand. Pure but for reading the file."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.site_alarm import FORMER


def former_keys(path: Path) -> Iterator[tuple[str, str]]:
    """Each in the `[[alarm]]` tables of a site file that was loaded: its place, and what to write instead."""
    tables = tomllib.loads(path.read_text(encoding="utf-8")).get("alarm", [])
    for number, rule in enumerate(tables if isinstance(tables, list) else []):
        if isinstance(rule, dict):
            yield from ((f"alarm.{number}.{key}", f"{words}; this version still reads it") for key, words in _of(rule))


def _of(rule: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for old, new in FORMER.items():
        if old in rule and new not in rule:  # else it is refused
            yield old, f"`{old}` is called `{new}` now"
    if "clear" not in rule or "deadband" in rule:
        return
    limit, clear = rule.get("above", rule.get("below")), rule["clear"]
    if isinstance(limit, int | float) and isinstance(clear, int | float):
        yield "clear", f"is a distance from the limit now: write deadband = {abs(limit - clear):.10g}"
