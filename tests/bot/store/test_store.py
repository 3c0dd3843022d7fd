"""The store alone, without Discord or a model."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.store import Store
from bot.store.file import StoreError
from model import Finished, GeneratedSong, Header, SamplingParams, Timings
from tests.conftest import make_request

MIRA, ADA = 101, 202
SONGS = (
    GeneratedSong("two lanterns\non the water", "stop", 9),
    GeneratedSong("two lanterns\non the shore", "length", 12),
)
FINISHED = Finished(SONGS, Timings(queued=0.5, generating=2.0, num_tokens=21))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A path at which nothing is yet."""
    return tmp_path / "data" / "lyrics.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    """A store over a new file."""
    async with Store.open(database) as opened:
        yield opened


def run(database: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run SQL over a connection that is not the store's."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        return connection.execute(sql, values).fetchall()


async def add(store: Store, user_id: int = MIRA, prompt: str = "two lanterns") -> int:
    """Keep a request that waits."""
    header = Header(title="Lantern", genre="folk")
    return await store.add_request(
        make_request(prompt, header=header),
        user_id=user_id,
        guild_id=1,
        channel_id=2,
        checkpoint="tiny",
        created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )


async def test_a_new_file_is_made_with_its_folder_and_every_migration(database: Path) -> None:
    folder = Path(__file__).parents[3] / "bot/store/migrations"
    names = sorted(file.name for file in folder.glob("*.sql"))
    async with Store.open(database):
        pass
    assert run(database, "SELECT number, name FROM migration ORDER BY number") == [
        (int(name.partition("_")[0]), name) for name in names
    ]


async def test_opening_again_changes_nothing_and_applies_nothing(database: Path) -> None:
    async with Store.open(database) as store:
        request_id = await add(store)
        await store.finish_request(request_id, FINISHED)
        before = await store.request(request_id)
    dump = run(database, "SELECT * FROM migration"), run(database, "SELECT sql FROM sqlite_master")
    for _ in range(2):
        async with Store.open(database) as store:
            assert await store.request(request_id) == before
    assert (run(database, "SELECT * FROM migration"), run(database, "SELECT sql FROM sqlite_master")) == dump


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Path) -> None:
    async with Store.open(database):
        pass
    run(database, "INSERT INTO migration VALUES (999, '0999_later.sql', '2030-01-01')")
    with pytest.raises(StoreError, match="of a newer version of the bot, with a migration 999"):
        async with Store.open(database):
            pass
    assert run(database, "SELECT max(number) FROM migration") == [(999,)]


async def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "songs.txt"
    file.write_text("These are my songs, and no database.\n" * 50, encoding="utf-8")
    with pytest.raises(StoreError, match=r"songs\.txt is no SQLite database, .*set DATABASE to another file\."):
        async with Store.open(file):
            pass
    assert file.read_text(encoding="utf-8").startswith("These are my songs")


async def test_a_folder_in_the_place_of_the_database_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is a folder: set DATABASE to a file in it, say .*/lyrics\.db\."):
        async with Store.open(tmp_path):
            pass


def spoil(database: Path) -> None:
    """Overwrite the first page's own table of tables."""
    content = bytearray(database.read_bytes())
    content[100:2000] = b"\xff" * 1900
    database.write_bytes(content)


async def test_a_file_damaged_within_is_called_damaged(database: Path) -> None:
    async with Store.open(database):
        pass
    spoil(database)
    with pytest.raises(StoreError, match=r"lyrics\.db is damaged: put a backup back .*, or set DATABASE"):
        async with Store.open(database):
            pass


async def test_a_file_that_another_program_writes_is_named_within_two_seconds(database: Path) -> None:
    async with Store.open(database):
        pass
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(2):
            with pytest.raises(StoreError, match="is held by another program: end that, or"):
                async with Store.open(database):
                    pass


async def test_one_file_has_one_store_at_a_time(store: Store, database: Path) -> None:
    request_id = await add(store)
    with pytest.raises(StoreError, match=r"lyrics\.db is in use by another bot: end that one, or set DATABASE"):
        async with Store.open(database):
            pass
    assert run(database, "SELECT id, state FROM request") == [(request_id, "queued")]


async def test_a_migration_that_fails_leaves_nothing_behind(database: Path) -> None:
    database.parent.mkdir()
    run(database, "CREATE TABLE song (words TEXT)")  # in the way of the first migration's last tables
    with pytest.raises(StoreError):
        async with Store.open(database):
            pass
    tables = {name for (name,) in run(database, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"song", "migration"}
    assert run(database, "SELECT count(*) FROM migration") == [(0,)]
    run(database, "DROP TABLE song")
    async with Store.open(database) as store:
        assert await add(store) == 1


async def test_the_file_is_in_wal_mode_and_every_table_is_strict(store: Store, database: Path) -> None:
    assert run(database, "PRAGMA journal_mode") == [("wal",)]
    tables = {
        str(name): strict for (_, name, kind, _, _, strict) in run(database, "PRAGMA table_list") if kind == "table"
    }
    assert {name for name, strict in tables.items() if not name.startswith("sqlite_") and not strict} == set()
    with pytest.raises(sqlite3.IntegrityError, match="cannot store BLOB"):
        run(database, "INSERT INTO user_sampling VALUES (1, x'00')")
    assert await store.sampling(1) == SamplingParams()


async def test_songs_belong_to_a_request_and_go_with_it(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await store.finish_request(77, FINISHED)
    request_id = await add(store)
    await store.finish_request(request_id, FINISHED)
    await store._write("DELETE FROM request WHERE id = ?", [request_id])
    row = await store._one("SELECT count(*) AS total FROM song")
    assert row is not None
    assert row["total"] == 0


async def test_a_transaction_that_failed_leaves_nothing_and_blocks_nobody(store: Store, database: Path) -> None:
    request_id = await add(store)
    twice = Finished((SONGS[0],), FINISHED.timings)
    await store.finish_request(request_id, twice)
    with pytest.raises(sqlite3.IntegrityError):
        await store.finish_request(request_id, FINISHED)
    assert run(database, "SELECT num_tokens, lyric FROM song") == [(9, SONGS[0].lyric)]
    assert (await store.set_sampling(MIRA, "top_k", 3)).top_k == 3


async def test_two_settings_at_the_same_time_are_both_kept(store: Store) -> None:
    await asyncio.gather(
        store.set_sampling(MIRA, "temperature", 1.5),
        store.set_sampling(MIRA, "top_k", 3),
        store.set_sampling(ADA, "top_k", 9),
        store.set_sampling(MIRA, "seed", 0),
    )
    mira = await store.sampling(MIRA)
    assert mira.model_dump(exclude_unset=True) == {"temperature": 1.5, "top_k": 3, "seed": 0}
    assert (await store.sampling(ADA)).model_dump(exclude_unset=True) == {"top_k": 9}


async def test_requests_and_settings_at_the_same_time_get_an_id_each(store: Store) -> None:
    ids = await asyncio.gather(*(add(store) for _ in range(20)), store.set_sampling(MIRA, "top_k", 3))
    assert sorted(value for value in ids if isinstance(value, int)) == list(range(1, 21))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.05),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", -1),
        ("top_k", 2.5),
        ("top_p", 1.01),
        ("repetition_penalty", 0.9),
        ("max_length", 0),
        ("num_return_sequences", 11),
        ("seed", 2**32),
        ("warmth", 1),
    ],
)
async def test_a_value_out_of_bounds_changes_nothing(store: Store, name: str, value: float) -> None:
    await store.set_sampling(MIRA, "temperature", 1.5)
    with pytest.raises(ValidationError, match=name):
        await store.set_sampling(MIRA, name, value)
    assert (await store.sampling(MIRA)).model_dump(exclude_unset=True) == {"temperature": 1.5}
    await store.set_sampling(MIRA, "top_k", 3)  # nothing is locked either


async def test_a_value_can_be_unset_alone_and_all_together(store: Store) -> None:
    await store.set_sampling(MIRA, "seed", 5)
    await store.set_sampling(MIRA, "top_k", 3)
    await store.set_sampling(MIRA, "seed", None)
    assert (await store.sampling(MIRA)).model_dump(exclude_unset=True) == {"top_k": 3}
    await store.reset_sampling(MIRA)
    assert (await store.sampling(MIRA)).model_fields_set == set()
    await store.reset_sampling(ADA)


async def test_kept_values_that_todays_bounds_refuse_are_dropped_and_the_rest_stays(
    store: Store, database: Path
) -> None:
    kept = '{"temperature": 9.0, "top_k": 3, "warmth": 1, "seed": 4}'
    run(database, "INSERT INTO user_sampling VALUES (?, ?)", MIRA, kept)
    assert (await store.sampling(MIRA)).model_dump(exclude_unset=True) == {"top_k": 3, "seed": 4}
    await store.set_sampling(MIRA, "top_p", 0.5)
    assert (await store.sampling(MIRA)).model_dump(exclude_unset=True) == {"top_k": 3, "seed": 4, "top_p": 0.5}


async def test_a_request_comes_back_as_it_was_kept(store: Store, database: Path) -> None:
    request_id = await add(store)
    waiting = await store.request(request_id)
    assert waiting is not None
    assert (waiting.state, waiting.songs) == ("queued", ())
    request = await store.finish_request(request_id, FINISHED)
    assert request == await store.request(request_id)
    assert (request.state, request.error, request.checkpoint) == ("finished", None, "tiny")
    assert request.header == Header(title="Lantern", genre="folk")
    assert request.sampling == make_request().sampling
    assert request.created_at == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert [(song.lyric, song.finish_reason, song.num_tokens) for song in request.songs] == [
        (song.lyric, song.finish_reason, song.num_tokens) for song in SONGS
    ]
    assert run(database, "SELECT queued_seconds, generating_seconds, num_tokens FROM request") == [(0.5, 2.0, 21)]
    assert await store.request(request_id + 1) is None


async def test_a_moment_keeps_its_time_zone(store: Store) -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5)))
    request_id = await store.add_request(
        make_request(), user_id=MIRA, guild_id=None, channel_id=None, checkpoint="tiny", created_at=moment
    )
    request = await store.request(request_id)
    assert request is not None
    assert request.created_at == moment
    assert (request.guild_id, request.channel_id) == (None, None)


async def test_an_end_without_songs_keeps_why(store: Store) -> None:
    for stopped, state in ((True, "stopped"), (False, "failed")):
        request_id = await add(store)
        await store.end_request(request_id, stopped=stopped, error="why")
        request = await store.request(request_id)
        assert request is not None
        assert (request.state, request.error) == (state, "why")


async def test_history_is_paged_newest_first_without_the_unfinished_and_others(store: Store) -> None:
    for number in range(7):
        await store.finish_request(await add(store, prompt=f"song {number}"), FINISHED)
    await add(store, prompt="waiting")
    await store.end_request(await add(store, prompt="failed"), stopped=False, error="why")
    await store.finish_request(await add(store, ADA, "of ada"), FINISHED)
    seen = [
        (page.number, page.num_pages, [song.request.prompt for song in page.songs])
        for page in [await store.history(MIRA, page=number, page_size=3) for number in (-1, 0, 1, 2, 99)]
    ]
    first, last = (0, 3, ["song 6", "song 5", "song 4"]), (2, 3, ["song 0"])
    assert seen == [first, first, (1, 3, ["song 3", "song 2", "song 1"]), last, last]
    assert (await store.history(MIRA, page=0, page_size=7)).num_pages == 1


async def test_an_empty_history_is_one_empty_page(store: Store) -> None:
    page = await store.history(MIRA, page=3, page_size=5)
    assert (page.songs, page.number, page.num_pages) == ((), 0, 1)
