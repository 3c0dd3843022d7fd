"""Brings a database to the current schema: numbered SQL files, each applied once and in one transaction."""

import sqlite3
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
    known = dict(_migrations())
    for number in _missing({row[0] for row in await connection.execute_fetchall("SELECT number FROM migration")}):
        await _apply(connection, number, known[number])


def missing_migrations(connection: sqlite3.Connection) -> list[int] | None:
    """Return which migrations a database lacks, in order; none of one that never had any, being new or no bot's.

    Raises:
        StoreError: Where the database was made by a newer version of the bot.
    """
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchone():
        return None
    applied = {number for (number,) in connection.execute("SELECT number FROM migration")}
    return _missing(applied) if applied else None


def _missing(applied: set[int]) -> list[int]:
    known = {number for number, _ in _migrations()}
    if unknown := applied - known:
        raise StoreError(
            f"The database is of a newer version of the bot, with a migration {max(unknown)}, which is not known here: "
            "install that version, or set DATABASE to another file."
        )
    return sorted(known - applied)


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
