"""The store as the bot has it: opened here, and put together of its parts."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from bot.store.lists import ListStore
from bot.store.migrations import StoreError, migrate
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
            StoreError: Where the file is no database of this bot or cannot be written.
        """
        async with AsyncExitStack() as stack:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                db = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
                db.row_factory = aiosqlite.Row
                for pragma in _PRAGMAS:
                    await db.execute(pragma)
                await migrate(db)
                await db.execute(
                    "UPDATE request SET state = 'stopped', error = ? WHERE state = 'queued'", [INTERRUPTED]
                )
            except (OSError, sqlite3.Error) as error:
                raise StoreError(
                    f"The database {path} cannot be used ({error}): free it, or set DATABASE to another file."
                ) from error
            yield cls(db)

    async def command_fingerprint(self, application_id: int) -> str | None:
        """Return the fingerprint of the commands that Discord was last told of, if any."""
        row = await self._one("SELECT fingerprint FROM command_sync WHERE application_id = ?", application_id)
        return row["fingerprint"] if row else None

    async def set_command_fingerprint(self, application_id: int, fingerprint: str) -> None:
        """Keep the fingerprint of the commands that Discord was just told of."""
        await self._write(
            "INSERT INTO command_sync VALUES (?, ?)"
            " ON CONFLICT (application_id) DO UPDATE SET fingerprint = excluded.fingerprint",
            [application_id, fingerprint],
        )
