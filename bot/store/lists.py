"""A member's songs to look through and search: the history and the favourites."""

import sqlite3
from datetime import datetime

from bot.store.records import MARK, ListedSong, ListName, ListPage
from bot.store.requests import RequestStore

_FOUND_WORDS = 14
"""How many words around a match are shown."""

# Each list has a row a song, its request's row beside it; ``:match`` is null where nothing is searched for. A request
# stands in the history once, by its first song or, searched, by the first one that matches.
_ROWS: dict[ListName, str] = {
    "history": """
        SELECT request.*, min(song.number) AS listed, request.id AS place
        FROM request JOIN song ON song.request_id = request.id
        WHERE user_id = :user_id AND state = 'finished' AND (:match IS NULL OR request.id * 100 + song.number IN (
            SELECT rowid FROM song_text WHERE song_text MATCH :match
        ))
        GROUP BY request.id
    """,
    "favourites": """
        SELECT request.*, favourite.number AS listed, added_at AS place
        FROM request JOIN favourite ON favourite.request_id = request.id
        WHERE user_id = :user_id AND (:match IS NULL OR request.id * 100 + favourite.number IN (
            SELECT rowid FROM song_text WHERE song_text MATCH :match
        ))
    """,
}


class ListStore(RequestStore):
    """The part of the store that lists songs for the member whose they are."""

    async def history(self, user_id: int, *, page: int, page_size: int, search: str | None = None) -> ListPage:
        """Return a page of the user's finished requests, newest first; the last page for one past the end.

        Args:
            user_id: Whose.
            page: Which page, from 0.
            page_size: Requests a page.
            search: Only requests with a song whose prompt, header or lyric has all of these words; the last one may
                be the beginning of a word.
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
        match = None if search is None else _match(user_id, search)
        values = {"user_id": user_id, "match": match}
        ((total,),) = await self._db.execute_fetchall(f"SELECT count(*) FROM ({_ROWS[name]})", values)  # noqa: S608 - ours
        num_pages = max(1, -(-total // page_size))
        page = min(max(page, 0), num_pages - 1)
        rows = list(
            await self._db.execute_fetchall(
                f"{_ROWS[name]} ORDER BY place DESC, request.id DESC, listed DESC LIMIT :limit OFFSET :offset",
                {**values, "limit": page_size, "offset": page * page_size},
            )
        )
        requests = await self._with_songs(rows)
        songs = [
            ListedSong(request, row["listed"], await self._found(row, match))
            for request, row in zip(requests, rows, strict=True)
        ]
        return ListPage(tuple(songs), page, num_pages)

    async def _found(self, row: sqlite3.Row, match: str | None) -> str | None:
        if match is None:
            return None
        found = await self._one(
            "SELECT snippet(song_text, 3, ?, ?, '…', ?) AS words FROM song_text WHERE song_text MATCH ? AND rowid = ?",
            *[MARK, MARK, _FOUND_WORDS, match, row["id"] * 100 + row["listed"]],
        )
        return found["words"] if found else None


def _match(user_id: int, search: str) -> str:
    """Return the words as an FTS5 expression: each one quoted, so that none is an operator, the last one a prefix."""
    words = search.encode("utf-8", "ignore").decode().replace("\0", " ").split()
    quoted = " ".join('"{}"'.format(word.replace('"', '""')) for word in words) or '""'
    return f'owner : "{user_id}" AND {{prompt header lyric}} : ({quoted}*)'
