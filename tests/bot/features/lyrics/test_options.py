"""The options of ``/lyrics``: what is suggested, what holds for one time, and songs from any message."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.features.lyrics.cog import MAX_PROMPT
from bot.features.lyrics.suggestions import MAX_CHOICES, suggest
from model import Checkpoint, LyricsService, Metadata
from model.checkpoint.folder import METADATA_FILE, STARTER
from tests.bot.world import World, checked, details, footer, lyric, private_sentence, response
from tests.conftest import GatedEngine, make_metadata, save_tiny_checkpoint

THEMES = tuple(f"theme number {number}" for number in range(60))


@pytest.fixture
async def suggesting_world(tmp_path: Path) -> AsyncIterator[World]:
    """The bot over a checkpoint that knows moods and themes, and says which were common."""
    folder = save_tiny_checkpoint(tmp_path / "checkpoint")
    values = {"mood": ("bitter", "sweet", "bittersweet", "x" * 101, ""), "theme": THEMES}
    metadata = make_metadata(header_fields=("mood", "theme"), header_values=values)
    (folder / METADATA_FILE).write_text(metadata.model_dump_json(), encoding="utf-8")
    async with checked(tmp_path, LyricsService.from_checkpoint(folder, max_queue=5)) as opened:
        yield opened


async def suggested(world: World, option: str, typed: str) -> list[Any]:
    """Return the names that are suggested for an option."""
    return [choice["name"] for choice in await world.mira.autocomplete(world.channel, "lyrics", option, typed)]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", ["bitter", "sweet", "bittersweet"]),
        ("BITTER", ["BITTER", "bitter", "bittersweet"]),
        ("sweet", ["sweet", "bittersweet"]),
        (" swe", ["swe", "sweet", "bittersweet"]),
        ("sour", ["sour"]),
    ],
)
async def test_what_was_typed_is_the_first_choice_and_values_that_the_checkpoint_knows_follow(
    suggesting_world: World, typed: str, shown: list[str]
) -> None:
    assert await suggested(suggesting_world, "mood", typed) == shown


async def test_discord_takes_25_suggestions_at_most(suggesting_world: World) -> None:
    assert await suggested(suggesting_world, "theme", "") == list(THEMES[:MAX_CHOICES])
    assert await suggested(suggesting_world, "theme", "number 5") == [
        "number 5",
        *(theme for theme in THEMES if theme.startswith("theme number 5")),
    ]


@pytest.mark.parametrize("typed", ["", "folk", "x" * 200])
async def test_a_field_that_the_checkpoint_does_not_know_says_so(suggesting_world: World, typed: str) -> None:
    assert await suggested(suggesting_world, "genre", typed) == [
        "This model was not trained with a genre: it will be left out"
    ]


def test_the_starter_suggests_what_its_songs_have() -> None:
    metadata = Metadata.model_validate_json((STARTER / METADATA_FILE).read_bytes())
    starter = Checkpoint("starter", STARTER, metadata)
    assert ("folk", "folk") in suggest(starter, "genre", "f")
    assert len(suggest(starter, "theme", "")) == MAX_CHOICES


def test_a_checkpoint_that_does_not_say_suggests_nothing(tiny_checkpoint: Path) -> None:
    metadata = make_metadata(header_fields=("mood",))
    assert metadata.header_values == {}
    assert suggest(Checkpoint("x", tiny_checkpoint, metadata), "mood", "") == []
    assert Metadata.model_validate_json(metadata.model_dump_json()) == metadata


async def test_options_hold_for_one_time(world: World) -> None:
    song = await world.lyrics(songs=2, length=9, seed=7)
    assert footer(song) == "1/2"
    written = await details(world, song)
    assert (written["max_length"], written["seed"]) == ("9", "7")
    assert footer(await world.lyrics()).startswith("1/3")


async def test_a_private_song_is_for_the_members_eyes_only(world: World) -> None:
    song = await world.lyrics(private=True)
    assert song.ephemeral
    assert world.public() == []
    await world.mira.click(response(song), label="▶")
    assert footer(song).startswith("2/3")


async def test_any_message_can_be_continued_as_lyrics(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    message = await gated_world.ada.send(
        gated_world.channel, f" two lanterns\n\non the *water* {gated_world.ada.mention} "
    )
    song = await gated_world.mira.context_menu(gated_world.channel, "Continue as lyrics", message)
    assert gated_engine.prompts == ["two lanterns\n\non the *water* @ada"]
    assert lyric(song) == "**two lanterns**\n\n**on the \\*water\\* @ada**\nsong 0"
    assert not song.ephemeral


async def test_of_a_long_message_the_end_is_continued(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    message = await gated_world.ada.send(gated_world.channel, "first " + "lantern " * 240)
    await gated_world.mira.context_menu(gated_world.channel, "Continue as lyrics", message)
    assert gated_engine.prompts == [" ".join(["lantern"] * 37)]
    assert len(gated_engine.prompts[0]) <= MAX_PROMPT


async def test_the_bots_own_songs_can_be_continued(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics("two *wild* lanterns\\")
    longer = await gated_world.ada.context_menu(gated_world.channel, "Continue as lyrics", response(song))
    assert gated_engine.prompts[1] == "two *wild* lanterns\\\nsong 0"
    assert lyric(longer).startswith("**two \\*wild\\* lanterns\\\\**\n**song 0**")


async def test_a_message_without_text_is_refused(world: World) -> None:
    message = await world.ada.send(world.channel, "\u200b")
    refused = await world.mira.context_menu(world.channel, "Continue as lyrics", message)
    assert private_sentence(refused) == "That message has no text to go on from."
    assert len(world.errors()) == 1
