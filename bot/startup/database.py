"""``python -m bot backup``, ``restore`` and ``check``: what a host does with the database."""

import argparse
from pathlib import Path

from bot.store.copies import back_up, find_damage, restore


def care_for_database(database: Path, asked: argparse.Namespace) -> int:
    """Do what was asked for, say what came of it, and return the exit code: 1 where damage was found.

    Args:
        database: The one that the settings name.
        asked: The command and its file.

    Raises:
        StoreError: Where it cannot be done.
    """
    match asked.command:
        case "backup":
            back_up(database, asked.file)
            print(f"{asked.file} has all that is in {database}. To put it back: python -m bot restore {asked.file}")
        case "restore":
            before = restore(asked.file, database)
            kept = f"; what was there is now {before}" if before else ""
            print(f"{database} has all that is in {asked.file}{kept}.")
        case _:
            damage = find_damage(database)
            print("\n".join(damage or [f"{database} is whole."]))
            return bool(damage)
    return 0
