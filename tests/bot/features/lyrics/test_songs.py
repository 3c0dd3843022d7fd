"""The buttons under a finished song: what its owner does with it, and what a stranger is offered."""

import json

import pytest
import simcord

from bot.markup import plain
from model import GeneratedSong
from tests.bot.world import World, buttons, details, embed, footer, lyric, private_sentence, response
from tests.conftest import GatedEngine

LABELS = ["◀", "▶", "Again", "Continue", "Variations", "Share as picture", "Export", "Favourite"]


async def attachment(result: simcord.InteractionResult) -> tuple[str, bytes]:
    """Return the name and the content of the one file of an answer."""
    (file,) = response(result).attachments
    return file.filename, await file.read()


async def test_again_keeps_the_wish_and_draws_a_new_seed(trained_world: World) -> None:
    song = await trained_world.lyrics(genre="country", seed=7)
    first = lyric(song)
    again = await trained_world.mira.click(response(song), label="Again")
    before, after = await details(trained_world, song), await details(trained_world, again)
    assert (lyric(song), before.pop("seed")) == (first, "7")
    assert after.pop("seed") != "7"
    for written in (before, after):
        del written["Written"]
    assert before == after
    assert lyric(again).startswith("**[Verse 1]**\n**two lanterns**")
    assert lyric(again) != first
    assert footer(again) == "1/3 · country"
    assert len(trained_world.public()) == 2


async def test_variations_keep_the_header_and_are_warmer(trained_world: World) -> None:
    song = await trained_world.lyrics(title="Sandbag Line", seed=7)
    varied = await trained_world.mira.click(response(song), label="Variations")
    assert embed(varied).title == "Sandbag Line"
    written = await details(trained_world, varied)
    assert written["temperature"] == "1.0"
    assert written["seed"] != "7"


async def test_variations_get_no_hotter_than_the_hottest(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    await gated_world.store.set_sampling(gated_world.mira.id, "temperature", 1.9)
    varied = await gated_world.mira.click(response(await gated_world.lyrics()), label="Variations")
    assert (await details(gated_world, varied))["temperature"] == "2.0"


async def test_continue_goes_on_from_the_song_that_is_shown(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics()
    await gated_world.mira.click(response(song), label="▶")
    longer = await gated_world.mira.click(response(song), label="Continue")
    # The stand-in for the engine closes its songs, so that a new stanza is begun.
    assert gated_engine.prompts == ["two lanterns", "two lanterns\nsong 1\n\n"]
    assert lyric(longer).startswith("**two lanterns**\nsong 1\n\n")
    assert footer(longer) == ""
    await gated_world.mira.click(response(longer), label="Again")
    assert gated_engine.prompts[2] == gated_engine.prompts[1]
    shown = await gated_world.mira.slash(gated_world.channel, "history")
    assert [str(field.name) for field in embed(shown).fields] == ["two lanterns"] * 3


async def test_a_song_that_ran_out_of_length_goes_on_with_its_next_line(world: World) -> None:
    song = await world.lyrics(seed=7)
    first = lyric(song)
    longer = await world.mira.click(response(song), label="Continue")
    assert lyric(longer).startswith(first)
    assert len(lyric(longer)) > len(first)
    assert world.rows("SELECT opening FROM request WHERE id = 2")[0][0].endswith("\n")


async def test_a_song_that_fills_the_model_says_so(world: World) -> None:
    song = await world.lyrics(songs=1, length=1000)
    full = await world.mira.click(response(song), label="Continue")
    while not full.followups:  # Cut at its last line, the first song leaves room for some more.
        full = await world.mira.click(response(full), label="Continue")
    assert private_sentence(full) == "This song fills what the model can take in, so it cannot go on."
    assert world.states()[-1] == "failed"


async def test_a_model_with_nothing_to_add_says_so(
    gated_world: World, gated_engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics("one")
    monkeypatch.setattr(
        gated_engine, "generate", lambda request, *_: (GeneratedSong(request.prompt.strip(), "stop", 1),)
    )
    longer = await gated_world.mira.click(response(song), label="Continue")
    assert response(longer).content == "-# The model had nothing to add."


async def test_export_gives_the_song_as_training_reads_it(trained_world: World) -> None:
    song = await trained_world.lyrics(title="Sandbag, Line?", genre="country")
    await trained_world.mira.click(response(song), label="▶")
    exported = await trained_world.mira.click(response(song), label="Export")
    name, content = await attachment(exported)
    ((kept,),) = trained_world.rows("SELECT lyric FROM song WHERE number = 1")
    assert exported.ephemeral
    assert name == "sandbag-line.txt"
    assert content.decode() == f"title: Sandbag, Line?\ngenre: country\n\n{kept}\n"


@pytest.mark.parametrize(("prompt", "name"), [("Été — à «Paris»!", "été-à-paris.txt"), ("***", "song.txt")])
async def test_an_export_is_named_after_the_song(
    gated_world: World, gated_engine: GatedEngine, prompt: str, name: str
) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics(prompt)
    exported = await gated_world.mira.click(response(song), label="Export")
    assert (await attachment(exported))[0] == name


async def test_what_comes_of_a_private_song_is_private(world: World) -> None:
    song = await world.lyrics(private=True)
    assert song.ephemeral
    again = await world.mira.click(response(song), label="Again")
    assert again.ephemeral
    assert world.public() == []


@pytest.mark.parametrize("label", [label for label in LABELS if label != "◀"])
async def test_a_stranger_reads_the_song_privately_and_is_offered_a_copy(world: World, label: str) -> None:
    song = await world.lyrics()
    first, place = lyric(song), footer(song)
    read = await world.ada.click(response(song), label=label)
    assert read.ephemeral
    assert response(read).content.startswith("This song is another member's.")
    assert list(buttons(read)) == ["◀", "2/3" if label == "▶" else "1/3", "▶", "Details", "Get a copy of my own"]
    assert (lyric(song), footer(song)) == (first, place)
    assert len(world.public()) == 1


async def test_everybody_leafs_through_a_public_message_without_a_copy_or_a_change(world: World) -> None:
    song = await world.lyrics()
    first = lyric(song)
    read = await world.ada.click(response(song), label="▶")
    seen = [lyric(read)]
    await world.ada.click(response(read), label="▶")
    seen.append(lyric(read))
    assert footer(read) == "3/3"
    assert lyric(song) == first
    kept = [text.removeprefix("two lanterns") for (text,) in world.rows("SELECT lyric FROM song ORDER BY number")]
    assert [first, *seen] == [f"**two lanterns**{plain(text)}" for text in kept]
    assert len(world.states()) == 1
    assert (await details(world, read, world.ada))["Opening words"] == "two lanterns"


async def test_a_copy_is_ones_own(world: World) -> None:
    song = await world.lyrics()
    offered = await world.ada.click(response(song), label="▶")
    await world.ada.click(response(offered), label="Get a copy of my own")
    assert response(offered).content == ""
    assert footer(offered).startswith("2/3")
    await world.ada.click(response(offered), label="▶")
    assert footer(offered).startswith("3/3")
    again = await world.ada.click(response(offered), label="Again")
    assert again.ephemeral
    await world.mira.click(response(song), label="▶")
    assert footer(song).startswith("2/3")
    shown = await world.ada.slash(world.channel, "history")
    assert len(embed(shown).fields) == 2
    assert world.rows("SELECT user_id, state FROM request ORDER BY id") == [
        (world.mira.id, "finished"),
        (world.ada.id, "finished"),
        (world.ada.id, "finished"),
    ]
    mine, theirs = (world.rows("SELECT lyric FROM song WHERE request_id = ? ORDER BY number", n) for n in (1, 2))
    assert mine == theirs


async def test_a_copy_says_nothing_of_where_and_when_its_songs_were_written(world: World) -> None:
    song = await world.lyrics(songs=1)
    read = await world.ada.click(response(song), label="Again")
    await world.env.advance_time(60)
    await world.ada.click(response(read), label="Get a copy of my own")
    exported = await world.ada.slash(world.channel, "privacy export")
    _, content = await attachment(exported)
    (copy,) = json.loads(content)["request"]
    (written,) = world.rows("SELECT created_at FROM request WHERE id = 1")
    assert [name for name, value in copy.items() if value is None] == [
        "guild_id", "channel_id", "title", "genre", "mood", "theme", "error",
        "queued_seconds", "generating_seconds", "num_tokens", "opening", "artist",
    ]  # fmt: skip
    assert copy["created_at"] != written[0]
    assert str(world.mira.id) not in content.decode()


async def test_a_copy_of_a_song_that_is_gone_is_refused(world: World) -> None:
    song = await world.lyrics()
    offered = await world.ada.click(response(song), label="▶")
    world.rows("DELETE FROM request")
    refused = await world.ada.click(response(offered), label="Get a copy of my own")
    assert private_sentence(refused) == "These songs are no longer kept: ask for new ones with `/lyrics`."


async def test_every_button_works_after_a_restart(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics()
    for label in [label for label in LABELS if label != "◀"]:
        await gated_world.restart()
        clicked = await gated_world.mira.click(response(song), label=label)
        assert clicked.acknowledged
    assert footer(song).startswith("2/3")
    assert len(gated_world.states()) == 4


async def test_the_limit_of_a_member_holds_for_buttons_too(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics()
    gated_engine.gate.clear()
    gated_engine.started.clear()
    await gated_world.begin(gated_world.lyrics("one"), gated_engine.started.is_set)
    await gated_world.begin(gated_world.lyrics("two"), lambda: len(gated_world.states()) == 3)
    refused = await gated_world.begin(gated_world.mira.click(response(song), label="Again"), lambda: True)
    assert private_sentence(refused).startswith("You have 2 requests under way already")


async def test_whoever_pressed_a_button_is_told_that_the_bot_was_stopped(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    gated_engine.gate.set()
    song = await gated_world.lyrics()
    gated_engine.gate.clear()
    gated_engine.started.clear()
    again = await gated_world.begin(gated_world.mira.click(response(song), label="Again"), gated_engine.started.is_set)
    await gated_world.service.close(grace=0)
    await gated_world.bot.tree.drain(timeout=5)
    assert private_sentence(again) == "The bot was shut down before this song was finished: please ask again later."
    assert gated_world.states() == ["finished", "stopped"]
