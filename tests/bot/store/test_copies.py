"""Copies of the database, and databases of every version before: nothing in them is lost."""

import os
import sqlite3
import stat
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.store import Store
from bot.store.copies import KEPT_DAYS, back_up, find_damage, restore
from bot.store.file import StoreError
from model import SamplingParams

MIGRATIONS = Path(__file__).parents[3] / "bot/store/migrations"
NUMBERS = sorted(int(file.name.partition("_")[0]) for file in MIGRATIONS.glob("*.sql"))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MIRA, GUILD = 101, 7


def make_database(database: Path, version: int) -> None:
    """Make a database as the bot of a version left it, with rows in every table that a member or an admin fills."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
        )
        for number in NUMBERS[: NUMBERS.index(version) + 1]:
            (file,) = MIGRATIONS.glob(f"{number:04}_*.sql")
            connection.executescript(file.read_text(encoding="utf-8"))
            connection.execute("INSERT INTO migration VALUES (?, ?, '2026-01-01')", [number, file.name])
        connection.execute("INSERT INTO user_sampling VALUES (?, ?)", [MIRA, '{"temperature": 1.5}'])
        for request_id, state in ((1, "finished"), (2, "queued")):
            connection.execute(
                "INSERT INTO request"
                " (id, user_id, guild_id, channel_id, prompt, title, params, seed, checkpoint, state, created_at)"
                " VALUES (?, ?, ?, 8, 'two lanterns', 'Harbour', '{}', 7, 'tiny', ?, ?)",
                [request_id, MIRA, GUILD, state, NOON.isoformat()],
            )
        connection.execute("INSERT INTO song VALUES (1, 0, 'two lanterns', 'stop', 5), (1, 1, 'the sky', 'length', 6)")
        if version >= 8:
            connection.execute("UPDATE songs_written SET total = 2")
        if version >= 3:
            connection.execute(
                "INSERT INTO server_settings VALUES (?, '{\"top_k\": 3}', '{}', '[8]', 1, NULL)", [GUILD]
            )
        if version >= 7:
            connection.execute("INSERT INTO favourite VALUES (1, 1, ?)", [NOON.isoformat()])


def beside(database: Path, ending: str = "") -> list[Path]:
    """Return the files whose names begin so, drafts that were left behind included."""
    return [
        file for file in database.parent.iterdir() if file.name.removeprefix(".").startswith(database.name + ending)
    ]


@pytest.mark.parametrize("version", NUMBERS)
async def test_a_database_of_any_version_comes_to_this_one_with_all_that_is_in_it(version: int, tmp_path: Path) -> None:
    database = tmp_path / "lyrics.db"
    make_database(database, version)
    for _ in range(2):
        async with Store.open(database) as store:
            (song,) = (await store.history(MIRA, page=0, page_size=5, search="harbour sky")).songs
            assert [each.lyric for each in song.request.songs] == ["two lanterns", "the sky"]
            assert song.request.created_at == NOON
            unfinished = await store.request(2)
            assert unfinished is not None
            assert unfinished.state == "stopped"
            assert await store.sampling(MIRA) == SamplingParams(temperature=1.5)
            server = await store.server(GUILD)
            assert (server.private, server.channels) == ((True, (8,)) if version >= 3 else (False, ()))
            marked = await store.favourites(MIRA, page=0, page_size=5)
            assert len(marked.songs) == (version >= 7)
            assert await store.num_songs_written() == 2
    assert find_damage(database) == []
    copies = beside(database, ".before-")
    if version == NUMBERS[-1]:
        assert copies == []
        return
    (copy,) = copies
    assert copy.name == f"lyrics.db.before-{NUMBERS[NUMBERS.index(version) + 1]:04}"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT max(number) FROM migration").fetchone() == (version,)
        assert connection.execute("SELECT id, state FROM request").fetchall() == [(1, "finished"), (2, "queued")]


async def test_the_copy_before_a_migration_goes_after_a_week(tmp_path: Path) -> None:
    database = tmp_path / "lyrics.db"
    make_database(database, 1)
    async with Store.open(database):
        pass
    (copy,) = beside(tmp_path / "lyrics.db", ".before-")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for days, kept in ((KEPT_DAYS - 1, True), (KEPT_DAYS + 1, False)):
        moment = time.time() - days * 86_400
        os.utime(copy, (moment, moment))
        async with Store.open(database):
            pass
        assert copy.exists() is kept


async def test_a_new_database_is_not_copied(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "lyrics.db"):
        pass
    assert beside(tmp_path / "lyrics.db", ".before-") == []


async def test_what_is_backed_up_while_the_bot_runs_can_be_put_back(tmp_path: Path) -> None:
    database, copy = tmp_path / "lyrics.db", tmp_path / "copy.db"
    async with Store.open(database) as store:
        await store.set_sampling(MIRA, "top_k", 3)
        back_up(database, copy)
        await store.set_sampling(MIRA, "top_k", 4)
        with pytest.raises(StoreError, match="is in use by another bot"):
            restore(copy, database)
        assert (await store.sampling(MIRA)).top_k == 4
    assert beside(copy) == [copy]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = restore(copy, database)
    assert before is not None
    for file, top_k in ((database, 3), (before, 4), (copy, 3)):
        async with Store.open(file) as store:
            assert (await store.sampling(MIRA)).top_k == top_k


async def test_a_copy_takes_the_place_of_a_damaged_database_and_of_none(tmp_path: Path) -> None:
    database, copy = tmp_path / "lyrics.db", tmp_path / "copy.db"
    async with Store.open(database) as store:
        await store.set_sampling(MIRA, "top_k", 3)
    back_up(database, copy)
    database.write_bytes(b"not a database any more" * 100)
    assert restore(copy, database) is not None
    assert restore(copy, tmp_path / "elsewhere.db") is None
    for file in (database, tmp_path / "elsewhere.db"):
        async with Store.open(file) as store:
            assert (await store.sampling(MIRA)).top_k == 3


async def test_only_a_whole_copy_of_this_bots_is_put_back(tmp_path: Path) -> None:
    database, other = tmp_path / "lyrics.db", tmp_path / "other.db"
    async with Store.open(database) as store:
        await store.set_sampling(MIRA, "top_k", 3)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE song (words TEXT)")
    with pytest.raises(StoreError, match=r"other\.db is no database of this bot: put back another copy"):
        restore(other, database)
    with pytest.raises(StoreError, match="There is no database"):
        restore(tmp_path / "gone.db", database)
    other.write_bytes(b"x" * 9000)
    with pytest.raises(StoreError, match="is no SQLite database, or a damaged one"):
        restore(other, database)
    async with Store.open(database) as store:
        assert (await store.sampling(MIRA)).top_k == 3


async def test_nothing_that_is_there_is_overwritten_by_a_backup(tmp_path: Path) -> None:
    database, copy = tmp_path / "lyrics.db", tmp_path / "copy.db"
    async with Store.open(database):
        pass
    copy.write_bytes(b"mine")
    with pytest.raises(StoreError, match=r"copy\.db is there already: name a new file"):
        back_up(database, copy)
    assert copy.read_bytes() == b"mine"
    with pytest.raises(StoreError, match="There is no database"):
        back_up(tmp_path / "gone.db", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


async def test_damage_is_found_in_rows_and_in_pages(tmp_path: Path) -> None:
    database = tmp_path / "lyrics.db"
    make_database(database, NUMBERS[-1])
    assert find_damage(database) == []
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM request WHERE id = 1")
    assert find_damage(database) == ["2 rows of song belong to no request"]
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    database.write_bytes(content)
    try:
        assert not any("rows of song" in line for line in find_damage(database))
    except StoreError as error:  # which it is depends on what the version of SQLite keeps there
        assert "is damaged" in str(error)  # noqa: PT017
