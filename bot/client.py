"""The Discord client: puts the features together."""

import discord
from discord.ext import commands

from bot.features import History, Lyrics, Settings
from bot.features.buttons import HistoryPageButton, HistorySelect, SongButton
from bot.store import Store
from bot.sync import sync_if_changed
from bot.tree import LyricsTree
from model import LyricsService

PERMISSIONS = discord.Permissions(view_channel=True, send_messages=True, embed_links=True)


class LyricsBot(commands.Bot):
    """The bot over a store and a service that the caller opens and closes."""

    tree: LyricsTree

    def __init__(self, *, store: Store, service: LyricsService) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            # What a model writes must never ping anybody.
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=LyricsTree,
        )
        self.store = store
        self.service = service

    @property
    def invite_url(self) -> str:
        """The link by which an admin adds the bot to a server; known after login."""
        assert self.application_id is not None, "it is known after login"
        return discord.utils.oauth_url(self.application_id, permissions=PERMISSIONS)

    async def setup_hook(self) -> None:
        """Add the features and sync their commands; called once, after login."""
        await self.add_cog(Lyrics(self.store, self.service))
        await self.add_cog(Settings(self.store))
        await self.add_cog(History(self.store))
        self.add_dynamic_items(SongButton, HistoryPageButton, HistorySelect)
        assert self.application_id is not None, "it is known after login"
        await sync_if_changed(self.tree, self.store, self.application_id)
