"""A member's songs to look through and search: the history and the favourites."""

import asyncio
import sqlite3
from datetime import datetime

from bot.store.connection import run_many
from bot.store.records import ListedSong, ListName, ListPage, StoredRequest
from bot.store.requests import RequestStore, read_request
from bot.store.words import excerpt, folded, wanted

# Each list has a row a song: its request, its number, and what it is sorted by. A request stands in the history once,
# by its first song or, searched, by the first one that has the words.
_ROWS: dict[ListName, str] = {
    "history": (
        "SELECT id, 0 AS listed, id AS place FROM request WHERE user_id = ? AND state = 'finished'"
        " AND EXISTS (SELECT * FROM song WHERE request_id = request.id)"
    ),
    "favourites": (
        "SELECT id, number AS listed, added_at AS place FROM request JOIN favourite ON request_id = id"
        " WHERE user_id = ?"
    ),
}
_SEARCHED: dict[ListName, str] = {
    "history": (
        "SELECT id, min(number) AS listed, id AS place FROM request JOIN song_words ON request_id = id"
        " WHERE user_id = ? AND state = 'finished'{conditions} GROUP BY id"
    ),
    "favourites": (
        "SELECT id, number AS listed, added_at AS place FROM request JOIN favourite ON request_id = id"
        " JOIN song_words USING (request_id, number) WHERE user_id = ?{conditions}"
    ),
}

_SLICE = 200
"""Songs whose words are kept in one transaction, which is short, so that nobody waits for it."""

_WITHOUT_WORDS = """
    SELECT song.request_id, song.number, lyric, prompt, title, genre, mood, theme, artist
    FROM request JOIN song ON song.request_id = id
    WHERE user_id = ? AND NOT EXISTS (
        SELECT * FROM song_words WHERE song_words.request_id = id AND song_words.number = song.number
    ) LIMIT ?
"""


class ListStore(RequestStore):
    """The part of the store that lists songs for the member whose they are."""

    async def history(self, user_id: int, *, page: int, page_size: int, search: str | None = None) -> ListPage:
        """Return a page of the user's finished requests, newest first; the last page for one past the end.

        Args:
            user_id: Whose.
            page: Which page, from 0.
            page_size: Requests a page.
            search: Only requests with a song whose prompt, header or lyric has all of these words; the last one may
                be the beginning of a word. The first search of a user takes a while, some of it to write.
        """
        return await self._list("history", user_id, page, page_size, search)

    async def favourites(self, user_id: int, *, page: int, page_size: int, search: str | None = None) -> ListPage:
        """Return a page of the songs that the user holds on to, the latest first; see ``history``."""
        return await self._list("favourites", user_id, page, page_size, search)

    async def set_favourite(self, request_id: int, number: int, added_at: datetime | None) -> None:
        """Hold on to a song from now on, or with ``None``, no longer."""
        if added_at is None:
            await self._write("DELETE FROM favourite WHERE request_id = ? AND number = ?", [request_id, number])
        else:
            await self._write(
                "INSERT INTO favourite SELECT request_id, number, ? FROM song WHERE request_id = ? AND number = ?"
                " ON CONFLICT DO NOTHING",
                [added_at.isoformat(), request_id, number],
            )

    async def _list(self, name: ListName, user_id: int, page: int, page_size: int, search: str | None) -> ListPage:
        rows: str = _ROWS[name]
        values: list[int | str] = [user_id]
        if search is not None:
            await self._keep_words(user_id)
            words = wanted(search)
            # Without a word to look for, nothing is found.
            conditions = " AND instr(words, ?) > 0" * len(words) or " AND false"
            rows, values = _SEARCHED[name].format(conditions=conditions), [user_id, *words]
        async with self._reading() as db:
            ((total,),) = await db.execute_fetchall(f"SELECT count(*) FROM ({rows})", values)  # noqa: S608 - ours
            num_pages = max(1, -(-total // page_size))
            page = min(max(page, 0), num_pages - 1)
            listed = await db.execute_fetchall(
                f"{rows} ORDER BY place DESC, id DESC, listed DESC LIMIT ? OFFSET ?",
                [*values, page_size, page * page_size],
            )
            found = [(await read_request(db, row["id"]), row["listed"]) for row in listed]
        songs = (_listed(request, number, search) for request, number in found if request is not None)
        return ListPage(tuple(songs), page, num_pages)

    async def _keep_words(self, user_id: int) -> None:
        """Keep the words of those songs of a user's whose words are not kept yet, for searches to look through."""
        while rows := await self._all(_WITHOUT_WORDS, user_id, _SLICE):
            # Off the event loop, as they may be many.
            words = await asyncio.to_thread(_words_of, rows)
            async with self._transaction() as db:
                # A song may be deleted by now.
                await run_many(
                    db,
                    "INSERT INTO song_words SELECT request_id, number, ? FROM song WHERE request_id = ? AND number = ?"
                    " ON CONFLICT DO NOTHING",
                    words,
                )


def _words_of(rows: list[sqlite3.Row]) -> list[tuple[str, int, int]]:
    return [(folded(" ".join(text for text in row[2:] if text)), row["request_id"], row["number"]) for row in rows]


def _listed(request: StoredRequest, number: int, search: str | None) -> ListedSong:
    found = None if search is None else excerpt(request.songs[number].lyric, search)
    return ListedSong(request, number, found)
