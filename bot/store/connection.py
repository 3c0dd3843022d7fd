"""The connection that every part of the store shares, and transactions on it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite


class Connection:
    """What the parts of the store have in common; every public method of theirs is one transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._db = connection
        # The connection is shared, so a transaction of several statements must have it for itself.
        self._writing = asyncio.Lock()

    async def _write(self, sql: str, values: Iterable[Any]) -> aiosqlite.Cursor:
        """Run one statement on its own, never inside a transaction that another task has open."""
        async with self._writing:
            return await self._db.execute(sql, values)

    async def _one(self, sql: str, *values: object) -> sqlite3.Row | None:
        async with self._db.execute(sql, values) as cursor:
            return await cursor.fetchone()

    async def _number(self, sql: str, *values: object) -> int:
        """Return the one number that a query is for."""
        row = await self._one(sql, *values)
        assert row is not None, "it counts"
        return int(row[0])

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._writing:
            await self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                await self._db.rollback()
                raise
            await self._db.commit()
