"""Everything the bot keeps, in one SQLite file. All SQL of the project is in this folder."""

from bot.store.records import HistoryPage, ServerSettings, StoredRequest
from bot.store.store import Store

__all__ = ["HistoryPage", "ServerSettings", "Store", "StoredRequest"]
