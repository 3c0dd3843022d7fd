"""Everything the bot keeps, in one SQLite file. All SQL of the project is in this folder."""

from bot.store.records import MARK, ListedSong, ListName, ListPage, StoredRequest
from bot.store.store import Store

__all__ = ["MARK", "ListName", "ListPage", "ListedSong", "Store", "StoredRequest"]
