"""Copies of the database: made while the bot runs, put back, and one before every change of the schema."""

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bot.store.file import StoreError, alone, explained
from bot.store.migrations import missing_migrations

log = logging.getLogger(__name__)

KEPT_DAYS = 7
"""Days for which the copy before a change of the schema is kept: what members have deleted since is still in it."""

_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database: it belongs to that one file and to no other."""


def back_up(database: Path, copy: Path) -> None:
    """Write all that is in the database into a new file, whole or not at all; the bot may go on meanwhile.

    SQLite copies what was last committed (https://sqlite.org/backup.html).

    Raises:
        StoreError: Where there is no such database, it cannot be read, or the copy is there already.
    """
    if not database.is_file():
        raise StoreError(f"There is no database {database} to copy: look where DATABASE points.")
    if copy.exists():
        raise StoreError(f"{copy} is there already: name a new file.")
    with explained(database), _drafted(copy) as draft:
        _copy(database, draft)


def find_damage(database: Path) -> list[str]:
    """Return what SQLite finds wrong with a database; reads all of it, and changes nothing.

    Raises:
        StoreError: Where there is no such database, or it cannot be read at all.
    """
    if not database.is_file():
        raise StoreError(f"There is no database {database}: look where DATABASE points.")
    with explained(database), closing(sqlite3.connect(database)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            return found
        orphans = Counter((table, parent) for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"))
    return [f"{count} rows of {table} belong to no {parent}" for (table, parent), count in orphans.items()]


def restore(copy: Path, database: Path) -> Path | None:
    """Put a copy in the place of the database, and return where that lies now, if there was one.

    Raises:
        StoreError: Where the copy is damaged or of something else, or a bot uses the database.
    """
    if damage := find_damage(copy):
        raise StoreError(f"{copy} is damaged ({damage[0]}): put back another copy.")
    with explained(copy), closing(sqlite3.connect(copy)) as connection:
        if missing_migrations(connection) is None:
            raise StoreError(f"{copy} is no database of this bot: put back another copy.")
    with explained(database), alone(database), _drafted(database) as draft:
        _copy(copy, draft)
        return _set_aside(database)


def copy_before_migrating(database: Path) -> None:
    """Copy the database where its schema is about to change, and delete such copies as are older than a week.

    Raises:
        StoreError: Where it is of a newer version of the bot.
        OSError: Where the disk has no room for the copy.
        sqlite3.Error: Where the database cannot be read.
    """
    for old in database.parent.glob(f"{database.name}.before-*"):
        if time.time() - old.stat().st_mtime > KEPT_DAYS * 86_400:
            old.unlink()
    with closing(sqlite3.connect(database)) as connection:
        missing = missing_migrations(connection)
    if not missing:
        return
    copy = database.with_name(f"{database.name}.before-{min(missing):04}")
    log.info("Copying the database to %s, as a new version of the bot changes it", copy)
    with _drafted(copy) as draft:
        _copy(database, draft)


@contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    """Give a file to write to, which takes the place of ``target`` once that is done."""
    draft = target.with_name(f".{target.name}.draft")
    try:
        draft.touch(mode=0o600)
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
        writer.execute("PRAGMA journal_mode = DELETE")  # So that it is one file, with nothing beside it.


def _set_aside(database: Path) -> Path | None:
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.replaced-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    for ending in ("", *_BESIDE):
        beside = database.with_name(database.name + ending)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + ending))
    return aside
