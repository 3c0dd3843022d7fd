"""What members see when something goes wrong: a private sentence, and nothing left in the channel."""

import asyncio
import logging
import re
import sqlite3

import pytest

from bot.store import Store
from model import GenerationStopped, ModelNotReady, PromptTooLong, QueueFull
from tests.bot.world import World, footer, lyric, menu, private_sentence, response, wait_until
from tests.conftest import GatedEngine

REFERENCE = re.compile(
    r"Something went wrong on our side\. If it goes on, tell the bot's host this reference: `(?P<id>[0-9a-f]{8})`"
)


def logged_reference(sentence: str, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """Return the one log record that has the reference of a sentence."""
    match = REFERENCE.fullmatch(sentence)
    assert match is not None, sentence
    (record,) = (record for record in caplog.records if match["id"] in record.getMessage())
    return record


def cause(record: logging.LogRecord) -> BaseException | None:
    """Return the exception that a record was logged with."""
    assert isinstance(record.exc_info, tuple)
    return record.exc_info[1]


async def boom(*_: object, **__: object) -> None:
    """Fail as a full disk does."""
    raise sqlite3.OperationalError("database or disk is full")


async def test_a_full_queue_sends_the_third_away_and_finishes_the_first_two(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    first = await gated_world.begin(gated_world.lyrics("one"), gated_engine.started.is_set)
    second = await gated_world.begin(gated_world.lyrics("two"), lambda: gated_world.states() == ["queued"] * 2)
    third = await gated_world.begin(
        gated_world.lyrics("three", by=gated_world.ada), lambda: gated_world.states()[2:] == ["failed"]
    )
    await wait_until(lambda: third.followups)
    await wait_until(lambda: third.response is None)
    assert private_sentence(third) == "The queue is full (1 waiting): please try again in a minute."
    gated_engine.gate.set()
    await gated_world.env.settle()
    assert gated_world.states() == ["finished", "finished", "failed"]
    assert [lyric(first), lyric(second)] == ["**one**\nsong 0", "**two**\nsong 0"]
    assert len(gated_world.public()) == 2
    assert gated_engine.prompts == ["one", "two"]
    assert [type(error) for error in gated_world.errors()] == [QueueFull]


async def test_room_in_the_queue_can_be_used_again(gated_world: World, gated_engine: GatedEngine) -> None:
    await gated_world.begin(gated_world.lyrics("one"), gated_engine.started.is_set)
    await gated_world.begin(gated_world.lyrics("two"), lambda: gated_world.states() == ["queued"] * 2)
    gated_engine.gate.set()
    await gated_world.env.settle()
    assert lyric(await gated_world.lyrics("three")).startswith("**three**")
    assert gated_world.states() == ["finished"] * 3


async def test_a_failing_engine_gives_a_reference_and_the_next_song_works(
    gated_world: World, gated_engine: GatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    gated_engine.error = RuntimeError("CUDA out of memory")
    failed = await gated_world.lyrics("one")
    record = logged_reference(private_sentence(failed), caplog)
    assert cause(record) is gated_engine.error
    assert "CUDA" not in private_sentence(failed)
    assert failed.response is None
    assert gated_world.public() == []
    assert gated_world.states() == ["failed"]
    assert gated_world.rows("SELECT error FROM request") == [("Something went wrong while this was written.",)]
    assert gated_world.errors() == [gated_engine.error]
    gated_engine.error = None
    gated_engine.gate.set()
    assert lyric(await gated_world.lyrics("two")).startswith("**two**")
    assert gated_world.states() == ["failed", "finished"]


async def test_two_failures_have_two_references(
    gated_world: World, gated_engine: GatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    gated_engine.error = RuntimeError()
    sentences = [private_sentence(await gated_world.lyrics()) for _ in range(2)]
    assert sentences[0] != sentences[1]
    assert len({logged_reference(sentence, caplog).getMessage() for sentence in sentences}) == 2
    assert gated_world.rows("SELECT DISTINCT error FROM request") == [("Something went wrong while this was written.",)]
    assert len(gated_world.errors()) == 2


async def test_an_error_for_people_shows_its_own_sentence(
    gated_world: World, gated_engine: GatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    gated_engine.error = PromptTooLong("That prompt is too long: please shorten it.")
    failed = await gated_world.lyrics()
    assert private_sentence(failed) == "That prompt is too long: please shorten it."
    assert gated_world.rows("SELECT state, error FROM request") == [("failed", private_sentence(failed))]
    assert gated_world.errors() == [gated_engine.error]
    assert [record for record in caplog.records if record.name.startswith("bot") and record.levelno >= 40] == []


async def test_a_stop_while_a_song_is_written_is_told_to_who_waits(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    running = await gated_world.begin(gated_world.lyrics("one"), gated_engine.started.is_set)
    waiting = await gated_world.begin(gated_world.lyrics("two"), lambda: gated_world.states() == ["queued"] * 2)
    await gated_world.service.close(grace=0)
    await gated_world.bot.tree.drain(timeout=5)
    for result in (running, waiting):
        assert private_sentence(result) == (
            "The bot was shut down before this song was finished: please ask again later."
        )
    assert gated_engine.stopped_early.is_set()
    assert gated_engine.prompts == ["one"]
    assert gated_world.states() == ["stopped", "stopped"]
    assert gated_world.public() == []
    assert [type(error) for error in gated_world.errors()] == [GenerationStopped] * 2


async def test_a_song_that_ends_within_the_grace_is_still_delivered(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    song = await gated_world.begin(gated_world.lyrics("one"), gated_engine.started.is_set)
    closing = asyncio.create_task(gated_world.service.close(grace=5))
    gated_engine.gate.set()
    await closing
    await gated_world.bot.tree.drain(timeout=5)
    assert lyric(song).startswith("**one**")
    assert gated_world.states() == ["finished"]


async def test_a_command_during_the_stop_is_answered(gated_world: World) -> None:
    await gated_world.service.close()
    refused = await gated_world.lyrics()
    assert private_sentence(refused) == "The bot is shutting down: please try again in a few minutes."
    assert [type(error) for error in gated_world.errors()] == [ModelNotReady]


async def test_a_bot_that_vanishes_midway_marks_the_song_as_stopped(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    await gated_world.begin(gated_world.lyrics(), gated_engine.started.is_set)
    gated_engine.started.clear()
    await gated_world.env.shutdown()
    assert gated_world.states() == ["stopped"]
    await asyncio.to_thread(gated_engine.stopped_early.wait, 5)
    assert gated_engine.stopped_early.is_set()


async def test_a_button_under_songs_that_are_gone_says_so(world: World) -> None:
    song = await world.lyrics()
    before = lyric(song)
    world.rows("DELETE FROM request")
    for member in (world.mira, world.ada):
        clicked = await member.click(response(song), label="▶")
        assert private_sentence(clicked) == "These songs are no longer kept: ask for new ones with `/lyrics`."
    assert lyric(song) == before


async def test_an_unexpected_error_of_a_button_gives_a_reference(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    song = await world.lyrics()
    with monkeypatch.context() as patched:
        patched.setattr(Store, "request", boom)
        clicked = await world.mira.click(response(song), label="▶")
    record = logged_reference(private_sentence(clicked), caplog)
    assert isinstance(cause(record), sqlite3.OperationalError)
    await world.mira.click(response(song), label="▶")
    assert footer(song).startswith("2/3")


async def test_errors_of_the_history_menu_and_its_buttons_are_reported(
    gated_world: World,
    gated_engine: GatedEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gated_engine.gate.set()
    for number in range(6):
        await gated_world.lyrics(f"song {number}")
    shown = await gated_world.mira.slash(gated_world.channel, "history")
    monkeypatch.setattr(Store, "request", boom)
    monkeypatch.setattr(Store, "history", boom)
    turned = await gated_world.mira.click(response(shown), label="▶")
    opened = await gated_world.mira.select(response(shown), [menu(shown)["song 5"]])
    for result in (turned, opened):
        logged_reference(private_sentence(result), caplog)


async def test_an_error_before_the_answer_is_private_too(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Store, "sampling", boom)
    failed = await world.mira.slash(world.channel, "settings show")
    assert failed.ephemeral
    logged_reference(private_sentence(failed), caplog)
    assert len(world.errors()) == 1


async def test_songs_that_discord_does_not_take_are_kept_in_the_history(
    gated_world: World, gated_engine: GatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    gated_engine.gate.set()
    gated_world.env.inject_error("PATCH", "/webhooks/*/messages/@original", status=400, code=50035)
    failed = await gated_world.lyrics("one")
    logged_reference(private_sentence(failed), caplog)
    shown = await gated_world.mira.slash(gated_world.channel, "history")
    assert list(menu(shown)) == ["one"]
    assert len(gated_world.errors()) == 1
