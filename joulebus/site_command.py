"""A command of the command line, and one that is about a site."""

import argparse
from pathlib import Path
from typing import TypeAlias

from joulebus.shipped_sites import site_file
from joulebus.variables import environment_of

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What the commands are added to."""
PROGRAM = "joulebus"


def plain_command(commands: Commands, name: str, says: str) -> argparse.ArgumentParser:
    """A new one called `name`: a line on what it does, and the variables that it reads below its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=says,
        description=says[:1].upper() + says[1:].replace("%%", "%") + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.epilog = environment_of(parser.prog.removeprefix(f"{PROGRAM} "))
    return parser


def site_command(commands: Commands, name: str, says: str) -> argparse.ArgumentParser:
    """The same with the arguments that all have that are about a site."""
    parser = plain_command(commands, name, says)
    parser.add_argument(
        "--site",
        type=site_file,
        default=Path("site.toml"),
        metavar="FILE",
        help="the site file [site.toml], or `large` for a shipped one",
    )
    env_option(parser)
    return parser


def env_option(parser: argparse.ArgumentParser) -> None:
    """Variables from a file."""
    parser.add_argument("--env", type=Path, metavar="FILE", help="variables as KEY=VALUE lines; the environment wins")
