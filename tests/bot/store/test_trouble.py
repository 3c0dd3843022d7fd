"""One member never stops the others, and what goes leaves nothing: the store alone."""

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.store import Store, privacy
from model import Finished, GeneratedSong, Timings
from tests.bot.store.test_search import apply
from tests.bot.store.test_store import run
from tests.conftest import make_request

MIRA, ADA = 101, 202
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A path at which nothing is yet."""
    return tmp_path / "lyrics.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    """A store over a new file."""
    async with Store.open(database) as opened:
        yield opened


async def add(store: Store, user_id: int = MIRA, lyric: str = "two lanterns", created_at: datetime = NOON) -> int:
    """Keep a finished request of one song."""
    request_id = await store.add_request(
        make_request(), user_id=user_id, guild_id=1, channel_id=2, checkpoint="tiny", created_at=created_at
    )
    finished = Finished((GeneratedSong(lyric, "stop", 5),), Timings(queued=0.5, generating=2.0, num_tokens=5))
    await store.finish_request(request_id, finished)
    return request_id


def content(database: Path) -> bytes:
    """Return all that is in the file."""
    return database.read_bytes()


def log_size(database: Path) -> int:
    """Return the size of SQLite's log in bytes."""
    return database.with_name("lyrics.db-wal").stat().st_size


def mode(database: Path, name: str) -> int:
    """Return who may do what with a file beside the database."""
    return stat.S_IMODE(database.with_name(name).stat().st_mode)


async def test_who_reads_does_not_wait_for_who_writes(store: Store) -> None:
    request_id = await add(store)
    async with asyncio.timeout(5), store._transaction() as db:
        await db.execute("UPDATE request SET prompt = 'half done'")
        request = await store.request(request_id)
        assert request is not None
        assert request.prompt == "two lanterns"
        assert len((await store.history(MIRA, page=0, page_size=5)).songs) == 1
        assert (await store.sampling(MIRA)).model_fields_set == set()
        assert len((await store.personal_data(MIRA))["request"]) == 1


async def test_a_long_read_holds_up_no_other(store: Store) -> None:
    slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
    reading = asyncio.create_task(store._number(slow))
    await asyncio.sleep(0)
    await store.sampling(MIRA)
    assert not reading.done()
    await reading


async def test_others_write_while_a_long_history_is_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "_SLICE", 1)
    for _ in range(20):
        await add(store)
    forgetting = asyncio.create_task(store.forget(MIRA))
    kept = 20
    while kept == 20:
        kept = await store._number("SELECT count(*) FROM request")
    await store.set_sampling(ADA, "top_k", 3)
    assert 0 < await store._number("SELECT count(*) FROM request") < 20
    assert (await forgetting)["song"] == 20
    assert await store._number("SELECT count(*) FROM request") == 0
    assert (await store.sampling(ADA)).top_k == 3


async def test_a_transaction_that_is_given_up_at_its_beginning_blocks_nobody(store: Store) -> None:
    async def write() -> None:
        async with store._transaction():
            await asyncio.sleep(0)

    for turns in range(4):
        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await store.set_sampling(MIRA, "top_k", turns)


async def test_no_id_is_given_twice(database: Path) -> None:
    async with Store.open(database) as store:
        assert [await add(store) for _ in range(2)] == [1, 2]
        await store.delete_request(2, user_id=MIRA)
    async with Store.open(database) as store:
        assert await add(store) == 3
        await store.delete_request(3, user_id=MIRA)
        copied = await store.copy_request(1, user_id=ADA, created_at=NOON)
        assert copied is not None
        assert copied.id == 4
        await store.forget(ADA)
        await store.forget(MIRA)
        assert await add(store) == 5


async def test_what_was_deleted_gives_its_room_back_and_is_not_in_the_log(store: Store, database: Path) -> None:
    await add(store, ADA)
    await store._empty_log()
    before = len(content(database))
    for number in range(60):
        await add(store, lyric=f"marzipan {number} " * 300)
    await store.history(MIRA, page=0, page_size=5, search="marzipan")
    await store._empty_log()
    assert len(content(database)) > before + 200_000
    assert b"marzipan" in content(database)
    await store.forget(MIRA)
    assert len(content(database)) < before + 20_000
    assert log_size(database) == 0
    assert b"marzipan" not in content(database)


async def test_the_log_stays_under_its_bound(store: Store, database: Path) -> None:
    for number in range(30):
        await add(store, lyric=f"{number} " * 400_000)
    assert log_size(database) < 20 * 2**20


async def test_a_file_of_an_earlier_version_gives_room_back_from_now_on(database: Path) -> None:
    apply(database, 1, 2, 6, 7, 8, 10)
    assert run(database, "PRAGMA auto_vacuum") == [(0,)]
    async with Store.open(database) as store:
        assert await add(store) == 2
    assert run(database, "PRAGMA auto_vacuum") == [(1,)]
    assert run(database, "SELECT name FROM sqlite_master WHERE name LIKE 'song_text%'") == []
    assert run(database, "PRAGMA integrity_check") == [("ok",)]


@pytest.fixture
def readable(database: Path) -> Path:
    """A file of an earlier version, which everybody may read."""
    run(database, "CREATE TABLE somebodys (words TEXT)")
    database.chmod(0o644)
    return database


@pytest.mark.parametrize("which", ["database", "readable"])
async def test_the_file_is_for_its_owner_alone(which: str, request: pytest.FixtureRequest) -> None:
    database: Path = request.getfixturevalue(which)
    async with Store.open(database) as store:
        await add(store)
        for name in ("lyrics.db", "lyrics.db-wal", "lyrics.db-shm"):
            assert mode(database, name) == 0o600


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT id FROM request WHERE created_at < ? AND state <> 'queued' LIMIT 50", "request_by_age"),
        ("UPDATE request SET state = 'stopped', error = ? WHERE state = 'queued'", "request_under_way"),
        ("SELECT id FROM request WHERE user_id = ? AND state = 'finished'", "request_by_user"),
    ],
)
async def test_nothing_looks_at_every_request(store: Store, sql: str, index: str) -> None:
    plan = await store._all(f"EXPLAIN QUERY PLAN {sql}", "x")
    assert [row["detail"] for row in plan if index not in row["detail"]] == []


async def test_retention_goes_by_the_moment_whatever_its_zone(store: Store) -> None:
    for hours in (1, 3):
        await add(store, created_at=NOON + timedelta(hours=hours))
    await add(store, created_at=(NOON + timedelta(hours=1, microseconds=5)))
    assert await store.delete_requests_before(NOON + timedelta(hours=2)) == 2
    assert await store._number("SELECT count(*) FROM request") == 1
