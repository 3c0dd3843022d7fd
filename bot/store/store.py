"""The store as the bot has it: opened here, and put together of its parts."""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from bot.store.connection import first
from bot.store.copies import copy_before_migrating
from bot.store.file import explained, held
from bot.store.lists import ListStore
from bot.store.migrations import migrate
from bot.store.privacy import PrivacyStore
from bot.store.settings import SettingsStore

log = logging.getLogger(__name__)

INTERRUPTED = "The bot went down while this was being written."

_READERS = 3
"""Connections that read: as many reads at a time, of which a long one holds up no other."""

_LOG_SIZE = 16 * 2**20
"""Bytes at which SQLite's log is cut, once all of it is in the file."""

_BEFORE_MIGRATING = (
    "PRAGMA auto_vacuum = FULL",  # What was deleted gives its room back. It must be said before the first table.
    "PRAGMA journal_mode = WAL",
    f"PRAGMA journal_size_limit = {_LOG_SIZE}",
    # Safe with WAL, and a commit does not wait for the disk: only a power cut can lose the last ones.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)

# What is deleted is overwritten: forgetting is more than no longer finding.
_AFTER_MIGRATING = ("PRAGMA secure_delete = ON",)

_FULL = 1
"""SQLite's number for the kind of vacuum."""


class Store(ListStore, PrivacyStore, SettingsStore):
    """The bot's memory. Open it with ``Store.open``; every method is one transaction."""

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open the database file, made and migrated where needed, and close it at the end.

        Requests that a crash left unfinished are marked as stopped.

        Raises:
            StoreError: Where the file cannot be used; its sentence says why, and what to do.
        """
        async with AsyncExitStack() as stack:
            with explained(path):
                stack.enter_context(held(path))
                copy_before_migrating(path)
                db = await _connect(stack, path, _BEFORE_MIGRATING)
                await migrate(db)
                await _make_room_be_given_back(db, path)
                for pragma in _AFTER_MIGRATING:
                    await db.execute_fetchall(pragma)
                await db.execute(
                    "UPDATE request SET state = 'stopped', error = ? WHERE state = 'queued'", [INTERRUPTED]
                )
                readers = [await _connect(stack, path, ("PRAGMA query_only = ON",)) for _ in range(_READERS)]
            yield cls(db, readers)


async def _connect(stack: AsyncExitStack, path: Path, pragmas: Iterable[str]) -> aiosqlite.Connection:
    db = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
    db.row_factory = aiosqlite.Row
    for pragma in pragmas:
        await db.execute_fetchall(pragma)
    return db


async def _make_room_be_given_back(db: aiosqlite.Connection, path: Path) -> None:
    """Write a file of an earlier version anew, once, as that is how SQLite begins to give room back."""
    if await first(db, "SELECT * FROM pragma_auto_vacuum WHERE auto_vacuum = ?", _FULL) is None:
        log.info("Writing the database %s anew, which is done once and may take some minutes", path)
        await db.execute("VACUUM")
