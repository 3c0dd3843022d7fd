"""What may stand behind ``python -m bot``."""

import argparse
import textwrap
from collections.abc import Sequence

from bot.config import Config
from model.paths import expand_home

_ABOUT = """\
Write lyrics on Discord, with a model of your own. With no DISCORD_TOKEN, a local preview starts instead: the same
bot in a simulated Discord, in your browser, on your machine alone."""

_COMMANDS = {
    "backup": ("Write a copy of the database, also while the bot runs", "A new file"),
    "restore": ("Put a copy back in its place; the bot must not run", "What backup wrote"),
    "check": ("Look for damage in the database", None),
}
"""What each does with the database of the settings, and what its argument is."""

_NAME_WIDTH, _LINE_WIDTH = 32, 110


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; an argument that is not known, or ``--help``, ends the process with an answer.

    Raises:
        SystemExit: 2 where there is such an argument, 0 after the help.
    """
    parser = argparse.ArgumentParser(
        "python -m bot",
        description=_ABOUT,
        epilog=_list_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name, (does, argument) in _COMMANDS.items():
        command = commands.add_parser(name, help=does, description=f"{does}.", allow_abbrev=False)
        if argument:
            command.add_argument("file", type=expand_home, metavar="FILE", help=argument)
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unknown argument: {' '.join(unknown)} (settings go into the environment or .env: see --help)")
    return known


def _list_settings() -> str:
    lines = ["settings, in the environment or in .env:"]
    for name, field in Config.model_fields.items():
        default = "" if field.default is None else f" [{field.default}]"
        indent = " " * _NAME_WIDTH
        described = textwrap.fill(
            f"{field.description}{default}", _LINE_WIDTH, initial_indent=indent, subsequent_indent=indent
        )
        lines.append(f"  {name.upper()}".ljust(_NAME_WIDTH) + described.lstrip())
    return "\n".join(lines)
