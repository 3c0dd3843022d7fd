"""The one class that speaks SQL: settings, requests and songs."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import aiosqlite
from pydantic import ValidationError

from bot.store.migrations import StoreError, migrate
from bot.store.records import HistoryPage, StoredRequest
from model import Finished, GeneratedSong, GenerationRequest, Header, SamplingParams

INTERRUPTED = "The bot went down while this was being written."

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # Safe with WAL, and a commit does not wait for the disk: only a power cut can lose the last ones.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)


class Store:
    """The bot's memory. Open it with ``Store.open``; every method is one transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._db = connection
        # The connection is shared, so a transaction of several statements must have it for itself.
        self._writing = asyncio.Lock()

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

    async def sampling(self, user_id: int) -> SamplingParams:
        """Return the user's sampling parameters; ``model_fields_set`` names those that the user set."""
        row = await self._one("SELECT params FROM user_sampling WHERE user_id = ?", user_id)
        return _parse_sampling(row["params"]) if row else SamplingParams()

    async def set_sampling(self, user_id: int, name: str, value: float | None) -> SamplingParams:
        """Set one of the user's parameters, or with ``None`` unset it, and return them all.

        Raises:
            pydantic.ValidationError: Where the value is out of bounds; nothing is changed then.
        """
        async with self._transaction():
            params = (await self.sampling(user_id)).model_dump(exclude_unset=True) | {name: value}
            if value is None:
                del params[name]
            sampling = SamplingParams(**params)
            await self._db.execute(
                "INSERT INTO user_sampling VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET params = excluded.params",
                [user_id, sampling.model_dump_json(exclude_unset=True)],
            )
        return sampling

    async def reset_sampling(self, user_id: int) -> None:
        """Bring all of the user's parameters back to the defaults."""
        await self._write("DELETE FROM user_sampling WHERE user_id = ?", [user_id])

    async def add_request(
        self,
        request: GenerationRequest,
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
            "INSERT INTO request (user_id, guild_id, channel_id, prompt, title, genre, mood, theme,"
            " params, seed, checkpoint, created_at, opening) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                user_id,
                guild_id,
                channel_id,
                request.prompt,
                header.title,
                header.genre,
                header.mood,
                header.theme,
                request.sampling.model_dump_json(),
                request.sampling.seed,
                checkpoint,
                created_at.isoformat(),
                opening,
            ],
        )
        assert cursor.lastrowid is not None, "an INSERT has a row id"
        return cursor.lastrowid

    async def finish_request(self, request_id: int, finished: Finished) -> StoredRequest:
        """Keep the songs of a request and return it whole."""
        timings = finished.timings
        async with self._transaction():
            await self._db.execute(
                "UPDATE request SET state = 'finished', queued_seconds = ?, generating_seconds = ?,"
                " num_tokens = ? WHERE id = ?",
                [timings.queued, timings.generating, timings.num_tokens, request_id],
            )
            await self._db.executemany(
                "INSERT INTO song VALUES (?, ?, ?, ?, ?)",
                [
                    (request_id, number, song.lyric, song.finish_reason, song.num_tokens)
                    for number, song in enumerate(finished.songs)
                ],
            )
        request = await self.request(request_id)
        assert request is not None, "it was just updated"
        return request

    async def end_request(self, request_id: int, *, stopped: bool, error: str) -> None:
        """Keep why a request ended without songs: stopped by the bot's end, or failed."""
        await self._write(
            "UPDATE request SET state = ?, error = ? WHERE id = ?",
            ["stopped" if stopped else "failed", error, request_id],
        )

    async def copy_request(self, request_id: int, *, user_id: int, created_at: datetime) -> StoredRequest | None:
        """Give a user a request of their own with the same songs; none where there is no such request."""
        async with self._transaction():
            cursor = await self._db.execute(
                "INSERT INTO request (user_id, guild_id, channel_id, prompt, title, genre, mood, theme, params, seed,"
                " checkpoint, state, created_at, queued_seconds, generating_seconds, num_tokens, opening)"
                " SELECT ?, guild_id, channel_id, prompt, title, genre, mood, theme, params, seed, checkpoint, state,"
                " ?, queued_seconds, generating_seconds, num_tokens, opening FROM request"
                " WHERE id = ? AND state = 'finished' RETURNING id",
                [user_id, created_at.isoformat(), request_id],
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            await self._db.execute(
                "INSERT INTO song (request_id, number, lyric, finish_reason, num_tokens)"
                " SELECT ?, number, lyric, finish_reason, num_tokens FROM song WHERE request_id = ?",
                [row["id"], request_id],
            )
        return await self.request(row["id"])

    async def request(self, request_id: int) -> StoredRequest | None:
        """Return a request with its songs, or none where there is no such request."""
        row = await self._one("SELECT * FROM request WHERE id = ?", request_id)
        return (await self._with_songs([row]))[0] if row else None

    async def history(self, user_id: int, *, page: int, page_size: int) -> HistoryPage:
        """Return a page of the user's finished requests, newest first; the last page for one past the end."""
        row = await self._one("SELECT count(*) AS total FROM request WHERE user_id = ? AND state = 'finished'", user_id)
        total: int = row["total"] if row else 0
        num_pages = max(1, -(-total // page_size))
        page = min(max(page, 0), num_pages - 1)
        rows = await self._db.execute_fetchall(
            "SELECT * FROM request WHERE user_id = ? AND state = 'finished' ORDER BY id DESC LIMIT ? OFFSET ?",
            [user_id, page_size, page * page_size],
        )
        return HistoryPage(await self._with_songs(rows), page, num_pages)

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

    async def _write(self, sql: str, values: Iterable[Any]) -> aiosqlite.Cursor:
        """Run one statement on its own, never inside a transaction that another task has open."""
        async with self._writing:
            return await self._db.execute(sql, values)

    async def _one(self, sql: str, *values: object) -> sqlite3.Row | None:
        async with self._db.execute(sql, values) as cursor:
            return await cursor.fetchone()

    async def _with_songs(self, rows: Iterable[sqlite3.Row]) -> tuple[StoredRequest, ...]:
        requests = []
        for row in rows:
            songs = await self._db.execute_fetchall(
                "SELECT lyric, finish_reason, num_tokens FROM song WHERE request_id = ? ORDER BY number",
                [row["id"]],
            )
            requests.append(_stored_request(row, tuple(GeneratedSong(*song) for song in songs)))
        return tuple(requests)

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


def _stored_request(row: sqlite3.Row, songs: tuple[GeneratedSong, ...]) -> StoredRequest:
    return StoredRequest(
        id=row["id"],
        user_id=row["user_id"],
        guild_id=row["guild_id"],
        channel_id=row["channel_id"],
        prompt=row["prompt"],
        header=Header(row["title"], row["genre"], row["mood"], row["theme"]),
        sampling=_parse_sampling(row["params"]),
        checkpoint=row["checkpoint"],
        state=row["state"],
        error=row["error"],
        created_at=datetime.fromisoformat(row["created_at"]),
        songs=songs,
        opening=row["opening"],
    )


def _parse_sampling(params: str) -> SamplingParams:
    """Read kept parameters, without those that a later version's bounds no longer allow."""
    try:
        return SamplingParams.model_validate_json(params)
    except ValidationError as error:
        refused = {violation["loc"][0] for violation in error.errors()}
        values: dict[str, Any] = json.loads(params)
        return SamplingParams(**{name: value for name, value in values.items() if name not in refused})
