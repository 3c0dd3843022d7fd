"""``/server``: what the admins of a server decide about songs there."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import discord
from discord import app_commands
from discord.app_commands import AppCommandChannel, AppCommandThread, Choice
from discord.ext import commands

from bot.daily import Daily
from bot.features.settings.embeds import server_embed, visibility
from bot.rules import Rules
from bot.sampling.layers import resolve
from bot.sampling.parameters import CEILED, DEFAULTS
from bot.store import ServerSettings, Store
from model import LyricsError

log = logging.getLogger(__name__)

MAX_CHANNELS = 25
"""As many as an answer can name, whatever their ids are."""

_DEFAULTS = [Choice(name=parameter.name, value=parameter.name) for parameter in DEFAULTS]
_CEILED = [Choice(name=name, value=name) for name in CEILED]


AnyChannel = AppCommandChannel | AppCommandThread


class _AnyPlace(app_commands.Transformer):
    """Lets a place be chosen in which songs can be written: a channel, a thread or a category; the bot need not see it.

    The types are named one by one, as discord.py's ``ForumChannel`` also stands for media channels, which Discord's
    description of its API does not let a command ask for.
    """

    type = discord.AppCommandOptionType.channel
    channel_types = [  # noqa: RUF012 - overrides a property of the base class
        discord.ChannelType.text,
        discord.ChannelType.news,
        discord.ChannelType.voice,
        discord.ChannelType.stage_voice,
        discord.ChannelType.forum,
        discord.ChannelType.category,
        discord.ChannelType.public_thread,
        discord.ChannelType.private_thread,
        discord.ChannelType.news_thread,
    ]

    async def transform(self, _interaction: discord.Interaction, value: AnyChannel, /) -> AnyChannel:
        """Return the channel as Discord sent it."""
        return value


Place = app_commands.Transform[AnyChannel, _AnyPlace]
"""Where songs may be allowed; what is in it, is as it is."""


class TooManyChannels(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """A server names more channels than it may."""


@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.default_permissions(manage_guild=True)
class Server(commands.GroupCog, name="server", description="How songs are written in this server"):
    """The server's defaults, ceilings, channels and privacy.

    Discord lets in members who may manage the server, unless its admins decide otherwise in Discord's settings.

    Args:
        bot: Knows which servers it is in.
        store: What servers have set.
        rules: What applies under it.
        grace: For how long the settings of a server that removed the bot are kept.
    """

    def __init__(self, bot: discord.Client, store: Store, rules: Rules, *, grace: timedelta) -> None:
        self.bot = bot
        self.store = store
        self.rules = rules
        self.grace = grace
        self.daily = Daily(self.forget, after=bot.wait_until_ready)

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Let in whom Discord lets in, in servers."""
        return interaction.guild_id is not None

    @app_commands.command()
    async def show(self, interaction: discord.Interaction) -> None:
        """Show what is set for this server."""
        server = await self.rules.server(interaction)
        embed = server_embed(server, resolve(server.layer, self.rules.host))
        await interaction.response.send_message(embed=embed, ephemeral=True)

    @app_commands.command()
    @app_commands.choices(setting=_DEFAULTS)
    @app_commands.describe(setting="Which one", value="Leave it out to have none of the server's own")
    async def default(self, interaction: discord.Interaction, setting: str, value: float | None = None) -> None:
        """Set what applies to members who have not chosen for themselves."""
        number = _whole(value)

        def change(server: ServerSettings) -> ServerSettings:
            if number is not None:
                resolve(server.layer, self.rules.host).check(**{setting: number})
            return server.with_default(setting, number)

        await self._change(interaction, change)
        await _answer(interaction, f"This server's default of **{setting}** is now **{_or_none(number)}**.")

    @app_commands.command()
    @app_commands.choices(setting=_CEILED)
    @app_commands.describe(setting="Which one", value="The most there may be; leave it out to have no ceiling")
    async def ceiling(self, interaction: discord.Interaction, setting: str, value: float | None = None) -> None:
        """Set how far members may go."""
        number = _whole(value)
        if number is not None:
            resolve(self.rules.host).check(**{setting: number})
        await self._change(interaction, lambda server: server.with_ceiling(setting, number))
        await _answer(interaction, f"This server's ceiling of **{setting}** is now **{_or_none(number)}**.")

    @app_commands.command()
    @app_commands.describe(channel="Songs are then written there, and in others that are allowed")
    async def allow(self, interaction: discord.Interaction, channel: Place) -> None:
        """Allow songs in this channel, and no longer in those that are not allowed."""
        server = await self._change(interaction, lambda server: _allowing(server, channel.id))
        await _answer(interaction, f"Songs are now written in {_mentions(server)} only.")

    @app_commands.command()
    @app_commands.describe(channel="Leave it out for all: songs are then written everywhere again")
    async def disallow(self, interaction: discord.Interaction, channel: Place | None = None) -> None:
        """Take a channel off those where songs are allowed."""
        server = await self._change(interaction, lambda server: _disallowing(server, channel.id if channel else None))
        places = f"in {_mentions(server)} only" if server.channels else "in every channel"
        await _answer(interaction, f"Songs are now written {places}.")

    @app_commands.command()
    @app_commands.describe(value="Whether songs are private unless the member says otherwise")
    async def private(self, interaction: discord.Interaction, value: bool) -> None:  # noqa: FBT001 - an option
        """Choose who sees a song when the member does not say."""
        await self._change(interaction, lambda server: replace(server, private=value))
        await _answer(interaction, f"Songs are now seen {visibility(private=value)}.")

    @app_commands.command()
    async def reset(self, interaction: discord.Interaction) -> None:
        """Forget everything that is set for this server."""
        await self.store.reset_server(_guild_id(interaction))
        await _answer(interaction, "Nothing is set for this server any more.")

    async def _change(
        self, interaction: discord.Interaction, change: Callable[[ServerSettings], ServerSettings]
    ) -> ServerSettings:
        return await self.store.change_server(_guild_id(interaction), change)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Take a channel or a category that is deleted off those where songs are allowed."""
        await self._forget_channel(channel.guild.id, channel.id)

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, thread: discord.RawThreadDeleteEvent) -> None:
        """Take a thread that is deleted off those where songs are allowed."""
        await self._forget_channel(thread.guild_id, thread.thread_id)

    async def _forget_channel(self, guild_id: int, channel_id: int) -> None:
        if channel_id in (await self.store.server(guild_id)).channels:
            await self.store.change_server(guild_id, lambda server: _disallowing(server, channel_id))

    async def cog_load(self) -> None:
        """Begin to forget servers that the bot has left; the first time as soon as it knows where it is."""
        self.daily.start()

    async def cog_unload(self) -> None:
        """Stop that."""
        await self.daily.close()

    async def forget(self) -> None:
        """Delete the settings of servers that the bot left long ago.

        Which servers it is in is looked up each day, so nothing that happens while the bot is down is missed.
        """
        present = [guild.id for guild in self.bot.guilds]
        number = await self.store.forget_left_servers(present, now=discord.utils.utcnow(), grace=self.grace)
        if number:
            log.info("Deleted the settings of %d servers that the bot has left", number)


def _guild_id(interaction: discord.Interaction) -> int:
    assert interaction.guild_id is not None, "the commands are for servers only, which is checked"
    return interaction.guild_id


def _whole(value: float | None) -> float | None:
    """Return a number without a fraction as an integer, which some parameters want."""
    return int(value) if value is not None and value.is_integer() else value


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value}"


def _mentions(server: ServerSettings) -> str:
    return ", ".join(f"<#{channel}>" for channel in server.channels)


def _allowing(server: ServerSettings, channel_id: int) -> ServerSettings:
    channels = dict.fromkeys([*server.channels, channel_id])
    if len(channels) > MAX_CHANNELS:
        raise TooManyChannels(f"{MAX_CHANNELS} channels are allowed already, which is the most: disallow one first.")
    return replace(server, channels=tuple(channels))


def _disallowing(server: ServerSettings, channel_id: int | None) -> ServerSettings:
    """Return the settings without a channel, or with ``None`` without any."""
    kept = () if channel_id is None else tuple(kept for kept in server.channels if kept != channel_id)
    return replace(server, channels=kept)


async def _answer(interaction: discord.Interaction, sentence: str) -> None:
    await interaction.response.send_message(sentence, ephemeral=True)
