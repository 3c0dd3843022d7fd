"""Searching songs, favourites and migrations: the store alone, without Discord or a model."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.store import MARK, ListPage, Store
from bot.store.words import excerpt, folded, wanted
from model import Finished, GeneratedSong, Header, Timings
from tests.conftest import make_request

MIRA, ADA = 101, 202
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[3] / "bot/store/migrations"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store over a new file."""
    async with Store.open(tmp_path / "lyrics.db") as opened:
        yield opened


async def add(
    store: Store, *lyrics: str, user_id: int = MIRA, prompt: str = "words", header: Header | None = None
) -> int:
    """Keep a finished request with these songs."""
    request_id = await store.add_request(
        make_request(prompt, header=header),
        user_id=user_id,
        guild_id=None,
        channel_id=None,
        checkpoint="tiny",
        created_at=NOON,
    )
    songs = tuple(GeneratedSong(lyric, "stop", 5) for lyric in lyrics)
    await store.finish_request(request_id, Finished(songs, Timings(queued=0.5, generating=2.0, num_tokens=21)))
    return request_id


async def search(store: Store, words: str | None, user_id: int = MIRA) -> ListPage:
    """Return the first page of what a search finds in a history."""
    return await store.history(user_id, page=0, page_size=25, search=words)


async def found(store: Store, words: str | None, user_id: int = MIRA) -> list[tuple[int, int]]:
    """Return what a search finds: requests, and which of their songs."""
    return [(song.request.id, song.number) for song in (await search(store, words, user_id)).songs]


@pytest.fixture
async def filled(store: Store) -> Store:
    """Mira has three requests, Ada has one."""
    await add(store, "Two lanterns on the water", "A lantern, and the été of 1999")
    await add(
        store,
        "The train was late",
        prompt="Tuesday",
        header=Header("Sandbag Line", "country", "proud", "floods", "The Ferry Girls"),
    )
    await add(store, "I don't know\nwhy the sky is blue", "The sky is late")
    await add(store, "Ada's lantern", user_id=ADA)
    return store


@pytest.mark.parametrize(
    ("words", "requests"),
    [
        ("lanterns", [(1, 0)]),
        ("lantern", [(1, 0)]),  # the last word may be a beginning
        ("LANT", [(1, 0)]),
        ("and", [(1, 1)]),  # a song that is not the first one
        ("lant water", []),  # another word is whole
        ("water two", [(1, 0)]),
        ("ete", [(1, 1)]),  # without its accents
        ("tuesday", [(2, 0)]),
        ("sandbag", [(2, 0)]),
        ("ferry girls", [(2, 0)]),
        ("country proud floods", [(2, 0)]),
        ("country train", [(2, 0)]),
        ("late", [(3, 1), (2, 0)]),  # newest first
        ("don't", [(3, 0)]),
        ("know why", [(3, 0)]),
        ("water blue", []),  # all words in one song
        ("ada", []),
        ("***", []),
        ("", []),
        ("   ", []),
        ("two OR train", []),
        ("lyric:two", []),
        ("NOT train", []),
        ('two" OR "train', []),
    ],
)
async def test_a_search_finds_words_of_a_song_its_prompt_and_its_header(
    filled: Store, words: str, requests: list[tuple[int, int]]
) -> None:
    assert await found(filled, words) == requests


async def test_without_a_search_everything_is_listed(filled: Store) -> None:
    assert await found(filled, None) == [(3, 0), (2, 0), (1, 0)]
    assert await found(filled, "lantern", ADA) == [(4, 0)]


async def test_what_was_found_is_marked(filled: Store) -> None:
    (song,) = (await search(filled, "blue")).songs
    assert song.found == f"I don't know\nwhy the sky is {MARK}blue{MARK}"
    (song,) = (await search(filled, "country")).songs
    assert song.found == "The train was late"
    assert [song.found for song in (await search(filled, None)).songs] == [None] * 3


async def test_a_search_is_paged(store: Store) -> None:
    for number in range(5):
        await add(store, f"lantern {number}", "another lantern")
        await add(store, "sky")
    seen = [
        (page.number, page.num_pages, [song.request.songs[0].lyric for song in page.songs])
        for page in [await store.history(MIRA, page=page, page_size=2, search="lantern") for page in (0, 2, 9)]
    ]
    last = (2, 3, ["lantern 0"])
    assert seen == [(0, 3, ["lantern 4", "lantern 3"]), last, last]


async def test_words_keep_in_step(filled: Store) -> None:
    copied = await filled.copy_request(1, user_id=ADA, created_at=NOON)
    assert copied is not None
    assert await found(filled, "lanterns", ADA) == [(copied.id, 0)]
    assert await filled.delete_request(1, user_id=MIRA)
    assert await found(filled, "lanterns") == []
    assert await found(filled, "lanterns", ADA) == [(copied.id, 0)]
    # Ada's two songs of the copy, and her own; Mira's three that are left.
    assert await filled._number("SELECT count(*) FROM song_words") == 6


async def test_a_search_follows_what_is_changed_in_place(filled: Store) -> None:
    await filled._write("UPDATE song SET lyric = 'A harbour' WHERE request_id = 1 AND number = 0", [])
    await filled._write("UPDATE request SET title = 'Quay', user_id = ? WHERE id = 2", [ADA])
    assert await found(filled, "lanterns") == []
    assert await found(filled, "harbour") == [(1, 0)]
    assert await found(filled, "sandbag", ADA) == await found(filled, "quay") == []
    assert await found(filled, "quay train", ADA) == [(2, 0)]


async def test_only_an_owner_deletes_a_request_and_only_once_it_has_ended(filled: Store) -> None:
    assert not await filled.delete_request(1, user_id=ADA)
    await filled._write("UPDATE request SET state = 'queued' WHERE id = 1", [])
    assert not await filled.delete_request(1, user_id=MIRA)
    assert await filled.request(1) is not None


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text(st.characters(), max_size=20) | st.text('"*()^-+:{}~\\ aANDORT\x00\ud800', max_size=20))
def test_no_words_are_an_error(words: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        for word in wanted(words):
            assert database.execute("SELECT instr(?, ?) > 0", [folded(words), word]).fetchone() == (1,)
    assert excerpt(words, words).replace(MARK, "").strip("…") in words


async def test_a_favourite_is_one_song_and_the_latest_is_listed_first(filled: Store) -> None:
    for number, (request_id, song) in enumerate([(1, 1), (3, 0), (1, 0), (4, 0)]):
        await filled.set_favourite(request_id, song, NOON + timedelta(minutes=number))
    await filled.set_favourite(1, 1, NOON + timedelta(hours=1))  # it is one already

    async def favourites(user_id: int, words: str | None = None) -> list[tuple[int, int]]:
        page = await filled.favourites(user_id, page=0, page_size=5, search=words)
        return [(song.request.id, song.number) for song in page.songs]

    assert await favourites(MIRA) == [(1, 0), (3, 0), (1, 1)]
    assert await favourites(ADA) == [(4, 0)]
    assert await favourites(MIRA, "lantern") == [(1, 0), (1, 1)]
    assert await favourites(MIRA, "lantern and") == [(1, 1)]
    request = await filled.request(1)
    assert request is not None
    assert request.favourites == {0, 1}
    await filled.set_favourite(1, 0, None)
    await filled.set_favourite(1, 7, NOON)  # there is no such song
    await filled.delete_request(3, user_id=MIRA)
    assert await favourites(MIRA) == [(1, 1)]
    assert await filled._number("SELECT count(*) FROM favourite") == 2


def apply(database: Path, *numbers: int) -> None:
    """Make a database that has had these migrations alone."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
        )
        for number in numbers:
            (file,) = MIGRATIONS.glob(f"{number:04}_*.sql")
            connection.executescript(file.read_text(encoding="utf-8"))
            connection.execute("INSERT INTO migration VALUES (?, ?, '2026-01-01')", [number, file.name])
        connection.execute(
            "INSERT INTO request (id, user_id, prompt, title, params, seed, checkpoint, state, created_at)"
            " VALUES (1, ?, 'two lanterns', 'Harbour', '{}', 7, 'tiny', 'finished', ?)",
            [MIRA, NOON.isoformat()],
        )
        connection.execute("INSERT INTO song VALUES (1, 0, 'two lanterns', 'stop', 5), (1, 1, 'the sky', 'length', 6)")


@pytest.mark.parametrize("applied", [[1], [1, 2], [1, 2, 10], [1, 2, 6, 7, 8, 10]], ids=str)
async def test_a_database_of_an_earlier_schema_is_searched_with_what_is_in_it(
    tmp_path: Path, applied: list[int]
) -> None:
    database = tmp_path / "lyrics.db"
    apply(database, *applied)
    for _ in range(2):
        async with Store.open(database) as store:
            assert await found(store, "harbour sky") == [(1, 1)]
            assert await found(store, "lanterns") == [(1, 0)]
            (song,) = (await search(store, None)).songs
            assert [song.lyric for song in song.request.songs] == ["two lanterns", "the sky"]
            await store.set_favourite(1, 1, NOON)
            assert await store._number("SELECT count(*) FROM favourite") == 1
    async with Store.open(database) as store:
        rows = await store._db.execute_fetchall("SELECT number FROM migration ORDER BY number")
        assert [row["number"] for row in rows] == sorted(
            int(file.name.partition("_")[0]) for file in MIGRATIONS.glob("*.sql")
        )
        await store.delete_request(1, user_id=MIRA)
        assert await found(store, "harbour") == []
