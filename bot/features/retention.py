"""How long songs are kept, where the host has set that."""

import logging
from datetime import timedelta

import discord
from discord.ext import commands

from bot.daily import Daily
from bot.store import Store

log = logging.getLogger(__name__)


class Retention(commands.Cog):
    """Deletes old requests at start and daily; those with a favourite stay.

    Args:
        store: Where requests are kept.
        days: For how long; 0 keeps them for ever.
    """

    def __init__(self, store: Store, *, days: int) -> None:
        self.store = store
        self.days = days
        self.daily = Daily(self.delete_old)

    async def cog_load(self) -> None:
        """Begin, where the host has set how long."""
        if self.days:
            self.daily.start()

    async def cog_unload(self) -> None:
        """End."""
        await self.daily.close()

    async def delete_old(self) -> None:
        """Delete what is older."""
        deleted = await self.store.delete_requests_before(discord.utils.utcnow() - timedelta(days=self.days))
        log.info("Deleted %d requests that were older than %d days", deleted, self.days)
