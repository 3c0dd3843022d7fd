"""What members and servers have set."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import aiosqlite

from bot.sampling.layers import Ceilings
from bot.store.connection import Connection, first
from bot.store.records import ServerSettings, changed, parse, parse_sampling
from model import SamplingParams


class SettingsStore(Connection):
    """The part of the store that has the settings."""

    async def sampling(self, user_id: int) -> SamplingParams:
        """Return the user's sampling parameters; ``model_fields_set`` names those that the user set."""
        async with self._reading() as db:
            return await _sampling(db, user_id)

    async def set_sampling(self, user_id: int, name: str, value: float | None) -> SamplingParams:
        """Set one of the user's parameters, or with ``None`` unset it, and return them all.

        Raises:
            pydantic.ValidationError: Where the value is out of bounds; nothing is changed then.
        """
        return await self._change_sampling(user_id, {name: value})

    async def apply_preset(self, user_id: int, preset: SamplingParams) -> SamplingParams:
        """Set those of the user's parameters that a preset gives, all or none, and return them all."""
        return await self._change_sampling(user_id, preset.model_dump(exclude_unset=True))

    async def reset_sampling(self, user_id: int) -> None:
        """Bring all of the user's parameters back to the defaults."""
        await self._write("DELETE FROM user_sampling WHERE user_id = ?", [user_id])

    async def server(self, guild_id: int) -> ServerSettings:
        """Return what is set for a server; nothing where nobody set anything."""
        async with self._reading() as db:
            return await _server(db, guild_id)

    async def change_server(self, guild_id: int, change: Callable[[ServerSettings], ServerSettings]) -> ServerSettings:
        """Change what is set for a server; nothing is changed where ``change`` raises."""
        async with self._transaction() as db:
            server = change(await _server(db, guild_id))
            await db.execute(
                "INSERT INTO server_settings (guild_id, defaults, ceilings, channels, private) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (guild_id) DO UPDATE SET defaults = excluded.defaults, ceilings = excluded.ceilings,"
                " channels = excluded.channels, private = excluded.private",
                [
                    guild_id,
                    server.defaults.model_dump_json(exclude_unset=True),
                    server.ceilings.model_dump_json(exclude_unset=True),
                    json.dumps(server.channels),
                    server.private,
                ],
            )
        return server

    async def reset_server(self, guild_id: int) -> None:
        """Forget what is set for a server."""
        await self._write("DELETE FROM server_settings WHERE guild_id = ?", [guild_id])

    async def forget_left_servers(self, present: Iterable[int], *, now: datetime, grace: timedelta) -> int:
        """Delete the settings of servers that the bot has not been in for some time, and return of how many.

        A server's time begins with the first call that does not name it, and ends with one that does.

        Args:
            present: The servers that the bot is in.
            now: The time, with its zone.
            grace: For how long settings are kept after the bot has left.
        """
        ids = json.dumps(list(present))
        async with self._transaction() as db:
            await db.execute(
                "UPDATE server_settings SET left_at = NULL WHERE guild_id IN (SELECT value FROM json_each(?))", [ids]
            )
            await db.execute(
                "UPDATE server_settings SET left_at = ?"
                " WHERE left_at IS NULL AND guild_id NOT IN (SELECT value FROM json_each(?))",
                [now.isoformat(), ids],
            )
            cursor = await db.execute(
                "DELETE FROM server_settings WHERE julianday(left_at) <= julianday(?)", [(now - grace).isoformat()]
            )
        return cursor.rowcount

    async def _change_sampling(self, user_id: int, values: dict[str, float | None]) -> SamplingParams:
        async with self._transaction() as db:
            sampling = changed(await _sampling(db, user_id), values)
            await db.execute(
                "INSERT INTO user_sampling VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET params = excluded.params",
                [user_id, sampling.model_dump_json(exclude_unset=True)],
            )
        return sampling


async def _sampling(db: aiosqlite.Connection, user_id: int) -> SamplingParams:
    row = await first(db, "SELECT params FROM user_sampling WHERE user_id = ?", user_id)
    return parse_sampling(row["params"]) if row else SamplingParams()


async def _server(db: aiosqlite.Connection, guild_id: int) -> ServerSettings:
    row = await first(db, "SELECT * FROM server_settings WHERE guild_id = ?", guild_id)
    if row is None:
        return ServerSettings()
    return ServerSettings(
        parse_sampling(row["defaults"]),
        parse(Ceilings, row["ceilings"]),
        tuple(json.loads(row["channels"])),
        private=bool(row["private"]),
    )
