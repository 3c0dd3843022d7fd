"""A simulated Discord with the real bot, store and service in it, and what tests read from it."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import discord
import simcord
from discord import app_commands

from bot.client import LyricsBot
from bot.store import Store
from model import LyricsService
from tests.bot.openapi import violations

Message = simcord.ResponseMessage
Row = tuple[Any, ...]

SLOWEST = 10.0
"""Seconds after which a test gives up waiting; nothing here should take one."""


@dataclass
class World:
    """One server with one channel and two members; ``restart`` replaces the store and the bot."""

    env: simcord.Env
    channel: simcord.ChannelHandle
    mira: simcord.MemberActor
    ada: simcord.MemberActor
    database: Path
    service: LyricsService
    store: Store
    bot: LyricsBot
    stores: AsyncExitStack

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Path, service: LyricsService) -> AsyncIterator[Self]:
        """Start the service, open the store, connect the bot; tear down in reverse."""
        await service.start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(service.close)
            stores = await stack.enter_async_context(AsyncExitStack())
            store = await stores.enter_async_context(Store.open(database))
            bot = LyricsBot(store=store, service=service)
            env = simcord.Env(bot, settle_timeout=SLOWEST)
            await env.start()
            stack.push_async_callback(_close_bot, env)
            stack.push_async_callback(env.shutdown)
            guild = env.create_guild("The Songwriters")
            mira, ada = (guild.add_member(env.create_user(name)) for name in ("mira", "ada"))
            channel = guild.create_text_channel("lyrics")
            yield cls(env, channel, mira, ada, database, service, store, bot, stores)

    async def restart(self, bot_type: Callable[..., LyricsBot] = LyricsBot) -> None:
        """Replace the bot and its store by new ones over the same file, as a new process would."""
        await self.bot.close()
        await self.stores.aclose()
        self.store = await self.stores.enter_async_context(Store.open(self.database))
        self.bot = bot_type(store=self.store, service=self.service)
        await self.env.restart_bot(self.bot)

    async def lyrics(
        self, prompt: str = "two lanterns", *, by: simcord.MemberActor | None = None, **options: Any
    ) -> simcord.InteractionResult:
        """Ask for songs and wait for them; short ones, where the member has not set a length."""
        member = by or self.mira
        if "max_length" not in (await self.store.sampling(member.id)).model_fields_set:
            await self.store.set_sampling(member.id, "max_length", 12)
        return await member.slash(self.channel, "lyrics", prompt=prompt, **options)

    async def begin(
        self, action: Coroutine[Any, Any, simcord.InteractionResult], until: Callable[[], object]
    ) -> simcord.InteractionResult:
        """Start an action that cannot end yet and wait for ``until``; its result goes on to fill."""
        patience, self.env.settle_timeout = self.env.settle_timeout, 0.05
        try:
            result = await action
        except TimeoutError:
            result = simcord.InteractionResult(self.env, list(self.env.backend.interactions.values())[-1])
        finally:
            self.env.settle_timeout = patience
        await wait_until(until)
        return result

    async def later(self, seconds: float) -> None:
        """Let time pass in the simulation while a song is being written, which settling would wait for."""
        self.env._move_clock(self.env._virtual_time + seconds)
        with suppress(TimeoutError):
            await self.env.settle(timeout=0.05)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Run SQL over a connection of its own, as somebody with a shell would."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            return connection.execute(sql, values).fetchall()

    def states(self) -> list[str]:
        """Return the state of every request, oldest first."""
        return [state for (state,) in self.rows("SELECT state FROM request ORDER BY id")]

    def errors(self) -> list[BaseException]:
        """Return the errors that reached the command tree; those that are not asked for fail the test."""
        return [
            error.original if isinstance(error, app_commands.CommandInvokeError) else error for error in self.env.errors
        ]

    def public(self) -> list[discord.Message]:
        """Return what everybody sees in the channel."""
        return self.channel.history()

    def syncs(self) -> int:
        """Count how often Discord was told of the commands."""
        return sum(request.method == "PUT" and "/commands" in request.path for request in self.env.http_requests)


async def _close_bot(env: simcord.Env) -> None:
    await env.bot.close()  # the one of the last restart


@asynccontextmanager
async def checked(folder: Path, service: LyricsService) -> AsyncIterator[World]:
    """Open a world; at its end, nothing may be left that the bot did wrong unnoticed."""
    async with World.open(folder / "lyrics.db", service) as world:
        yield world
    world.env._raise_errors_since(world.env._errors_acknowledged)
    refused = [line for request in world.env.http_requests for line in violations(request)]
    assert not refused, refused


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that happens on another thread or task."""
    async with asyncio.timeout(SLOWEST):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event of ours
            await asyncio.sleep(0.005)


Shown = simcord.InteractionResult | Message
"""An answer, or a message by itself."""


def response(result: Shown) -> Message:
    """Return the message that answers an interaction."""
    if isinstance(result, Message):
        return result
    assert result.response is not None, "there is no answer"
    return result.response


def embed(result: Shown) -> discord.Embed:
    """Return the one embed of an answer."""
    (only,) = response(result).embeds
    return only


def lyric(result: Shown) -> str:
    """Return the song that an answer shows."""
    return embed(result).description or ""


def footer(result: Shown) -> str:
    """Return the line under the song."""
    return embed(result).footer.text or ""


def posted(result: simcord.InteractionResult) -> Message:
    """Return what a click has put into the channel besides its answer."""
    (only,) = result.followups
    assert not only.ephemeral
    return only


def private_sentence(result: simcord.InteractionResult) -> str:
    """Return what only the member reads; nothing else may stand there."""
    answers = result.followups or [response(result)]
    (only,) = answers
    assert only.ephemeral
    assert not only.embeds
    return only.content


def _components(result: Shown) -> list[dict[str, Any]]:
    return [component for row in response(result).components for component in row["components"]]


def buttons(result: Shown) -> dict[str, bool]:
    """Return the buttons' labels and whether each can be clicked."""
    return {
        component["label"]: not component.get("disabled", False)
        for component in _components(result)
        if component["type"] == discord.ComponentType.button.value
    }


def menu(result: Shown) -> dict[str, str]:
    """Return the label and the value of each option of the menu."""
    return {
        option["label"]: option["value"] for component in _components(result) for option in component.get("options", ())
    }


async def details(
    world: World, song: Shown, by: simcord.MemberActor | simcord.UserHandle | None = None
) -> dict[str, str]:
    """Return what *Details* says of a song, by the names of its fields, its settings by their own names."""
    shown = await (by or world.mira).click(response(song), label="Details")
    assert shown.ephemeral
    fields = {str(field.name): str(field.value) for field in embed(shown).fields}
    settings = re.findall(r"`(\w+)` \*\*(.+)\*\*", fields.pop("Settings"))
    return fields | dict(settings)
