"""A song while it is written: the queue, the words as they come, Stop, and a Discord that is slow or gone."""

import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.features.lyrics.writing.live import FIRST, INTERVAL
from bot.features.lyrics.writing.reply import _AGAIN
from bot.features.lyrics.writing.writer import TooManyRequests
from model import Checkpoint, FinishReason, GeneratedSong, GenerationStopped, LyricsService, Request
from tests.bot.world import World, buttons, checked, embed, footer, lyric, menu, private_sentence, response, wait_until
from tests.conftest import GatedEngine

EDIT = "/webhooks/*/messages/@original"
SECOND_LINE = "\nThe tide came up at midnight"


class TypingEngine(GatedEngine):
    """An engine that has written ``written`` so far, and ends when the gate is set or it is stopped."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.written = ""
        self.shown = threading.Event()

    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],
        should_stop: Callable[[], bool],
    ) -> tuple[GeneratedSong, ...]:
        """Show what is written over and over, as a real engine does after each token."""

        def show(_: tuple[str, ...]) -> None:
            on_progress(self._songs(request))
            self.shown.set()

        super().generate(request, show, should_stop)
        reason: FinishReason = "cancelled" if self.stopped_early.is_set() else "stop"
        return tuple(GeneratedSong(song, reason, 5) for song in self._songs(request))

    async def writes(self, text: str) -> None:
        """Have written ``text``, and wait until that was passed on."""
        self.written = text
        for _ in range(2):  # The first may have been under way.
            self.shown.clear()
            await wait_until(self.shown.is_set)

    def _songs(self, request: Request) -> tuple[str, ...]:
        return (request.prompt + self.written,) * request.sampling.num_return_sequences


@pytest.fixture
def engine(tiny_checkpoint: Path) -> TypingEngine:
    """An engine whose words and pace the test sets."""
    return TypingEngine(Checkpoint.open(tiny_checkpoint))


@pytest.fixture
async def world(tmp_path: Path, engine: TypingEngine) -> AsyncIterator[World]:
    """The bot over that engine, with room for nine requests to wait."""
    async with checked(tmp_path, LyricsService(lambda: engine, max_queue=9)) as opened:
        yield opened
        engine.gate.set()


def edits(world: World) -> int:
    """Count the edits of replies."""
    return sum(request.path.endswith("/messages/@original") for request in world.env.http_requests)


async def test_the_reply_fills_with_words_while_the_model_writes(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    assert song.deferred
    await world.later(FIRST)
    assert lyric(song) == "**two lanterns**"
    assert footer(song) == "Song 1 of 3: 2 words so far, 4 in the others…"
    await engine.writes(" on the water\nThe tide ca")
    await world.later(INTERVAL)
    assert lyric(song) == "**two lanterns** on the water\nThe tide"
    assert list(buttons(song)) == ["Stop"]
    engine.written = SECOND_LINE
    engine.gate.set()
    await world.env.settle()
    assert lyric(song) == f"**two lanterns**{SECOND_LINE}"
    assert footer(song) == "1/3"
    assert "Stop" not in buttons(song)


async def test_what_is_written_in_half_a_second_is_shown_at_once_and_once(world: World, engine: TypingEngine) -> None:
    engine.gate.set()
    await world.lyrics()
    assert edits(world) == 1


async def test_whoever_waits_sees_the_place_and_the_time_that_is_left(world: World, engine: TypingEngine) -> None:
    world.service._durations.append(30.0)
    await world.begin(world.lyrics("one"), engine.started.is_set)
    second = await world.begin(world.lyrics("two"), lambda: len(world.states()) == 2)
    third = await world.begin(world.lyrics("three", by=world.ada), lambda: len(world.states()) == 3)
    await world.later(FIRST)
    assert lyric(second) == "You are next: about **30 seconds** to go"
    assert lyric(third) == "You are number **2** in the queue: about **60 seconds** to go"
    assert footer(third) == "Your song will appear here"
    await world.begin(world.mira.click(response(second), label="Stop"), lambda: True)
    await world.later(INTERVAL)
    assert lyric(third) == "You are next: about **30 seconds** to go"
    assert private_sentence(second) == "Stopped before anything was written."
    engine.gate.set()
    await world.env.settle()
    assert lyric(third) == "**three**"
    assert world.states() == ["finished", "stopped", "finished"]
    assert [type(error) for error in world.errors()] == [GenerationStopped]


async def test_stop_keeps_what_is_there_and_says_so(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    engine.written = SECOND_LINE
    await world.later(FIRST)
    await world.begin(world.mira.click(response(song), label="Stop"), engine.stopped_early.is_set)
    await world.env.settle()
    assert lyric(song) == f"**two lanterns**{SECOND_LINE}"
    assert embed(song).author.name == "Stopped early"
    assert list(buttons(song))[:4] == ["◀", "1/3", "▶", "Again"]
    assert world.states() == ["finished"]
    assert world.rows("SELECT DISTINCT finish_reason FROM song") == [("cancelled",)]


async def test_a_stranger_cannot_stop_a_song(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(FIRST)
    clicked = await world.begin(world.ada.click(response(song), label="Stop"), lambda: True)
    await wait_until(lambda: clicked.response)
    assert private_sentence(clicked) == "This song is being written for another member: only they can stop it."
    assert not engine.stopped_early.is_set()


async def test_a_message_that_a_crash_left_behind_says_what_happened(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(FIRST)
    world.env.inject_error("PATCH", EDIT, status=404, code=10008)
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    world.rows("DELETE FROM song")
    world.rows("UPDATE request SET state = 'queued'")
    await world.restart()
    await world.mira.click(response(song), label="Stop")
    assert response(song).content == "The bot went down while this was being written."
    assert (response(song).embeds, response(song).components) == ([], [])
    assert world.states() == ["stopped"]


async def test_stop_under_a_song_that_has_ended_shows_the_song(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(FIRST)
    world.env.inject_error("PATCH", EDIT, status=404, code=10008)
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    assert list(buttons(song)) == ["Stop"]
    await world.mira.click(response(song), label="Stop")
    assert footer(song).startswith("1/3")


async def test_one_member_cannot_fill_the_queue(world: World, engine: TypingEngine) -> None:
    await world.begin(world.lyrics("one"), engine.started.is_set)
    await world.begin(world.lyrics("two"), lambda: len(world.states()) == 2)
    refused = await world.begin(world.mira.slash(world.channel, "lyrics", prompt="three"), lambda: True)
    assert private_sentence(refused) == ("You have 2 requests under way already: wait until one has ended, or `/stop`.")
    await world.begin(world.lyrics("four", by=world.ada), lambda: len(world.states()) == 3)
    engine.gate.set()
    await world.env.settle()
    assert lyric(await world.lyrics("five")) == "**five**"
    assert world.states() == ["finished"] * 4
    assert [type(error) for error in world.errors()] == [TooManyRequests]


async def test_two_members_in_one_channel_each_see_their_own_words(world: World, engine: TypingEngine) -> None:
    mine = await world.begin(world.lyrics("one"), engine.started.is_set)
    theirs = await world.begin(world.lyrics("two", by=world.ada), lambda: len(world.states()) == 2)
    await world.later(FIRST)
    assert (lyric(mine), lyric(theirs)) == ("**one**", "You are next")
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    assert (lyric(mine), lyric(theirs)) == ("**one**", "**two**")
    assert len(world.public()) == 2


async def test_a_discord_that_says_429_holds_up_neither_the_model_nor_the_song(
    world: World, engine: TypingEngine
) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    world.env.inject_error("PATCH", EDIT, status=429, times=2)
    await world.later(FIRST)
    await engine.writes(SECOND_LINE)
    assert (edits(world), song.deferred) == (1, True)
    await world.later(2 * INTERVAL - 0.1)
    assert edits(world) == 1  # the refusal doubled the pause
    await world.later(0.1)
    await engine.writes(f"{SECOND_LINE}\nAnd carried them")
    assert (edits(world), song.deferred) == (2, True)
    await world.later(4 * INTERVAL)
    assert (edits(world), song.deferred) == (3, False)
    assert lyric(song) == f"**two lanterns**{SECOND_LINE}\nAnd carried"
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    assert footer(song).startswith("1/3")
    assert edits(world) == 4


async def test_a_song_that_discord_does_not_take_at_its_end_is_sent_to_the_channel(
    world: World, engine: TypingEngine
) -> None:
    engine.gate.set()
    world.env.inject_error("PATCH", EDIT, status=429, times=2)
    song = await world.begin(world.lyrics(), lambda: world.states() == ["finished"])
    await world.later(_AGAIN)
    await world.env.settle()
    (late,) = world.public()
    assert song.response is None
    assert late.content == f"{world.mira.mention}, here is your song"
    assert late.embeds[0].description == "**two lanterns**"


async def test_a_reply_that_was_deleted_meanwhile_is_not_sent_again(world: World, engine: TypingEngine) -> None:
    song = await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(FIRST)
    await response(song).message.delete()
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    assert world.public() == []
    assert world.states() == ["finished"]


async def test_a_song_that_took_over_15_minutes_is_sent_to_the_channel(world: World, engine: TypingEngine) -> None:
    await world.begin(world.lyrics(mood="proud"), engine.started.is_set)
    await world.later(FIRST)
    before = edits(world)
    await world.later(16 * 60)
    await engine.writes(SECOND_LINE)
    await world.later(INTERVAL)
    engine.gate.set()
    await world.later(INTERVAL)
    await world.env.settle()
    (late,) = world.public()
    assert late.content == (
        f"{world.mira.mention}, here is your song\n-# This model was not trained with mood, so that was left out."
    )
    assert [user.id for user in late.mentions] == [world.mira.id]
    assert late.embeds[0].description == f"**two lanterns**{SECOND_LINE}"
    assert edits(world) <= before + 2  # no loop
    await world.mira.click(late, label="▶")
    assert str(world.public()[0].embeds[0].footer.text).startswith("2/3")


async def test_a_failure_after_15_minutes_is_said_in_the_channel(world: World, engine: TypingEngine) -> None:
    await world.begin(world.lyrics(), engine.started.is_set)
    await world.later(16 * 60)
    await world.service.close()
    await world.env.settle()
    (late,) = world.public()
    assert late.content == (
        f"{world.mira.mention}, your song was not written: "
        "The bot was shut down before this song was finished: please ask again later."
    )


async def test_a_private_song_that_took_over_15_minutes_is_in_the_history_alone(
    world: World, engine: TypingEngine
) -> None:
    await world.begin(world.lyrics(private=True), engine.started.is_set)
    await world.later(16 * 60)
    engine.gate.set()
    await world.env.settle()
    assert world.public() == []
    shown = await world.mira.slash(world.channel, "history")
    assert list(menu(shown)) == ["two lanterns"]


async def test_where_the_bot_may_not_speak_a_late_song_is_in_the_history_alone(
    world: World, engine: TypingEngine
) -> None:
    await world.begin(world.lyrics(), engine.started.is_set)
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50013, times=None)
    await world.later(16 * 60)
    engine.gate.set()
    await world.env.settle()
    assert sum(request.path.startswith("/channels/") for request in world.env.http_requests) == 1
    shown = await world.mira.slash(world.channel, "history")
    assert list(menu(shown)) == ["two lanterns"]
