"""Every request ends in its songs, or in a plain word: a disk that is full, a filter, a message that is gone."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.features.lyrics.writing.live import FIRST, INTERVAL
from bot.features.lyrics.writing.reply import _AGAIN
from bot.store import Store
from model import Checkpoint, GenerationStopped, LyricsService
from tests.bot.features.lyrics.test_writing import EDIT, SECOND_LINE, TypingEngine, edits
from tests.bot.world import World, buttons, checked, lyric, menu, private_sentence, response, wait_until

HELD_BACK = "This server's filter did not let it through. `/history` has your songs."


@pytest.fixture
def engine(tiny_checkpoint: Path) -> TypingEngine:
    """An engine whose words and pace the test sets."""
    return TypingEngine(Checkpoint.open(tiny_checkpoint))


@pytest.fixture
async def world(tmp_path: Path, engine: TypingEngine, caplog: pytest.LogCaptureFixture) -> AsyncIterator[World]:
    """The bot over that engine."""
    caplog.set_level(logging.INFO)
    async with checked(tmp_path, LyricsService(lambda: engine, max_queue=9)) as opened:
        yield opened
        engine.gate.set()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the bot logged above INFO, and whatever has a traceback."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("bot") and (record.levelno > logging.INFO or record.exc_info)
    ]


def full_disk() -> sqlite3.OperationalError:
    """Return what SQLite raises where there is no room."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


async def no_room(*_: object, **__: object) -> None:
    """Do what a method of the store does on a full disk."""
    raise full_disk()


async def test_songs_that_cannot_be_kept_are_shown_all_the_same(
    world: World, engine: TypingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.gate.set()
    engine.written = SECOND_LINE
    with monkeypatch.context() as patched:
        patched.setattr(Store, "finish_request", no_room)
        song = await world.lyrics(songs=2)
    assert lyric(song) == f"**two lanterns**{SECOND_LINE}\n\n⁂\n\n**two lanterns**{SECOND_LINE}"
    assert response(song).content.startswith("-# The bot's memory could not be written")
    assert response(song).components == []
    assert world.states() == ["queued"]
    await world.lyrics()
    assert world.states() == ["failed", "finished"]


async def test_an_end_that_cannot_be_kept_is_kept_later(
    world: World, engine: TypingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.gate.set()
    engine.error = GenerationStopped("Enough.")
    with monkeypatch.context() as patched:
        patched.setattr(Store, "end_request", no_room)
        assert private_sentence(await world.lyrics()) == "Enough."
    assert world.states() == ["queued"]
    engine.error = None
    await world.lyrics()
    assert world.states() == ["stopped", "finished"]
    assert len(world.errors()) == 1


async def test_a_request_that_cannot_be_kept_is_refused_in_plain_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "add_request", no_room)
    refused = await world.lyrics()
    assert private_sentence(refused).startswith("The bot's memory cannot be used just now, so nothing was done")
    assert len(world.errors()) == 1


async def test_a_last_edit_that_does_not_get_through_is_tried_again(world: World, engine: TypingEngine) -> None:
    engine.gate.set()
    world.env.inject_error("PATCH", EDIT, status=429)
    song = await world.begin(world.lyrics(), lambda: world.states() == ["finished"] and edits(world) == 1)
    await world.later(_AGAIN)
    await wait_until(lambda: song.response is not None and song.response.embeds)
    assert lyric(song) == "**two lanterns**"
    assert world.public()[0].content == ""


@pytest.mark.parametrize("code", [200000, 200001])
async def test_a_song_that_the_servers_filter_holds_back_is_in_the_history(
    world: World, engine: TypingEngine, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    engine.gate.set()
    world.env.inject_error("PATCH", EDIT, status=400, code=code)
    refused = await world.lyrics()
    assert private_sentence(refused) == HELD_BACK
    assert complaints(caplog) == []
    shown = await world.mira.slash(world.channel, "history")
    assert list(menu(shown)) == ["two lanterns"]
    assert len(world.errors()) == 1


async def test_a_filter_at_the_last_edit_takes_nothing_away(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(FIRST)
    await wait_until(lambda: song.response is not None and song.response.embeds)
    world.env.inject_error("PATCH", EDIT, status=400, code=200000, times=None)
    engine.gate.set()
    await world.later(INTERVAL)
    await wait_until(lambda: song.followups)
    assert [followup.content for followup in song.followups] == [HELD_BACK]
    assert lyric(song) == "**two lanterns**"


async def test_a_post_that_the_servers_filter_holds_back_says_so(world: World, engine: TypingEngine) -> None:
    engine.gate.set()
    song = await world.lyrics(private=True)
    world.env.inject_error("POST", "/webhooks/*/*", status=400, code=200000)
    clicked = await world.mira.click(response(song), label="Post here")
    assert [followup.content for followup in clicked.followups] == [HELD_BACK]
    assert buttons(song)["Post here"] is True
    assert world.public() == []


@pytest.mark.parametrize(("status", "code"), [(404, 10003), (403, 50001), (403, 50013), (404, 10008)])
async def test_a_place_that_is_gone_is_one_line(
    world: World, engine: TypingEngine, caplog: pytest.LogCaptureFixture, status: int, code: int
) -> None:
    engine.gate.set()
    world.env.inject_error("PATCH", EDIT, status=status, code=code, times=None)
    await world.lyrics()
    assert complaints(caplog) == []
    assert sum("no place for an answer" in record.getMessage() for record in caplog.records) == 1
    assert world.states() == ["finished"]


@pytest.mark.parametrize(("status", "code"), [(404, 10062), (400, 40060)])
async def test_a_lost_interaction_is_one_line_and_frees_the_place(
    world: World, engine: TypingEngine, caplog: pytest.LogCaptureFixture, status: int, code: int
) -> None:
    engine.gate.set()
    world.env.inject_error("POST", "/interactions/*/*/callback", status=status, code=code)
    await world.lyrics()
    assert complaints(caplog) == []
    assert sum("was lost" in record.getMessage() for record in caplog.records) == 1
    assert world.states() == []
    assert world.bot.writer._under_way == {}
    assert len(world.errors()) == 1


async def test_a_message_that_is_deleted_while_it_is_written_stops_the_writing(
    world: World, engine: TypingEngine
) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(FIRST)
    await wait_until(lambda: song.response is not None and song.response.embeds)
    await response(song).message.delete()
    await engine.writes(SECOND_LINE)
    await world.later(INTERVAL)
    await wait_until(engine.stopped_early.is_set)
    await world.env.settle()
    assert world.states() == ["finished"]
    assert world.bot.writer._under_way == {}
    assert world.public() == []


async def test_stop_ends_all_that_is_being_written_for_a_member(world: World, engine: TypingEngine) -> None:
    first = await world.begin(world.lyrics("one"), engine.started.is_set)
    second = await world.begin(world.lyrics("two"), lambda: len(world.states()) == 2)
    theirs = await world.begin(world.lyrics("three", by=world.ada), lambda: len(world.states()) == 3)
    await world.later(FIRST)
    stopped = await world.begin(world.mira.slash(world.channel, "stop"), engine.stopped_early.is_set)
    assert private_sentence(stopped) == "Stopped 2 requests: what is there stays."
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    assert lyric(first) == "**one**"
    assert private_sentence(second) == "Stopped before anything was written."
    assert lyric(theirs) == "**three**"
    assert private_sentence(await world.mira.slash(world.channel, "stop")) == "Nothing is being written for you."
    assert [type(error) for error in world.errors()] == [GenerationStopped]
