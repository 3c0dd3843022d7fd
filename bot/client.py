"""The Discord client: puts the features together."""

from datetime import timedelta

import discord
from discord import app_commands
from discord.ext import commands

from bot.features import Help, History, Lyrics, Privacy, Retention, Server, Settings
from bot.features.lists.buttons import OpenMenu, PageButton
from bot.features.lyrics import ITEMS, SongActions, Writer
from bot.features.privacy import ForgetButton
from bot.features.settings.controls import SettingsMenu
from bot.handling.interaction import LyricsClient
from bot.handling.permissions import CommandPermissions
from bot.handling.sync import sync_where_it_differs
from bot.handling.translator import LocaleTranslator
from bot.handling.tree import LyricsTree
from bot.rules import Rules
from bot.sampling.layers import Layer
from bot.store import Store
from model import LyricsService

PERMISSIONS = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, embed_links=True
)


class LyricsBot(LyricsClient):
    """The bot over a store and a service that the caller opens and closes.

    Args:
        store: What the bot keeps.
        service: What writes songs.
        max_per_member: How many requests of one member may run and wait.
        host: What the host sets for everybody's songs.
        server_grace: For how long the settings of a server that removed the bot are kept.
        retention_days: For how long requests are kept; 0 keeps them for ever.
    """

    def __init__(
        self,
        *,
        store: Store,
        service: LyricsService,
        max_per_member: int = 2,
        host: Layer | None = None,
        server_grace: timedelta = timedelta(days=30),
        retention_days: int = 0,
    ) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            # What a model writes must never ping anybody.
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=LyricsTree,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        )
        self.store = store
        self.service = service
        self.server_grace = server_grace
        self.rules = Rules(store, host or Layer("host"))
        self.retention_days = retention_days
        self.writer = Writer(store, service, max_per_member=max_per_member)
        self.permissions = CommandPermissions(self.tree)
        self.songs = SongActions(store, self.rules, self.writer, self.permissions)

    @property
    def invite_url(self) -> str:
        """The link by which an admin adds the bot to a server; known after login."""
        assert self.application_id is not None, "it is known after login"
        return discord.utils.oauth_url(self.application_id, permissions=PERMISSIONS)

    async def setup_hook(self) -> None:
        """Add the features and sync their commands; called once, after login."""
        lyrics = Lyrics(self.rules, self.service, self.writer)
        await self.add_cog(lyrics)
        self.tree.add_command(lyrics.menu)
        await self.add_cog(Settings(self.store, self.rules))
        await self.add_cog(Server(self, self.store, self.rules, grace=self.server_grace))
        await self.add_cog(History(self.store))
        await self.add_cog(Privacy(self.store))
        await self.add_cog(Help(self.store, self.service))
        await self.add_cog(Retention(self.store, days=self.retention_days))
        self.add_dynamic_items(*ITEMS, OpenMenu, PageButton, ForgetButton, SettingsMenu)
        assert self.application_id is not None, "it is known after login"
        await self.tree.set_translator(LocaleTranslator())
        await sync_where_it_differs(self.tree, self.application_id)

    async def on_raw_app_command_permissions_update(self, update: discord.RawAppCommandPermissionsUpdateEvent) -> None:
        """Ask anew who may use the commands in a server whose admins have changed that."""
        self.permissions.forget(update.guild.id)
