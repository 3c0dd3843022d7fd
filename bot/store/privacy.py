"""What is kept about a member as a whole: given out, counted, deleted, and for how long it is kept.

The tables are found by their column ``user_id``, so that one which is added later is not forgotten here.
"""

import asyncio
import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import aiosqlite

from bot.store.connection import Connection, first
from bot.store.requests import as_kept
from model import LyricsError

Counts = dict[str, int]
"""Rows by table; tables without any are left out."""

_SONGS = """
    SELECT song.request_id, song.number, lyric, finish_reason, song.num_tokens, added_at AS favourite_since
    FROM request JOIN song ON song.request_id = id LEFT JOIN favourite USING (request_id, number)
    WHERE user_id = ? ORDER BY song.request_id, song.number
"""

_SLICE = 50
"""Requests that are deleted in one transaction: others write between two."""

_BUSY = 100
"""Milliseconds that emptying the log waits for whoever reads."""


class StillWriting(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """A member has a request under way, which would be kept when it ends."""


class PrivacyStore(Connection):
    """The part of the store that knows what belongs to whom."""

    async def personal_data(self, user_id: int) -> dict[str, list[dict[str, Any]]]:
        """Return every row about a user by table, for JSON; the songs stand in their requests."""
        async with self._reading() as db:
            await db.execute("BEGIN")  # All of it is read as it was at one moment.
            try:
                tables = {
                    # The tables are named by the schema.
                    table: await db.execute_fetchall(f'SELECT * FROM "{table}" WHERE user_id = ?', [user_id])  # noqa: S608
                    for table in await _personal_tables(db)
                }
                songs = await db.execute_fetchall(_SONGS, [user_id])
            finally:
                await db.rollback()
        # Off the event loop, as a long history takes a while.
        return await asyncio.to_thread(_put_together, tables, songs)

    async def personal_counts(self, user_id: int) -> Counts:
        """Count what is kept about a user."""
        mine = "request_id IN (SELECT id FROM request WHERE user_id = ?)"
        counts = {}
        async with self._reading() as db:
            wheres = dict.fromkeys(await _personal_tables(db), "user_id = ?") | {"song": mine, "favourite": mine}
            for table, where in wheres.items():
                sql = f'SELECT count(*) FROM "{table}" WHERE {where}'  # noqa: S608 - named by the schema
                row = await first(db, sql, user_id)
                counts[table] = row[0] if row else 0
        return {table: count for table, count in counts.items() if count}

    async def forget(self, user_id: int, *, writing: Collection[int] = ()) -> Counts:
        """Delete everything that is kept about a user, some at a time, and return what that was.

        Args:
            user_id: Whose.
            writing: The requests that are being written, whoever's.

        Raises:
            StillWriting: Where one of these is theirs; nothing is deleted then.
        """
        unfinished = await self._all("SELECT id FROM request WHERE user_id = ? AND state = 'queued'", user_id)
        if not {row["id"] for row in unfinished}.isdisjoint(writing):
            raise StillWriting("A song is being written for you: stop it or wait for it, then ask again.")
        counts = await self.personal_counts(user_id)
        await self._delete_requests("user_id = ?", user_id)
        async with self._transaction() as db:
            for table in await _personal_tables(db):
                sql = f'DELETE FROM "{table}" WHERE user_id = ?'  # noqa: S608 - named by the schema
                await db.execute(sql, [user_id])
        await self._empty_log()
        return counts

    async def delete_request(self, request_id: int, *, user_id: int) -> bool:
        """Delete a user's request with its songs, once it has ended; return whether there was one."""
        return await self._delete_requests("id = ? AND user_id = ? AND state <> 'queued'", request_id, user_id) > 0

    async def delete_requests_before(self, moment: datetime) -> int:
        """Delete the requests that are older, some at a time, but for those with a favourite; return how many."""
        return await self._delete_requests(
            "created_at < ? AND state <> 'queued' AND id NOT IN (SELECT request_id FROM favourite)", as_kept(moment)
        )

    async def _delete_requests(self, where: str, *values: object) -> int:
        """Delete the requests that meet a condition, with their songs; return how many."""
        sql = f"DELETE FROM request WHERE id IN (SELECT id FROM request WHERE {where} LIMIT {_SLICE})"  # noqa: S608 - ours
        total = 0
        while True:
            # Whoever else writes has waited longer than this by then, and goes first.
            deleted = (await self._write(sql, values)).rowcount
            total += deleted
            if deleted < _SLICE:
                break
        if total:
            await self._empty_log()
        return total

    async def _empty_log(self) -> None:
        """Have nothing of what was deleted in SQLite's log either; where somebody reads just now, the next one does."""
        async with self._writing:
            # Every row is read, as a pragma that is not read to its end keeps the next transaction from ending.
            ((patience,),) = await self._db.execute_fetchall("PRAGMA busy_timeout")
            for pragma in (f"busy_timeout = {_BUSY}", "wal_checkpoint(TRUNCATE)", f"busy_timeout = {patience}"):
                await self._db.execute_fetchall(f"PRAGMA {pragma}")


async def _personal_tables(db: aiosqlite.Connection) -> list[str]:
    rows = await db.execute_fetchall(
        "SELECT tables.name FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns"
        " WHERE tables.type = 'table' AND columns.name = 'user_id' ORDER BY tables.name"
    )
    return [row["name"] for row in rows]


def _put_together(
    tables: Mapping[str, Iterable[sqlite3.Row]], songs: Iterable[sqlite3.Row]
) -> dict[str, list[dict[str, Any]]]:
    data = {table: [_readable(row) for row in rows] for table, rows in tables.items()}
    by_request = {number: list(rows) for number, rows in groupby(songs, key=itemgetter("request_id"))}
    for request in data["request"]:
        request["songs"] = [_readable(song, leave_out="request_id") for song in by_request.get(request["id"], [])]
    return data


def _readable(row: sqlite3.Row, leave_out: str = "") -> dict[str, Any]:
    """Return a row for JSON: Discord's ids as strings, as JSON's numbers lose digits, and JSON in it as it is."""
    values = dict(row)
    values.pop(leave_out, None)
    for name, value in values.items():
        if name.endswith("_id") and value is not None:
            values[name] = str(value)
        elif name == "params":
            values[name] = json.loads(value)
    return values
