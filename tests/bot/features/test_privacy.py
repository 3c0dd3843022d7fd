"""``/privacy``, and how long songs are kept."""

import gzip
import json
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import simcord

from bot.client import LyricsBot
from bot.features.privacy import data_file
from bot.store import Store
from model import LyricsError
from tests.bot.world import World, buttons, embed, private_sentence, response
from tests.conftest import GatedEngine, make_request

ABOUT_NOBODY = {"migration", "songs_written", "server_settings", "last_request"}
"""The tables that have nothing about anybody in them."""

IN_A_REQUEST = {"song", "song_words", "favourite"}
"""The tables that belong to whoever the request belongs to."""


@pytest.fixture
async def filled(gated_world: World, gated_engine: GatedEngine) -> World:
    """Mira has two requests, a favourite and a setting; Ada has as much."""
    gated_engine.gate.set()
    for member in (gated_world.mira, gated_world.ada):
        for prompt in ("two lanterns", "a «wild» tide"):
            song = await gated_world.lyrics(prompt, by=member)
        await member.click(response(song), label="Favourite")
        await member.slash(gated_world.channel, "settings temperature", value=0.9)
    return gated_world


async def export(world: World, member: simcord.MemberActor) -> dict[str, Any]:
    """Return what a member gets from ``/privacy export``."""
    answer = await member.slash(world.channel, "privacy export")
    assert answer.ephemeral
    (file,) = response(answer).attachments
    assert file.filename == "lyrics-data.json"
    content: dict[str, Any] = json.loads(await file.read())
    return content


async def forget(world: World, member: simcord.MemberActor, label: str = "Delete everything") -> str:
    """Ask to be forgotten and answer the question; return what is said then."""
    asked = await member.slash(world.channel, "privacy forget")
    assert asked.ephemeral
    await member.click(response(asked), label=label)
    assert response(asked).components == []
    return str(embed(asked).description)


def tables(world: World) -> dict[str, set[str]]:
    """Return the columns of every table that is not part of another one."""
    names = world.rows(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%'"
    )
    return {
        name: {column for (column,) in world.rows("SELECT name FROM pragma_table_info(?)", name)} for (name,) in names
    }


def test_every_table_is_somebodys_or_about_nobody(world: World) -> None:
    unknown = {name for name, columns in tables(world).items() if "user_id" not in columns}
    assert unknown == ABOUT_NOBODY | IN_A_REQUEST


async def test_the_export_has_every_table_with_a_user_in_it(filled: World) -> None:
    filled.rows("CREATE TABLE of_a_later_version (user_id INTEGER, words TEXT) STRICT")
    filled.rows("INSERT INTO of_a_later_version VALUES (?, 'mine'), (?, 'theirs')", filled.mira.id, filled.ada.id)
    data = await export(filled, filled.mira)
    personal = {name for name, columns in tables(filled).items() if "user_id" in columns}
    assert data.keys() == personal | {"user_id", "exported_at"}
    assert "of_a_later_version" in personal
    assert data["of_a_later_version"] == [{"user_id": str(filled.mira.id), "words": "mine"}]
    assert data["user_id"] == str(filled.mira.id)


async def test_the_export_is_whole_and_the_members_own(filled: World) -> None:
    data = await export(filled, filled.mira)
    assert [request["prompt"] for request in data["request"]] == ["two lanterns", "a «wild» tide"]
    assert {request["user_id"] for request in data["request"]} == {str(filled.mira.id)}
    assert data["user_sampling"] == [{"user_id": str(filled.mira.id), "params": {"max_length": 12, "temperature": 0.9}}]
    songs = data["request"][1]["songs"]
    assert [song["lyric"] for song in songs] == [f"a «wild» tide\nsong {number}" for number in range(3)]
    assert [song["favourite_since"] is not None for song in songs] == [True, False, False]
    columns = tables(filled)
    assert data["request"][0].keys() == columns["request"] | {"songs"}
    assert songs[0].keys() == columns["song"] - {"request_id"} | {"favourite_since"}
    assert data["request"][0]["params"]["temperature"] == 0.7


async def test_what_a_member_without_anything_gets_is_empty(world: World) -> None:
    data = await export(world, world.mira)
    assert data.pop("user_id") == str(world.mira.id)
    assert data.pop("exported_at")
    assert set(map(len, data.values())) == {0}
    answer = await world.mira.slash(world.channel, "privacy forget")
    assert private_sentence(answer) == "Nothing is kept about you."
    assert [type(error) for error in world.errors()] == [LyricsError]


def test_an_export_over_discords_limit_is_packed_or_refused() -> None:
    easy, hard = {"words": "la" * 2_000_000}, {"words": secrets.token_hex(2_000_000)}
    packed = data_file(easy, 2**20)
    assert packed.filename == "lyrics-data.json.gz"
    assert json.loads(gzip.decompress(packed.fp.read())) == easy
    with pytest.raises(LyricsError, match="takes 2 MiB even when packed, and Discord takes 1: ask the bot's host"):
        data_file(hard, 2**20)


async def test_the_question_says_what_would_go(filled: World) -> None:
    asked = await filled.mira.slash(filled.channel, "privacy forget")
    assert "**2 requests, 1 set of settings, 6 songs, 1 favourite**" in str(embed(asked).description)
    assert list(buttons(asked)) == ["Delete everything", "Keep everything"]


async def test_keeping_everything_deletes_nothing(filled: World) -> None:
    before = await export(filled, filled.mira)
    assert await forget(filled, filled.mira, "Keep everything") == "Nothing was deleted."
    after = await export(filled, filled.mira)
    assert after | {"exported_at": 0} == before | {"exported_at": 0}


async def test_being_forgotten_leaves_nothing_and_others_alone(filled: World) -> None:
    filled.rows("CREATE TABLE of_a_later_version (user_id INTEGER, words TEXT) STRICT")
    filled.rows("INSERT INTO of_a_later_version VALUES (?, 'mine'), (?, 'theirs')", filled.mira.id, filled.ada.id)
    theirs = await export(filled, filled.ada)
    said = await forget(filled, filled.mira)
    assert said == ("Deleted: 1 row of of_a_later_version, 2 requests, 1 set of settings, 6 songs, 1 favourite.")
    for name, columns in tables(filled).items():
        if "user_id" in columns:
            assert filled.rows(f'SELECT DISTINCT user_id FROM "{name}"') == [(filled.ada.id,)]  # noqa: S608
    for name, rows in (("song", 6), ("song_words", 0), ("favourite", 1)):
        assert filled.rows(f"SELECT count(*) FROM {name}") == [(rows,)]  # noqa: S608
    assert await export(filled, filled.ada) | {"exported_at": 0} == theirs | {"exported_at": 0}
    shown = await filled.mira.slash(filled.channel, "history")
    assert embed(shown).fields == []


async def test_nothing_of_what_is_deleted_is_left_in_the_file(filled: World) -> None:
    async def kept(*words: str) -> list[str]:
        """Return those of some words that are anywhere in the file or in SQLite's log, while the bot runs."""
        log = filled.database.with_name(f"{filled.database.name}-wal")
        content = filled.database.read_bytes() + log.read_bytes()
        return [word for word in words if word.encode() in content]

    async def search(member: simcord.MemberActor) -> None:
        """Have what is searched be kept too."""
        await member.slash(filled.channel, "history", search="tide")

    await filled.lyrics("xylophonist quagmire")
    await filled.lyrics("marzipan", by=filled.ada)
    await filled.lyrics("zugzwang", by=filled.ada)
    assert await kept("xylophonist", "quagmire", "marzipan") == ["xylophonist", "quagmire", "marzipan"]
    for member in (filled.mira, filled.ada):
        await search(member)
    assert filled.rows("SELECT count(*) FROM song_words") == filled.rows("SELECT count(*) FROM song")
    ((request_id,),) = filled.rows("SELECT id FROM request WHERE prompt = 'zugzwang'")
    assert await kept("zugzwang") == ["zugzwang"]
    assert await filled.store.delete_request(request_id, user_id=filled.ada.id)
    assert await kept("zugzwang", "marzipan") == ["marzipan"]
    await filled.store.forget(filled.mira.id)
    assert await kept("xylophonist", "quagmire", "marzipan") == ["marzipan"]
    await filled.store.delete_requests_before(datetime.now(UTC) + timedelta(days=365))
    assert await kept("marzipan", "lanterns", "tide") == ["tide"]  # of Ada's favourite


async def test_an_old_question_still_works_after_a_restart_and_twice(filled: World) -> None:
    first, second = [await filled.mira.slash(filled.channel, "privacy forget") for _ in range(2)]
    await filled.restart()
    await filled.mira.click(response(first), label="Delete everything")
    assert str(embed(first).description).startswith("Deleted: 2 requests")
    await filled.mira.click(response(second), label="Delete everything")
    assert embed(second).description == "Nothing is kept about you any more."


async def test_who_waits_for_a_song_is_asked_to_stop_it_first(gated_world: World, gated_engine: GatedEngine) -> None:
    await gated_world.begin(gated_world.lyrics(), gated_engine.started.is_set)
    asked = await gated_world.begin(gated_world.mira.slash(gated_world.channel, "privacy forget"), lambda: True)
    answer = await gated_world.begin(gated_world.mira.click(response(asked), label="Delete everything"), lambda: True)
    assert private_sentence(answer) == "A song is being written for you: stop it or wait for it, then ask again."
    gated_engine.gate.set()
    await gated_world.env.settle()
    assert gated_world.states() == ["finished"]
    await gated_world.mira.click(response(asked), label="Delete everything")
    assert gated_world.states() == []


async def keep(world: World, days: float, prompt: str) -> None:
    """Keep a request of Mira's from so many days ago, which failed."""
    now = world.env.now()
    request_id = await world.store.add_request(
        make_request(prompt),
        user_id=world.mira.id,
        guild_id=None,
        channel_id=None,
        checkpoint="tiny",
        created_at=now - timedelta(days=days),
    )
    await world.store.end_request(request_id, stopped=False, error="why")


def prompts(world: World) -> list[str]:
    """Return the prompts that are kept, oldest first."""
    return [prompt for (prompt,) in world.rows("SELECT prompt FROM request ORDER BY id")]


def month(**resources: Any) -> LyricsBot:
    """Make a bot that keeps songs for 30 days."""
    return LyricsBot(**resources, retention_days=30)


async def test_old_songs_are_deleted_at_start_and_daily_but_for_favourites(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    gated_engine.gate.set()
    kept = await gated_world.lyrics("a favourite")
    await gated_world.mira.click(response(kept), label="Favourite")
    await gated_world.lyrics("an old one")
    gated_world.rows("UPDATE request SET created_at = '2024-02-03T04:05:06+00:00'")
    await keep(gated_world, 30.5, "half a day too old")
    await keep(gated_world, 29.5, "tomorrow")
    await keep(gated_world, 1, "yesterday")
    await gated_world.restart()
    assert len(prompts(gated_world)) == 5
    await gated_world.restart(month)
    assert prompts(gated_world) == ["a favourite", "tomorrow", "yesterday"]
    assert gated_world.rows("SELECT count(*) FROM song") == [(3,)]
    await gated_world.env.advance_time(timedelta(hours=25).total_seconds())
    assert prompts(gated_world) == ["a favourite", "yesterday"]


async def test_a_request_under_way_is_never_too_old(world: World) -> None:
    await keep(world, 99, "waiting")
    world.rows("UPDATE request SET state = 'queued'")
    assert await world.store.delete_requests_before(datetime.now(UTC) + timedelta(days=9)) == 0


async def test_retention_goes_on_after_the_database_was_busy(
    gated_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(gated_world, 31, "old")
    deleting = Store.delete_requests_before
    calls: list[datetime] = []

    async def busy_at_first(self: Store, moment: datetime) -> int:
        calls.append(moment)
        if len(calls) == 1:
            raise sqlite3.OperationalError("database is locked")
        return await deleting(self, moment)

    monkeypatch.setattr(Store, "delete_requests_before", busy_at_first)
    await gated_world.restart(month)
    await gated_world.env.advance_time(60)
    assert len(calls) == 2
    assert prompts(gated_world) == []
