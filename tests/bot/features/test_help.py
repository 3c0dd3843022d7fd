"""``/help`` and ``/about``."""

from pathlib import Path

import discord
from discord import app_commands

from bot.features.help import about_embed, help_embed
from model import Checkpoint
from tests.bot.world import World, embed, response
from tests.conftest import GatedEngine, make_metadata


def fields(shown: discord.Embed) -> dict[str, str]:
    """Return the fields of an embed by name."""
    return {str(field.name): str(field.value) for field in shown.fields}


async def test_help_names_every_command_and_is_private(world: World) -> None:
    shown = await world.mira.slash(world.channel, "help")
    assert shown.ephemeral
    lines = str(embed(shown).description).splitlines()
    assert {line.split("**")[1] for line in lines} == {
        f"/{command.partition(' ')[0]}" for command in world.mira.available_commands(world.channel)
    }
    assert lines[0] == "**/lyrics** · Write songs that open with your words"
    assert "**/settings** … · How your songs are written" in lines
    assert fields(embed(shown))["On a message"] == "Under *Apps* in its menu: *Continue as lyrics*"
    assert "everybody else is offered a copy" in fields(embed(shown))["Under a song"]
    assert response(shown).components == []


async def test_help_says_what_is_for_admins() -> None:
    group = app_commands.Group(
        name="server", description="This server", default_permissions=discord.Permissions(manage_guild=True)
    )
    shown = help_embed([group])
    assert fields(shown)["If you manage the server"] == "**/server** … · This server"
    assert not shown.description


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
