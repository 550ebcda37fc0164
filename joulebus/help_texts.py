"""What `joulebus --help` shows to somebody who sees it for the first time: its commands in groups, a line each."""

from collections.abc import Mapping

GROUPS: Mapping[str, tuple[str, ...]] = {
    "see it work": ("demo", "fault"),
    "set a site up": ("scan", "check", "interlocks", "migrate", "commission", "up"),
    "the parts, each a process of its own": (
        "bridge",
        "archive",
        "alarms",
        "optimize",
        "dispatch",
        "status",
        "notify",
        "simulate",
    ),
    "operate it": ("alarm", "limit", "health", "outbox"),
    "know what was, and why": ("explain", "money", "battery", "advice", "gaps", "journal", "export"),
    "try a change on the past": ("rules", "backtest"),
    "keep it": ("backup", "database", "docs"),
}
"""Every command stands in one of them."""

WIDTH = 79
"""Characters of a line: a terminal of 80 columns wraps nothing."""
NAME = 12
"""Characters that the longest name of a command takes, with the gap after it."""


def overview(says: Mapping[str, str]) -> str:
    """The groups with their commands; `says` is the line of each command."""
    blocks = ["An energy management system for sites with a battery."]
    for title, names in GROUPS.items():
        blocks.append("\n".join([f"{title}:", *(f"  {name:<{NAME}}{says[name].removesuffix('.')}" for name in names)]))
    return "\n\n".join(blocks)


CLOSING = """\
New here? Begin with `joulebus demo`. A command's options and the environment
variables that it reads: `joulebus COMMAND --help`. How a command ends: 0 done,
1 trouble (stderr says what is wrong), 2 wrong usage."""
