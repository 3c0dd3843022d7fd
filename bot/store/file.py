"""The database as a file: whether it can be used, by this process alone, and in words why not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from model import LyricsError

_OTHER = "set DATABASE to another file"
_MEND = f"put a backup back (python -m bot restore FILE), or {_OTHER}."
_FORBIDDEN = f"cannot be written: let this user write the file and its folder, or {_OTHER}."

_OWNER_ALONE = 0o600

_PATIENCE = 0.5
"""Seconds in which another program may let go of the file."""

_REASONS = {
    sqlite3.SQLITE_NOTADB: f"is no SQLite database, or a damaged one: {_MEND}",
    sqlite3.SQLITE_CORRUPT: f"is damaged: {_MEND}",
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_BUSY: f"is held by another program: end that, or {_OTHER}.",
    sqlite3.SQLITE_FULL: f"has no room left on its disk: free some, or {_OTHER}.",
}
"""What a database does, by SQLite's code for it (https://sqlite.org/rescode.html), and what to do."""


class StoreError(LyricsError):
    """The database cannot be used."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say of a database into a sentence.

    Raises:
        StoreError: With that sentence.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest of it is the finer reason
        reason = _REASONS.get(code, f"cannot be used ({error}): {_MEND}")
        raise StoreError(f"The database {path} {reason}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(f"The database {path} is to lie in what is no folder: {_OTHER}.") from error
    except PermissionError as error:
        raise StoreError(f"The database {path} {_FORBIDDEN}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"The database {path} cannot be used ({reason}): mend that, or {_OTHER}.") from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the database for this process alone, and make its folder where there is none; blocks on the disk.

    Raises:
        StoreError: Where another bot has the database, or it is a folder.
        OSError: Where the file system refuses it.
        sqlite3.Error: Where SQLite cannot write it.
    """
    if path.is_dir():
        raise StoreError(f"The database {path} is a folder: set DATABASE to a file in it, say {path / 'lyrics.db'}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    _keep_to_owner(path)
    _check_writable(path)
    with alone(path):
        yield


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other bot from the database, whatever state that is in.

    The lock is the operating system's, on a file beside the database: it ends with the process, however that ends.

    Raises:
        StoreError: Where another bot has the database.
        OSError: Where the file system refuses the lock.
    """
    try:
        holding = FileLock(f"{path}.lock", thread_local=False).acquire(timeout=0)
    except Timeout as error:
        raise StoreError(f"The database {path} is in use by another bot: end that one, or {_OTHER}.") from error
    with holding:
        yield


def _keep_to_owner(path: Path) -> None:
    """Let nobody but the file's owner read it, nor what SQLite keeps beside it, which has the same permissions."""
    path.touch(mode=_OWNER_ALONE)
    with suppress(PermissionError):  # Whose it is not may be let in by its group all the same.
        path.chmod(_OWNER_ALONE)


def _check_writable(path: Path) -> None:
    """Write nothing, but have SQLite make ready to: what is wrong with the file shows here."""
    with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.execute("ROLLBACK")
