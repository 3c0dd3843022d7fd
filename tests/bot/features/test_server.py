"""``/server``: what admins decide about songs in their server, who may, and when it is forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest
import simcord
from pydantic import ValidationError

from bot.features.server import MAX_CHANNELS, TooManyChannels
from bot.handling.permissions import _allows
from bot.rules import WrongChannel
from bot.sampling.layers import Ceilings, Layer, OverCeiling
from bot.store import ServerSettings, Store
from model import SamplingParams
from tests.bot.features.test_settings import show
from tests.bot.world import World, details, embed, footer, lyric, menu, private_sentence, response, wait_until

HERE, THERE = 1001, 1002
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = 30 * DAY

COMMANDS: dict[str, dict[str, Any]] = {
    "default": {"setting": "temperature", "value": 0.9},
    "ceiling": {"setting": "max_length", "value": 200},
    "disallow": {},
    "private": {"value": True},
    "show": {},
    "reset": {},
}


@pytest.fixture
def admin(world: World) -> simcord.MemberActor:
    """A member who may manage the server."""
    guild = world.mira.guild
    role = guild.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    return guild.add_member(world.env.create_user("admin"), roles=[role])


async def server(world: World, admin: simcord.MemberActor, command: str, **options: Any) -> str:
    """Return what a command of ``/server`` answers the admin."""
    return private_sentence(await admin.slash(world.channel, f"server {command}", **options))


async def settings(world: World) -> ServerSettings:
    """Return what is kept for the server."""
    return await world.store.server(world.mira.guild.id)


async def shown(world: World, admin: simcord.MemberActor) -> dict[str, str]:
    """Return what ``/server show`` tells, by heading."""
    answer = await admin.slash(world.channel, "server show")
    assert answer.ephemeral
    return {str(field.name): str(field.value) for field in embed(answer).fields}


async def test_only_who_may_manage_the_server_is_offered_the_commands(world: World, admin: simcord.MemberActor) -> None:
    offered = {name for name in admin.available_commands(world.channel) if name.startswith("server ")}
    assert offered == {"server allow", *(f"server {name}" for name in COMMANDS)}
    assert not [name for name in world.mira.available_commands(world.channel) if name.startswith("server")]
    assert not [name for name in world.mira.user.available_commands() if name.startswith("server")]


async def test_whom_discords_settings_let_in_is_let_in(world: World) -> None:
    (command,) = [command for command in await world.bot.tree.fetch_commands() if command.name == "server"]
    world.mira.guild.set_command_permissions(command, {world.mira: True})
    await server(world, world.mira, "private", value=True)
    assert (await settings(world)).private


@pytest.mark.parametrize("label", ["Again", "Variations", "Continue"])
async def test_who_is_shut_out_of_lyrics_is_shut_out_of_the_buttons_that_write(world: World, label: str) -> None:
    song = await world.lyrics()
    (command,) = [command for command in await world.bot.tree.fetch_commands() if command.name == "lyrics"]
    world.mira.guild.set_command_permissions(command, {world.mira: False})
    refused = await world.mira.click(response(song), label=label)
    assert private_sentence(refused) == "This server's admins do not let you use `/lyrics` here."
    assert len(world.states()) == 1
    world.mira.guild.set_command_permissions(command, {})
    world.bot.permissions.forget(world.mira.guild.id)
    await world.mira.click(response(song), label=label)
    assert len(world.states()) == 2


@pytest.mark.parametrize(
    ("of_command", "of_all", "may"),
    [
        ([], [], True),
        ([(2, 5, False)], [], False),
        ([(1, 7, False)], [], False),
        ([(1, 7, False), (1, 8, True)], [], True),
        ([(1, 1, False), (2, 5, True)], [], True),
        ([], [(2, 5, False)], False),
        ([(2, 5, True)], [(2, 5, False)], True),
        ([(3, 20, False)], [], False),
        ([(3, 0, False)], [], False),
        ([(3, 0, False), (3, 20, True)], [], True),
        ([(3, 20, True), (1, 1, False)], [], False),
        ([(2, 6, False), (1, 9, False), (3, 21, False)], [], True),
    ],
)
def test_discords_rules_are_applied_in_its_order(
    of_command: list[tuple[int, int, bool]], of_all: list[tuple[int, int, bool]], *, may: bool
) -> None:
    command, everything = (
        [{"type": kind, "id": str(number), "permission": said} for kind, number, said in entries]
        for entries in (of_command, of_all)
    )
    # Member 5 of server 1, with the roles 7 and 8, in channel 20; 0 is all channels.
    assert _allows(command, everything, 5, {1, 7, 8}, [20, 0]) is may


async def test_a_category_and_a_thread_can_be_allowed(world: World, admin: simcord.MemberActor) -> None:
    category = world.mira.guild.create_category("songs")
    inside = world.mira.guild.create_text_channel("inside", category=category)
    await server(world, admin, "allow", channel=category)
    assert not (await world.mira.slash(inside, "lyrics", prompt="two lanterns", length=5)).ephemeral
    refused = await world.lyrics()
    assert private_sentence(refused).startswith("This server's admins want songs")
    await inside.history()[0].create_thread(name="about it")
    (thread,) = inside.threads
    await server(world, admin, "disallow")
    await server(world, admin, "allow", channel=thread)
    assert not (await world.mira.slash(thread, "lyrics", prompt="two lanterns", length=5)).ephemeral
    assert private_sentence(await world.mira.slash(inside, "lyrics", prompt="two lanterns")).startswith("This server's")
    assert len(world.errors()) == 2


async def test_a_channel_that_is_deleted_leaves_the_list(world: World, admin: simcord.MemberActor) -> None:
    stage = world.mira.guild.create_text_channel("stage")
    for place in (stage, world.channel):
        await server(world, admin, "allow", channel=place)
    gone = world.bot.get_channel(stage.id)
    assert isinstance(gone, discord.TextChannel)
    world.bot.dispatch("guild_channel_delete", gone)
    await wait_until(lambda: str(stage.id) not in world.rows("SELECT channels FROM server_settings")[0][0])
    assert (await settings(world)).channels == (world.channel.id,)


async def test_a_servers_default_is_for_who_has_not_chosen(world: World, admin: simcord.MemberActor) -> None:
    await world.ada.slash(world.channel, "settings temperature", value=0.3)
    answer = await server(world, admin, "default", setting="temperature", value=0.9)
    assert answer == "This server's default of **temperature** is now **0.9**."
    assert (await show(world, world.mira))["temperature"] == "**0.9** (0.1 to 2) · this server's default"
    assert (await show(world, world.ada))["temperature"] == "**0.3** (0.1 to 2) · yours"
    assert (await details(world, await world.lyrics()))["temperature"] == "0.9"
    assert (await details(world, await world.lyrics(by=world.ada)))["temperature"] == "0.3"
    answer = await server(world, admin, "default", setting="temperature")
    assert answer == "This server's default of **temperature** is now **none**."
    assert (await show(world, world.mira))["temperature"] == "**0.7** (0.1 to 2) · the model's default"


async def test_a_servers_default_goes_before_the_hosts(world: World, admin: simcord.MemberActor) -> None:
    world.bot.rules.host = Layer("host", SamplingParams(top_k=5, top_p=0.5))
    await server(world, admin, "default", setting="top_k", value=9)
    mine = await show(world, world.mira)
    assert (mine["top_k"], mine["top_p"]) == (
        "**9** (0 to 50,257) · this server's default",
        "**0.5** (0 to 1) · the host's default",
    )


async def test_a_servers_settings_are_for_that_server(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "default", setting="temperature", value=0.9)
    await server(world, admin, "private", value=True)
    elsewhere = world.env.create_guild("Others")
    channel = elsewhere.create_text_channel("there")
    mira = elsewhere.add_member(world.mira.user)
    song = await mira.slash(channel, "lyrics", prompt="two lanterns", length=5)
    assert (await details(world, song, mira))["temperature"] == "0.7"
    assert not song.ephemeral
    alone = await world.mira.user.slash("lyrics", prompt="two lanterns", length=5)
    assert (await details(world, alone, world.mira.user))["temperature"] == "0.7"


async def test_a_ceiling_refuses_and_names_itself(world: World, admin: simcord.MemberActor) -> None:
    answer = await server(world, admin, "ceiling", setting="temperature", value=1)
    assert answer == "This server's ceiling of **temperature** is now **1**."
    refused = await world.mira.slash(world.channel, "settings temperature", value=1.5)
    assert private_sentence(refused) == (
        "**temperature** goes up to **1** here, which is this server's ceiling: 1.5 is over it."
    )
    assert [type(error) for error in world.errors()] == [OverCeiling]
    await server(world, admin, "ceiling", setting="temperature")
    await world.mira.slash(world.channel, "settings temperature", value=1.5)
    assert (await world.store.sampling(world.mira.id)).temperature == 1.5


async def test_a_servers_ceiling_is_not_over_the_hosts(world: World, admin: simcord.MemberActor) -> None:
    world.bot.rules.host = Layer("host", ceilings=Ceilings(max_length=300))
    refused = await server(world, admin, "ceiling", setting="max_length", value=301)
    assert refused == "**max_length** goes up to **300** here, which is the host's ceiling: 301 is over it."
    await server(world, admin, "ceiling", setting="max_length", value=300)
    assert (await settings(world)).ceilings == Ceilings(max_length=300)
    assert [type(error) for error in world.errors()] == [OverCeiling]


async def test_a_default_is_not_over_a_ceiling(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "ceiling", setting="num_return_sequences", value=2)
    refused = await server(world, admin, "default", setting="num_return_sequences", value=3)
    assert "which is this server's ceiling" in refused
    assert (await settings(world)).defaults.model_fields_set == set()
    assert [type(error) for error in world.errors()] == [OverCeiling]


@pytest.mark.parametrize(
    ("command", "setting", "value"),
    [
        ("default", "temperature", 2.5),
        ("default", "top_k", -1),
        ("default", "max_length", 2.5),
        ("ceiling", "max_length", 0),
    ],
)
async def test_a_value_out_of_bounds_is_sent_back(
    world: World, admin: simcord.MemberActor, command: str, setting: str, value: float
) -> None:
    refused = await server(world, admin, command, setting=setting, value=value)
    assert refused.startswith(f"That does not work:\n{setting}: ")
    assert await settings(world) == ServerSettings()
    assert [type(error) for error in world.errors()] == [ValidationError]


async def test_songs_are_refused_where_admins_do_not_want_them(world: World, admin: simcord.MemberActor) -> None:
    song = await world.lyrics()
    stage = world.mira.guild.create_text_channel("stage")
    answer = await server(world, admin, "allow", channel=stage)
    assert answer == f"Songs are now written in <#{stage.id}> only."
    before = len(world.public())
    sentence = f"This server's admins want songs to be written in <#{stage.id}> only: please ask there."
    assert private_sentence(await world.lyrics()) == sentence
    assert private_sentence(await world.lyrics(private=True)) == sentence
    for label in ("Again", "Continue", "Variations"):
        assert private_sentence(await world.mira.click(response(song), label=label)) == sentence
    assert len(world.public()) == before
    words = await world.ada.send(world.channel, "two lanterns")
    assert private_sentence(await world.mira.context_menu(world.channel, "Continue as lyrics", words)) == sentence
    assert world.states() == ["finished"]
    there = await world.mira.slash(stage, "lyrics", prompt="two lanterns")
    assert footer(there)
    assert {type(error) for error in world.errors()} == {WrongChannel}


async def test_a_card_is_posted_where_songs_may_be_only(world: World, admin: simcord.MemberActor) -> None:
    song = await world.lyrics()
    card = await world.mira.click(response(song), label="Share as picture")
    await server(world, admin, "allow", channel=world.mira.guild.create_text_channel("stage"))
    refused = await world.mira.click(response(card), label="Post it here")
    assert "please ask there" in private_sentence(refused)
    assert len(world.public()) == 1


async def thread_of(world: World, place: simcord.ChannelHandle) -> simcord.ChannelHandle:
    """Start a thread in a channel, or a post in a forum."""
    channel = world.bot.get_channel(place.id)
    if isinstance(channel, discord.ForumChannel):
        await channel.create_thread(name="verses", content="Yours?")
    else:
        assert isinstance(channel, discord.TextChannel)
        await channel.create_thread(name="verses", type=discord.ChannelType.public_thread)
    (thread,) = place.threads
    return thread


@pytest.mark.parametrize("kind", ["text", "forum"])
async def test_a_thread_is_its_channels(world: World, admin: simcord.MemberActor, kind: str) -> None:
    guild = world.mira.guild
    stage, other = (getattr(guild, f"create_{kind}_channel")(name) for name in ("stage", "other"))
    await server(world, admin, "allow", channel=stage)
    written = await world.mira.slash(await thread_of(world, stage), "lyrics", prompt="two lanterns", length=5)
    assert footer(written)
    refused = await world.mira.slash(await thread_of(world, other), "lyrics", prompt="two lanterns", length=5)
    assert private_sentence(refused).endswith(f"<#{stage.id}> only: please ask there.")
    assert [type(error) for error in world.errors()] == [WrongChannel]


@pytest.mark.parametrize("listed", ["history", "favourites"])
async def test_a_kept_song_is_posted_where_songs_may_be_only(
    world: World, admin: simcord.MemberActor, listed: str
) -> None:
    await world.mira.click(response(await world.lyrics()), label="Favourite")
    guild = world.mira.guild
    stage, forum, closed = (
        guild.create_text_channel("stage"),
        guild.create_forum_channel("forum"),
        guild.create_forum_channel("closed"),
    )
    for channel in (stage, forum):
        answer = await server(world, admin, "allow", channel=channel)
    assert answer == f"Songs are now written in <#{stage.id}>, <#{forum.id}> only."

    async def post_in(place: simcord.ChannelHandle) -> tuple[simcord.InteractionResult, int]:
        shown = await world.mira.slash(place, listed)
        song = await world.mira.select(response(shown), [menu(shown)["two lanterns"]])
        before = len(place.history())
        return await world.mira.click(response(song), label="Post here"), len(place.history()) - before

    for place in (stage, await thread_of(world, stage), await thread_of(world, forum)):
        posted, added = await post_in(place)
        assert lyric(posted).startswith("**two lanterns**")
        assert added == 1
    for place in (world.channel, await thread_of(world, world.channel), await thread_of(world, closed)):
        refused, added = await post_in(place)
        assert private_sentence(refused) == (
            f"This server's admins want songs to be written in <#{stage.id}>, <#{forum.id}> only: please ask there."
        )
        assert added == 0


async def test_channels_are_taken_off_one_by_one_or_all_together(world: World, admin: simcord.MemberActor) -> None:
    first, second = (world.mira.guild.create_text_channel(name) for name in ("first", "second"))
    for channel in (first, second, first):
        answer = await server(world, admin, "allow", channel=channel)
    assert answer == f"Songs are now written in <#{first.id}>, <#{second.id}> only."
    answer = await server(world, admin, "disallow", channel=first)
    assert answer == f"Songs are now written in <#{second.id}> only."
    assert (await shown(world, admin))["Songs are written"] == f"<#{second.id}>"
    await server(world, admin, "allow", channel=first)
    assert await server(world, admin, "disallow") == "Songs are now written in every channel."
    assert (await settings(world)).channels == ()
    assert footer(await world.lyrics())


async def test_there_is_an_end_to_the_channels(world: World, admin: simcord.MemberActor) -> None:
    many = tuple(range(10**19 - MAX_CHANNELS, 10**19))
    await world.store.change_server(world.mira.guild.id, lambda _: ServerSettings(channels=many))
    refused = await server(world, admin, "allow", channel=world.channel)
    assert refused == "25 channels are allowed already, which is the most: disallow one first."
    assert len((await shown(world, admin))["Songs are written"]) <= 1024
    await server(world, admin, "disallow")
    assert [type(error) for error in world.errors()] == [TooManyChannels]


async def test_songs_are_private_where_admins_want_it_unless_the_member_says_otherwise(
    world: World, admin: simcord.MemberActor
) -> None:
    answer = await server(world, admin, "private", value=True)
    assert answer == "Songs are now seen by the member alone, unless they choose otherwise."
    assert (await world.lyrics()).ephemeral
    assert not (await world.lyrics(private=False)).ephemeral
    await server(world, admin, "private", value=False)
    assert not (await world.lyrics()).ephemeral
    assert (await world.lyrics(private=True)).ephemeral


async def test_show_has_all_that_is_set_and_what_applies_besides(world: World, admin: simcord.MemberActor) -> None:
    world.bot.rules.host = Layer("host", SamplingParams(top_p=0.9), Ceilings(temperature=1.5, max_length=300))
    assert await shown(world, admin) == {
        "Songs are written": "in every channel",
        "Songs are seen": "by everybody, unless they are private",
        "Defaults": "`temperature` **0.7** (0.1 to 1.5, the host's ceiling) · the model's default\n"
        "`top_k` **50** (0 to 50,257) · the model's default\n"
        "`top_p` **0.9** (0 to 1) · the host's default\n"
        "`repetition_penalty` **1.2** (1 to 2) · the model's default\n"
        "`max_length` **100** (1 to 300, the host's ceiling) · the model's default\n"
        "`num_return_sequences` **3** (1 to 10) · the model's default",
        "Ceilings": "`temperature` **1.5** · the host's\n`max_length` **300** · the host's\n"
        "`num_return_sequences` **none**",
    }
    await server(world, admin, "default", setting="max_length", value=200)
    await server(world, admin, "ceiling", setting="max_length", value=150)
    now = await shown(world, admin)
    held = "`max_length` **150** (1 to 150, this server's ceiling) · this server's default is 200"
    assert held in now["Defaults"]
    assert "`max_length` **150** · this server's" in now["Ceilings"]


async def test_reset_forgets_everything(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "allow", channel=world.channel)
    await server(world, admin, "private", value=True)
    assert await server(world, admin, "reset") == "Nothing is set for this server any more."
    assert await settings(world) == ServerSettings()


async def test_a_servers_settings_outlive_the_process(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "default", setting="temperature", value=0.9)
    await server(world, admin, "private", value=True)
    await world.restart()
    song = await world.lyrics()
    assert song.ephemeral
    assert (await details(world, song))["temperature"] == "0.9"


async def kept(store: Store, *guilds: int) -> list[bool]:
    """Return whether settings of each server are kept."""
    return [await store.server(guild) != ServerSettings() for guild in guilds]


@pytest.fixture
async def two_servers(world: World) -> Store:
    """A store with settings of two servers."""
    for guild in (HERE, THERE):
        await world.store.change_server(guild, lambda server: server.with_default("temperature", 0.9))
    return world.store


async def test_settings_of_a_server_that_was_left_go_after_the_grace_period(two_servers: Store) -> None:
    assert await two_servers.forget_left_servers([HERE], now=NOON, grace=MONTH) == 0
    assert await two_servers.forget_left_servers([HERE], now=NOON + MONTH - DAY, grace=MONTH) == 0
    assert await kept(two_servers, HERE, THERE) == [True, True]
    assert await two_servers.forget_left_servers([HERE], now=NOON + MONTH, grace=MONTH) == 1
    assert await kept(two_servers, HERE, THERE) == [True, False]


async def test_a_server_that_comes_back_keeps_its_settings_and_begins_anew(two_servers: Store) -> None:
    await two_servers.forget_left_servers([], now=NOON, grace=MONTH)
    await two_servers.forget_left_servers([HERE, THERE], now=NOON + 29 * DAY, grace=MONTH)
    await two_servers.forget_left_servers([HERE], now=NOON + 31 * DAY, grace=MONTH)
    assert await two_servers.forget_left_servers([HERE], now=NOON + 60 * DAY, grace=MONTH) == 0
    assert await kept(two_servers, HERE, THERE) == [True, True]
    assert await two_servers.forget_left_servers([HERE], now=NOON + 61 * DAY, grace=MONTH) == 1


async def test_a_changed_setting_does_not_stop_the_time(two_servers: Store) -> None:
    await two_servers.forget_left_servers([HERE], now=NOON, grace=MONTH)
    await two_servers.change_server(THERE, lambda server: server.with_default("top_k", 9))
    assert await two_servers.forget_left_servers([HERE], now=NOON + MONTH, grace=MONTH) == 1


async def test_the_bot_forgets_a_server_that_removed_it_over_restarts(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "private", value=True)
    guild = world.mira.guild.id
    world.env.backend.remove_guild(guild)
    await world.env.settle()
    left = "SELECT left_at IS NOT NULL FROM server_settings"
    await world.env.advance_time(24 * 3600)
    assert world.rows(left) == [(1,)]
    await world.restart()
    await world.env.advance_time(28 * 24 * 3600)
    assert await kept(world.store, guild) == [True]
    await world.env.advance_time(3 * 24 * 3600)
    assert await kept(world.store, guild) == [False]


async def test_the_bot_keeps_the_settings_of_a_server_that_it_is_in(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "private", value=True)
    await world.env.advance_time(40 * 24 * 3600)
    await world.restart()
    await world.env.advance_time(40 * 24 * 3600)
    assert world.rows("SELECT left_at FROM server_settings") == [(None,)]


async def test_kept_values_that_a_later_version_does_not_allow_are_left_out(world: World) -> None:
    await world.store.change_server(HERE, lambda server: server.with_ceiling("max_length", 9))
    world.rows("""UPDATE server_settings SET ceilings = '{"temperature": 5, "max_length": 9}'""")
    assert (await world.store.server(HERE)).ceilings == Ceilings(max_length=9)


async def test_a_message_becomes_private_songs_where_admins_want_it(world: World, admin: simcord.MemberActor) -> None:
    await server(world, admin, "private", value=True)
    words = await world.ada.send(world.channel, "two lanterns")
    song = await world.mira.context_menu(world.channel, "Continue as lyrics", words)
    assert song.ephemeral
    assert footer(song)
