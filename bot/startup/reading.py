"""Reads the host's settings, and says what is wrong with them: all of it at once."""

import difflib
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError

from bot.config import ENV_ENCODING, ENV_FILE, Config
from model import SettingsError, describe_violations

log = logging.getLogger(__name__)

_NEAR = 0.75
"""How alike a name in ``.env``, the bot's own file, is to the setting that was meant: difflib's ratio, 0 to 1."""

_VERY_NEAR = 0.85
"""The same in the environment, which is everybody's."""


def read_config() -> Config:
    """Read the settings.

    Raises:
        SettingsError: Where some are bad, or misspelt; it names every one.
    """
    problems = []
    in_file = _names_in(ENV_FILE)
    try:
        config = Config()
    except ValidationError as error:
        problems = describe_violations(error).splitlines()
    problems += misspelt(os.environ, in_file)
    if problems:
        raise SettingsError("\n".join(["Please correct these settings:", *problems]))
    return config


def misspelt(environment: Mapping[str, str], in_file: Iterable[str]) -> list[str]:
    """Return a sentence for each name that was likely meant for a setting of the bot's, and is none.

    A name is not taken for a misspelt setting where that setting itself is there. In the environment, settings of one
    plain word (``MODEL``) have neighbours that mean something else (``MODE``), and are left alone.

    Args:
        environment: The process's.
        in_file: The names in ``.env``.
    """
    settings = [name.upper() for name in Config.model_fields]
    given = {name.upper() for name in (*environment, *in_file)}
    absent = [name for name in settings if name not in given]
    own = [name for name in absent if "_" in name]
    places = [(".env", sorted(in_file), absent, _NEAR), ("the environment", sorted(environment), own, _VERY_NEAR)]
    return [
        f"{name}, in {place}, is no setting: did you mean {meant[0]}?"
        for place, names, candidates, cutoff in places
        for name in names
        if name.upper() not in settings
        if (meant := difflib.get_close_matches(name.upper(), candidates, 1, cutoff))
    ]


def warn_of_unknown_names() -> None:
    """Log which names in ``.env`` are no settings: nobody reads them there."""
    settings = {name.upper() for name in Config.model_fields}
    if unknown := sorted(name for name in _names_in(ENV_FILE) if name.upper() not in settings):
        log.warning("%s has %s: no settings of the bot's, so they do nothing", ENV_FILE, ", ".join(unknown))


def _names_in(file: Path) -> list[str]:
    """Return the names that ``.env`` sets; none where there is no such file."""
    try:
        return list(dotenv_values(file, encoding=ENV_ENCODING))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is no UTF-8 text ({error}): save it as UTF-8.") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): let this user read it.") from error
