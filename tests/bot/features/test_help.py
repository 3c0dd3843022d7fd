"""``/help`` and ``/about``."""

import re
from pathlib import Path

import discord
from discord import app_commands

from bot.features.help import about_embed, help_embed
from bot.handling.tree import LyricsTree
from model import Checkpoint
from tests.bot.world import World, embed, lyric, response
from tests.conftest import GatedEngine, make_metadata


def fields(shown: discord.Embed) -> dict[str, str]:
    """Return the fields of an embed by name."""
    return {str(field.name): str(field.value) for field in shown.fields}


async def test_help_names_every_command_as_a_mention_to_click_and_is_private(world: World) -> None:
    shown = await world.mira.slash(world.channel, "help")
    assert shown.ephemeral
    text = str(embed(shown).description)
    mentioned = re.findall(r"</([\w ]+):(\d+)>", text)
    ids = {command.name: command.id for command in await world.bot.tree.fetch_commands()}
    assert {int(number) for _, number in mentioned} <= set(ids.values())
    available = {command.partition(" ")[0] for command in world.mira.available_commands(world.channel)}
    assert {name.partition(" ")[0] for name, _ in mentioned} == available
    lines = text.partition("```\n")[2].splitlines()
    assert lines[0] == f"</lyrics:{ids['lyrics']}> · Write songs that open with your words"
    group = f"</settings show:{ids['settings']}> </settings preset:{ids['settings']}> …"
    assert f"{group} · How your songs are written" in lines
    assert fields(embed(shown))["On a message"] == "Under *Apps* in its menu: *Continue as lyrics*"
    assert response(shown).components == []


async def test_the_example_of_help_is_a_command_that_works(world: World) -> None:
    shown = await world.mira.slash(world.channel, "help")
    (example,) = re.findall(r"```/lyrics prompt:(.+)```", str(embed(shown).description))
    assert lyric(await world.lyrics(example)).startswith(f"**{example}**")


async def test_help_says_what_is_for_admins() -> None:
    group = app_commands.Group(
        name="server", description="This server", default_permissions=discord.Permissions(manage_guild=True)
    )
    group.command(name="show", description="Show")(_show)
    shown = help_embed([group], LyricsTree(discord.Client(intents=discord.Intents.none())).mention)
    assert fields(shown)["If you manage the server"] == "`/server show` · This server"
    assert "server" not in str(shown.description)


async def _show(_interaction: discord.Interaction) -> None:
    pass


async def test_about_names_the_model_and_what_it_learnt(trained_world: World) -> None:
    await trained_world.lyrics(songs=3)
    shown = await trained_world.mira.slash(trained_world.channel, "about")
    assert shown.ephemeral
    said = fields(embed(shown))
    assert said.pop("Version of the model").endswith(", data 00")
    assert said == {
        "Model": "trained",
        "Songs written": "3",
        "Bot": "Version 0.1.0",
        "Trained on": "Songs, from nothing",
        "Understands": "title, genre",
    }


def test_about_shows_what_the_metadata_says_as_it_stands(tiny_checkpoint: Path) -> None:
    opened = Checkpoint.open(tiny_checkpoint)
    metadata = make_metadata(base="*my*/gpt2", training={"songs": 1234, "data": "a_b.txt, c.csv"}, header_fields=())
    said = fields(about_embed(Checkpoint("x_y", opened.path, metadata), 1_000_000))
    assert said["Model"] == "x\\_y"
    assert said["Songs written"] == "1,000,000"
    assert said["Trained on"] == "1,234 songs from a\\_b.txt, c.csv, starting from the model \\*my\\*/gpt2"
    assert "Understands" not in said


async def test_about_a_model_that_does_not_say(gated_world: World) -> None:
    shown = await gated_world.mira.slash(gated_world.channel, "about")
    assert embed(shown).description == "This model does not say what it was trained on."
    assert fields(embed(shown))["Model"] == "tiny"


async def test_songs_that_were_deleted_or_copied_were_written_once(
    gated_world: World, gated_engine: GatedEngine
) -> None:
    gated_engine.gate.set()
    await gated_world.lyrics(songs=2)
    song = await gated_world.lyrics(songs=3)
    offered = await gated_world.ada.click(response(song), label="▶")
    await gated_world.ada.click(response(offered), label="Get a copy of my own")
    await gated_world.store.forget(gated_world.mira.id)
    shown = await gated_world.mira.slash(gated_world.channel, "about")
    assert fields(embed(shown))["Songs written"] == "5"
