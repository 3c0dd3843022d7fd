"""How long songs are kept, where the host has set that."""

import asyncio
import logging
import sqlite3
from datetime import timedelta

import discord
from discord.ext import commands, tasks

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

    async def cog_load(self) -> None:
        """Begin."""
        if self.days:
            # A database that is busy or full for a while is tried again; anything else would end the loop for good.
            self.delete_old.add_exception_type(sqlite3.OperationalError)
            self.delete_old.start()

    async def cog_unload(self) -> None:
        """End, and wait until it has let go of the store."""
        task = self.delete_old.get_task()
        self.delete_old.cancel()
        if task is not None:
            await asyncio.wait({task})

    @tasks.loop(hours=24)
    async def delete_old(self) -> None:
        """Delete what is older."""
        deleted = await self.store.delete_requests_before(discord.utils.utcnow() - timedelta(days=self.days))
        log.info("Deleted %d requests that were older than %d days", deleted, self.days)
