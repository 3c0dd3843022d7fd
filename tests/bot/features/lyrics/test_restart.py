"""What outlives the process: settings, history, old buttons, and what Discord was told of the commands."""

from datetime import UTC, datetime

import discord

from bot.client import LyricsBot
from tests.bot.world import World, details, embed, lyric, menu, private_sentence, response
from tests.conftest import make_request


class RicherBot(LyricsBot):
    """A later version, with a command more."""

    async def setup_hook(self) -> None:
        @self.tree.command(name="thanks", description="Say thanks")
        async def thanks(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("You are welcome.", ephemeral=True)

        await super().setup_hook()


async def test_settings_survive_a_restart(world: World) -> None:
    await world.mira.slash(world.channel, "settings temperature", value=1.5)
    await world.mira.slash(world.channel, "settings seed", value=7)
    await world.restart()
    song = await world.lyrics()
    written = await details(world, song)
    assert (written["temperature"], written["seed"]) == ("1.5", "7")


async def test_history_survives_a_restart_and_opens_the_same_songs(world: World) -> None:
    song = await world.lyrics()
    await world.restart()
    shown = await world.mira.slash(world.channel, "history")
    opened = await world.mira.select(response(shown), [menu(shown)["two lanterns"]])
    assert embed(opened) == embed(song)


async def test_buttons_under_an_old_message_still_work_after_a_restart(world: World) -> None:
    song = await world.lyrics()
    first = lyric(song)
    await world.restart()
    await world.mira.click(response(song), label="▶")
    second = lyric(song)
    assert second != first
    await world.mira.click(response(song), label="◀")
    assert lyric(song) == first
    asked = await world.ada.click(response(song), label="▶")
    await world.restart()
    await world.ada.click(response(asked), label="Get a copy of my own")
    assert lyric(asked) == second
    again = await world.mira.click(response(song), label="Again")
    assert lyric(again).startswith("**two lanterns**")
    assert (await details(world, again))["seed"] != (await details(world, song))["seed"]


async def test_an_open_history_still_works_after_a_restart(world: World) -> None:
    for number in range(6):
        await world.lyrics(f"song {number}")
    shown = await world.mira.slash(world.channel, "history")
    await world.restart()
    opened = await world.mira.select(response(shown), [menu(shown)["song 5"]])
    assert lyric(opened).startswith("**song 5**")
    await world.mira.click(response(shown), label="▶")
    assert [field.name for field in embed(shown).fields] == ["song 0"]
    opened = await world.mira.select(response(shown), [menu(shown)["song 0"]])
    assert lyric(opened).startswith("**song 0**")


async def test_discord_is_told_of_the_commands_only_once(world: World) -> None:
    assert world.syncs() == 1
    await world.restart()
    await world.restart()
    assert world.syncs() == 1
    assert not private_sentence(await world.mira.slash(world.channel, "settings reset")).isspace()


async def test_discord_is_told_of_commands_that_changed(world: World) -> None:
    await world.restart(RicherBot)
    assert world.syncs() == 2
    assert private_sentence(await world.mira.slash(world.channel, "thanks")) == "You are welcome."
    await world.restart(RicherBot)
    assert world.syncs() == 2
    await world.restart()
    assert world.syncs() == 3
    assert "thanks" not in world.mira.available_commands(world.channel)


async def test_a_sync_that_failed_is_tried_again_at_the_next_start(world: World) -> None:
    world.env.inject_error("PUT", "/applications/*/commands", status=403, times=1)
    await world.restart(RicherBot)
    assert world.syncs() == 2
    assert private_sentence(await world.mira.slash(world.channel, "settings reset")) != ""
    await world.restart(RicherBot)
    assert world.syncs() == 3


async def test_what_a_crash_left_unfinished_is_stopped(world: World) -> None:
    await world.lyrics()
    await world.store.add_request(
        make_request(),
        user_id=world.mira.id,
        guild_id=None,
        channel_id=None,
        checkpoint="x",
        created_at=datetime.now(UTC),
    )
    assert world.states() == ["finished", "queued"]
    await world.restart()
    assert world.rows("SELECT state, error FROM request WHERE id = 2") == [
        ("stopped", "The bot went down while this was being written.")
    ]
    assert world.states() == ["finished", "stopped"]
    page = await world.store.history(world.mira.id, page=0, page_size=5)
    assert [song.request.id for song in page.songs] == [1]


async def test_every_command_a_member_can_see_is_described(world: World) -> None:
    assert sorted(world.mira.available_commands(world.channel)) == sorted(
        [
            "lyrics",
            "stop",
            "history",
            "favourites",
            "help",
            "about",
            "privacy export",
            "privacy forget",
            "settings preset",
            "settings show",
            "settings reset",
        ]
        + [f"settings {name}" for name in type(await world.store.sampling(world.mira.id)).model_fields]
    )
