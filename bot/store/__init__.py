"""Everything the bot keeps, in one SQLite file. All SQL of the project is in this folder."""

from bot.store.privacy import Counts
from bot.store.records import ListedSong, ListName, ListPage, ServerSettings, StoredRequest
from bot.store.store import Store
from bot.store.words import MARK

__all__ = ["MARK", "Counts", "ListName", "ListPage", "ListedSong", "ServerSettings", "Store", "StoredRequest"]
