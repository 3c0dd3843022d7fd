"""Names of files and folders, as a person types them."""

import os
from pathlib import Path


def expand_home(name: str | Path) -> Path:
    """Return the path that a name stands for, ``~`` being the home folder, as where no shell expands it.

    A name that begins so and is nobody's home, say ``~draft.txt``, is taken as it is, where pathlib would raise.
    """
    return Path(os.path.expanduser(name))  # noqa: PTH111


def cache_folder() -> Path:
    """Return where what is made once and found again at later starts lies; it need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "lyrics-bot")
