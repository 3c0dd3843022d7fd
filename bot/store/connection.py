"""The connections that every part of the store shares: one that writes, and some that read meanwhile."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite


class Connection:
    """What the parts of the store have in common; every public method of theirs is one transaction, or says otherwise.

    Who reads never waits for who writes: SQLite's write-ahead log gives a reader what was last committed.

    Args:
        writer: The one connection that writes.
        readers: Connections that only read.
    """

    def __init__(self, writer: aiosqlite.Connection, readers: Sequence[aiosqlite.Connection]) -> None:
        self._db = writer
        # The connection is shared, so a transaction of several statements must have it for itself.
        self._writing = asyncio.Lock()
        self._idle: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        for reader in readers:
            self._idle.put_nowait(reader)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[aiosqlite.Connection]:
        """Lend a connection to read by."""
        reader = await self._idle.get()
        try:
            yield reader
        finally:
            self._idle.put_nowait(reader)

    async def _all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        async with self._reading() as db:
            return list(await db.execute_fetchall(sql, values))

    async def _one(self, sql: str, *values: object) -> sqlite3.Row | None:
        async with self._reading() as db:
            return await first(db, sql, *values)

    async def _number(self, sql: str, *values: object) -> int:
        """Return the one number that a query is for."""
        row = await self._one(sql, *values)
        assert row is not None, "it counts"
        return int(row[0])

    async def _write(self, sql: str, values: Iterable[Any]) -> aiosqlite.Cursor:
        """Run one statement on its own, never inside a transaction that another task has open."""
        async with self._writing:
            return await self._db.execute(sql, values)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Lend the connection that writes; what is read in a transaction is read by it, too."""
        async with self._writing:
            try:
                await self._db.execute("BEGIN IMMEDIATE")
                yield self._db
            except BaseException:
                await self._db.rollback()
                raise
            await self._db.commit()


async def run_many(db: aiosqlite.Connection, sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run a statement for each row.

    Its cursor is closed on the connection's own thread: dropped on another, it resets the statement, which the library
    shares with whoever runs the same one by then.
    """
    async with db.executemany(sql, rows):
        pass


async def first(db: aiosqlite.Connection, sql: str, *values: object) -> sqlite3.Row | None:
    """Return the first row of a query, if it has any."""
    async with db.execute(sql, values) as cursor:
        return await cursor.fetchone()
