"""A command of the command line that is about a site."""

import argparse
from pathlib import Path
from typing import TypeAlias

from joulebus.shipped_sites import site_file

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What the commands are added to."""


def site_command(commands: Commands, name: str, says: str) -> argparse.ArgumentParser:
    """A new one called `name`, with its help and the arguments that all of these have."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=says, description=says[:1].upper() + says[1:].replace("%%", "%") + "."
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
