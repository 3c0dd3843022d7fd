"""What is kept about a member as a whole: given out, counted, deleted, and for how long it is kept.

The tables are found by their column ``user_id``, so that one which is added later is not forgotten here.
"""

import json
import sqlite3
from datetime import datetime
from typing import Any

from bot.store.connection import Connection
from model import LyricsError

Counts = dict[str, int]
"""Rows by table; tables without any are left out."""

_SONGS = """
    SELECT song.number, lyric, finish_reason, num_tokens, added_at AS favourite_since
    FROM song LEFT JOIN favourite USING (request_id, number) WHERE request_id = ? ORDER BY number
"""


class StillWriting(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """A member has a request under way, which would be kept when it ends."""


class PrivacyStore(Connection):
    """The part of the store that knows what belongs to whom."""

    async def personal_data(self, user_id: int) -> dict[str, list[dict[str, Any]]]:
        """Return every row about a user by table, for JSON; the songs stand in their requests."""
        data = {}
        for table in await self._personal_tables():
            sql = f'SELECT * FROM "{table}" WHERE user_id = ?'  # noqa: S608 - named by the schema
            rows = await self._db.execute_fetchall(sql, [user_id])
            data[table] = [_readable(row) for row in rows]
        for request in data["request"]:
            songs = await self._db.execute_fetchall(_SONGS, [request["id"]])
            request["songs"] = [_readable(song) for song in songs]
        return data

    async def personal_counts(self, user_id: int) -> Counts:
        """Count what is kept about a user."""
        mine = "request_id IN (SELECT id FROM request WHERE user_id = ?)"
        wheres = dict.fromkeys(await self._personal_tables(), "user_id = ?") | {"song": mine, "favourite": mine}
        counts = {}
        for table, where in wheres.items():
            sql = f'SELECT count(*) FROM "{table}" WHERE {where}'  # noqa: S608 - named by the schema
            counts[table] = await self._number(sql, user_id)
        return {table: count for table, count in counts.items() if count}

    async def forget(self, user_id: int) -> Counts:
        """Delete everything that is kept about a user, and return what that was.

        Raises:
            StillWriting: Where a song is being written for them; nothing is deleted then.
        """
        async with self._transaction():
            under_way = "SELECT count(*) FROM request WHERE user_id = ? AND state = 'queued'"
            if await self._number(under_way, user_id):
                raise StillWriting("A song is being written for you: stop it or wait for it, then ask again.")
            counts = await self.personal_counts(user_id)
            for table in await self._personal_tables():
                sql = f'DELETE FROM "{table}" WHERE user_id = ?'  # noqa: S608 - named by the schema
                await self._db.execute(sql, [user_id])
            await self._wipe()
        return counts

    async def delete_request(self, request_id: int, *, user_id: int) -> bool:
        """Delete a user's request with its songs, once it has ended; return whether there was one."""
        return await self._delete_requests("id = ? AND user_id = ?", request_id, user_id) > 0

    async def delete_requests_before(self, moment: datetime) -> int:
        """Delete the requests that are older, but for those with a favourite in them; return how many."""
        return await self._delete_requests(
            "julianday(created_at) < julianday(?) AND id NOT IN (SELECT request_id FROM favourite)", moment.isoformat()
        )

    async def _delete_requests(self, where: str, *values: object) -> int:
        """Delete the requests that meet a condition and have ended, with their songs; return how many."""
        async with self._transaction():
            sql = f"DELETE FROM request WHERE state <> 'queued' AND {where}"  # noqa: S608 - ours
            cursor = await self._db.execute(sql, values)
            if cursor.rowcount:
                await self._wipe()
        return cursor.rowcount

    async def _wipe(self) -> None:
        """Rewrite the search index, which keeps the words of songs that are gone; half a second for 30,000 songs.

        Call it in the transaction that deletes. Deleted rows are overwritten at once (``secure_delete``); SQLite's
        log goes when the bot ends.
        """
        await self._db.execute("INSERT INTO song_text (song_text) VALUES ('optimize')")

    async def _personal_tables(self) -> list[str]:
        rows = await self._db.execute_fetchall(
            "SELECT tables.name FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND columns.name = 'user_id' ORDER BY tables.name"
        )
        return [row["name"] for row in rows]


def _readable(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row for JSON: Discord's ids as strings, as JSON's numbers lose digits, and JSON in it as it is."""
    values = dict(row)
    for name, value in values.items():
        if name.endswith("_id") and value is not None:
            values[name] = str(value)
        elif name == "params":
            values[name] = json.loads(value)
    return values
