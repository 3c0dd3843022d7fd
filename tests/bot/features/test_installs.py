"""Where the bot can be used: in servers, in its own chat, and wherever a member brings it along."""

from collections.abc import Iterator
from typing import Any

import discord
import pytest

from tests.bot.world import World, details, footer, lyric, menu, response
from tests.conftest import GatedEngine

GUILD, BOT_DM, PRIVATE_CHANNEL = range(3)
BY_GUILD, BY_USER = range(2)


@pytest.fixture
def brought_along(gated_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A server that the bot is not in, where a member has it as a user install."""
    read = discord.Interaction._from_data

    def from_elsewhere(self: discord.Interaction[Any], data: Any) -> None:
        user = data["member"]["user"]["id"]
        guild = {"id": data["guild_id"], "features": [], "locale": "en-US"}
        read(self, data | {"guild": guild, "authorizing_integration_owners": {str(BY_USER): user}})

    with monkeypatch.context() as patched:
        patched.setattr(discord.Interaction, "_from_data", from_elsewhere)
        guild = gated_world.bot.get_guild(gated_world.mira.guild.id)
        assert guild is not None
        gated_world.bot._connection._remove_guild(guild)
        yield gated_world


def spoken(world: World, before: int) -> set[tuple[str, str]]:
    """Return what the bot sent since: the methods, and the last words of the addresses."""
    requests = world.env.http_requests[before:]
    return {(request.method, request.path.rpartition("/")[2]) for request in requests}


ANSWER = {("POST", "callback"), ("PATCH", "@original")}


async def test_every_command_but_the_servers_is_for_all_places(world: World) -> None:
    (told,) = (request.json for request in world.env.http_requests if request.method == "PUT")
    assert told is not None
    for command in told:
        installs, contexts = command["integration_types"], command["contexts"]
        if command["name"] == "server":
            assert (installs, contexts) == ([BY_GUILD], [GUILD])
        else:
            assert (installs, contexts) == ([BY_GUILD, BY_USER], [GUILD, BOT_DM, PRIVATE_CHANNEL])


async def test_everything_works_in_the_bots_own_chat(world: World) -> None:
    user = world.mira.user
    assert (await user.slash("settings max_length", value=12)).ephemeral
    song = await user.slash("lyrics", prompt="two lanterns")
    assert (await details(world, song, user))["max_length"] == "12"
    await user.click(response(song), label="▶")
    assert footer(song).startswith("2/3")
    assert list(menu(await user.slash("history"))) == ["two lanterns"]
    assert world.rows("SELECT guild_id FROM request") == [(None,)]


async def test_a_song_elsewhere_is_an_answer_and_edits_of_it(brought_along: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    before = len(brought_along.env.http_requests)
    song = await brought_along.lyrics()
    assert lyric(song) == "**two lanterns**\nsong 0"
    await brought_along.mira.click(response(song), label="Again")
    await brought_along.mira.click(response(song), label="▶")
    assert footer(song).startswith("2/3")
    assert spoken(brought_along, before) == ANSWER


async def test_a_failure_elsewhere_takes_the_place_of_the_song(brought_along: World, gated_engine: GatedEngine) -> None:
    gated_engine.error = RuntimeError("out of memory")
    before = len(brought_along.env.http_requests)
    song = await brought_along.lyrics()
    assert response(song).content.startswith("Something went wrong on our side.")
    assert (response(song).embeds, response(song).components, song.followups) == ([], [], [])
    assert spoken(brought_along, before) == ANSWER
    assert brought_along.errors() == [gated_engine.error]


async def test_a_failure_before_the_answer_is_private_elsewhere_too(brought_along: World) -> None:
    refused = await brought_along.lyrics(" ")
    assert refused.ephemeral
    assert response(refused).content == "Please give the song some opening words."
    assert len(brought_along.errors()) == 1


async def test_what_is_late_elsewhere_is_in_the_history_alone(brought_along: World, gated_engine: GatedEngine) -> None:
    await brought_along.begin(brought_along.lyrics(), gated_engine.started.is_set)
    await brought_along.later(16 * 60)
    before = len(brought_along.env.http_requests)
    gated_engine.gate.set()
    await brought_along.env.settle()
    assert spoken(brought_along, before) <= ANSWER
    assert brought_along.states() == ["finished"]
    assert list(menu(await brought_along.mira.slash(brought_along.channel, "history"))) == ["two lanterns"]
