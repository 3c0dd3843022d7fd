"""The store as the bot has it: opened here, and put together of its parts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from bot.store.file import explained, held
from bot.store.lists import ListStore
from bot.store.migrations import migrate
from bot.store.privacy import PrivacyStore
from bot.store.settings import SettingsStore

INTERRUPTED = "The bot went down while this was being written."

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # Safe with WAL, and a commit does not wait for the disk: only a power cut can lose the last ones.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    # What is deleted is overwritten: forgetting is more than no longer finding.
    "PRAGMA secure_delete = ON",
)


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
                db = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
                db.row_factory = aiosqlite.Row
                for pragma in _PRAGMAS:
                    await db.execute(pragma)
                await migrate(db)
                await db.execute(
                    "UPDATE request SET state = 'stopped', error = ? WHERE state = 'queued'", [INTERRUPTED]
                )
            yield cls(db)
