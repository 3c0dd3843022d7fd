"""Brings a database to the current schema: numbered SQL files, each applied once and in one transaction."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

import aiosqlite

from bot.store.file import StoreError


async def migrate(connection: aiosqlite.Connection) -> None:
    """Apply every migration that the database has not had, in order.

    Raises:
        StoreError: Where the database was made by a newer version of the bot.
    """
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
    )
    async with connection.execute("SELECT number FROM migration") as cursor:
        applied = {row[0] async for row in cursor}
    known = dict(_migrations())
    if unknown := applied - known.keys():
        raise StoreError(
            f"The database is of a newer version of the bot, with a migration {max(unknown)}, which is not known here: "
            "install that version, or set DATABASE to another file."
        )
    for number in sorted(known.keys() - applied):
        await _apply(connection, number, known[number])


async def _apply(connection: aiosqlite.Connection, number: int, file: Traversable) -> None:
    # The bookkeeping row stands in the same transaction, so a migration is applied and recorded, or neither.
    try:
        await connection.executescript(
            f"BEGIN IMMEDIATE;\n{file.read_text(encoding='utf-8')}\n"
            f"INSERT INTO migration VALUES ({number}, '{file.name}', datetime('now'));\n"
            "COMMIT;"
        )
    except BaseException:
        await connection.rollback()
        raise


def _migrations() -> Iterator[tuple[int, Traversable]]:
    for file in files("bot.store").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            yield int(file.name.partition("_")[0]), file
