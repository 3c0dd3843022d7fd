"""What applies where somebody is: the settings of all layers together, and what the server's admins decided."""

from dataclasses import dataclass

import discord

from bot.sampling.layers import EffectiveSettings, Layer, resolve
from bot.store import ServerSettings, Store
from model import LyricsError


class WrongChannel(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """Songs may not be written in a channel."""


@dataclass(frozen=True, slots=True)
class Here:
    """What applies to a member in a place."""

    settings: EffectiveSettings
    server: ServerSettings


class Rules:
    """Knows what applies to whoever the bot answers.

    Args:
        store: What members and servers have set.
        host: What the host has set.
    """

    def __init__(self, store: Store, host: Layer) -> None:
        self.store = store
        self.host = host

    async def of(self, interaction: discord.Interaction) -> Here:
        """Return what applies to a member where they are."""
        member = Layer("member", await self.store.sampling(interaction.user.id))
        server = await self.server(interaction)
        return Here(resolve(member, server.layer, self.host), server)

    async def for_songs(self, interaction: discord.Interaction) -> Here:
        """Return what applies to songs that are asked for.

        Raises:
            WrongChannel: Where the server's admins want none.
        """
        here = await self.of(interaction)
        check_channel(here.server, interaction)
        return here

    async def server(self, interaction: discord.Interaction) -> ServerSettings:
        """Return what the admins of the server decided; nothing outside of servers."""
        return ServerSettings() if interaction.guild_id is None else await self.store.server(interaction.guild_id)


def check_channel(server: ServerSettings, interaction: discord.Interaction) -> None:
    """Raise ``WrongChannel`` where songs may be written elsewhere alone; what is in an allowed place is allowed."""
    channel = interaction.channel
    parent = channel.parent if isinstance(channel, discord.Thread) else channel
    here = {interaction.channel_id, getattr(channel, "parent_id", None), getattr(parent, "category_id", None)}
    if server.channels and here.isdisjoint(server.channels):
        places = ", ".join(f"<#{channel}>" for channel in server.channels)
        raise WrongChannel(f"This server's admins want songs to be written in {places} only: please ask there.")
