"""Requests from their beginning to their end, and their songs."""

import sqlite3
from datetime import UTC, datetime

import aiosqlite

from bot.store.connection import Connection, first, run_many
from bot.store.records import StoredRequest, parse_sampling
from model import Finished, GeneratedSong, Header, Request


class RequestStore(Connection):
    """The part of the store that keeps what is asked for and what is written."""

    async def add_request(
        self,
        request: Request,
        *,
        user_id: int,
        guild_id: int | None,
        channel_id: int | None,
        checkpoint: str,
        created_at: datetime,
        opening: str | None = None,
    ) -> int:
        """Keep a request that was acknowledged, and return its id; ``opening`` as in ``StoredRequest``."""
        header = request.header
        cursor = await self._write(
            "INSERT INTO request (id, user_id, guild_id, channel_id, prompt, title, genre, mood, theme, artist,"
            " params, seed, checkpoint, created_at, opening)"
            " SELECT id + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM last_request",
            [
                user_id,
                guild_id,
                channel_id,
                request.prompt,
                header.title,
                header.genre,
                header.mood,
                header.theme,
                header.artist,
                request.sampling.model_dump_json(),
                request.sampling.seed,
                checkpoint,
                as_kept(created_at),
                opening,
            ],
        )
        assert cursor.lastrowid is not None, "an INSERT has a row id"
        return cursor.lastrowid

    async def finish_request(self, request_id: int, finished: Finished) -> StoredRequest:
        """Keep the songs of a request and return it whole."""
        timings = finished.timings
        async with self._transaction() as db:
            await db.execute(
                "UPDATE request SET state = 'finished', queued_seconds = ?, generating_seconds = ?,"
                " num_tokens = ? WHERE id = ?",
                [timings.queued, timings.generating, timings.num_tokens, request_id],
            )
            await run_many(
                db,
                "INSERT INTO song VALUES (?, ?, ?, ?, ?)",
                [
                    (request_id, number, song.lyric, song.finish_reason, song.num_tokens)
                    for number, song in enumerate(finished.songs)
                ],
            )
            await db.execute("UPDATE songs_written SET total = total + ?", [len(finished.songs)])
        request = await self.request(request_id)
        assert request is not None, "it was just updated"
        return request

    async def num_songs_written(self) -> int:
        """Return how many songs were ever written, those that were deleted included, copies not."""
        return await self._number("SELECT total FROM songs_written")

    async def end_request(self, request_id: int, *, stopped: bool, error: str) -> None:
        """Keep why a request ended without songs: stopped by the bot's end, or failed."""
        await self._write(
            "UPDATE request SET state = ?, error = ? WHERE id = ?",
            ["stopped" if stopped else "failed", error, request_id],
        )

    async def copy_request(
        self, request_id: int, *, user_id: int, created_at: datetime, number: int | None = None
    ) -> StoredRequest | None:
        """Give a user a request of their own with the same songs, and with nothing of where and when they were written.

        Args:
            request_id: What is copied.
            user_id: Whose the copy is.
            created_at: When it is taken.
            number: The one song that is copied, where the user could see no other.

        Returns:
            The copy; none where there is no such request, or no such song.
        """
        async with self._transaction() as db:
            row = await first(
                db,
                "INSERT INTO request (id, user_id, prompt, title, genre, mood, theme, artist, params, seed, checkpoint,"
                " state, created_at, opening)"
                " SELECT last_request.id + 1, ?, prompt, title, genre, mood, theme, artist, params, seed, checkpoint,"
                " state, ?, opening"
                " FROM request, last_request WHERE request.id = ? AND state = 'finished' RETURNING id",
                user_id,
                as_kept(created_at),
                request_id,
            )
            if row is None:
                return None
            await db.execute(
                "INSERT INTO song (request_id, number, lyric, finish_reason, num_tokens)"
                " SELECT :copy, CASE WHEN :number IS NULL THEN number ELSE 0 END, lyric, finish_reason, num_tokens"
                " FROM song WHERE request_id = :request AND (:number IS NULL OR number = :number)",
                {"copy": row["id"], "request": request_id, "number": number},
            )
        return await self.request(row["id"])

    async def request(self, request_id: int) -> StoredRequest | None:
        """Return a request with its songs, or none where there is no such request."""
        async with self._reading() as db:
            return await read_request(db, request_id)


async def read_request(db: aiosqlite.Connection, request_id: int) -> StoredRequest | None:
    """Return a request with its songs, or none where there is no such request."""
    row = await first(db, "SELECT * FROM request WHERE id = ?", request_id)
    if row is None:
        return None
    songs = await db.execute_fetchall(
        "SELECT lyric, finish_reason, song.num_tokens, added_at IS NOT NULL AS is_favourite"
        " FROM song LEFT JOIN favourite USING (request_id, number) WHERE request_id = ? ORDER BY number",
        [request_id],
    )
    return _stored_request(row, list(songs))


def as_kept(moment: datetime) -> str:
    """Return a moment as it is kept: earlier ones sort before later ones."""
    return moment.astimezone(UTC).isoformat()


def _stored_request(row: sqlite3.Row, songs: list[sqlite3.Row]) -> StoredRequest:
    return StoredRequest(
        id=row["id"],
        user_id=row["user_id"],
        guild_id=row["guild_id"],
        channel_id=row["channel_id"],
        prompt=row["prompt"],
        header=Header(row["title"], row["genre"], row["mood"], row["theme"], row["artist"]),
        sampling=parse_sampling(row["params"]),
        checkpoint=row["checkpoint"],
        state=row["state"],
        error=row["error"],
        created_at=datetime.fromisoformat(row["created_at"]),
        songs=tuple(GeneratedSong(song["lyric"], song["finish_reason"], song["num_tokens"]) for song in songs),
        opening=row["opening"],
        favourites=frozenset(number for number, song in enumerate(songs) if song["is_favourite"]),
    )
