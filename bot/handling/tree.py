"""The command tree: one place for every error that a person may meet, and for the handlers under way."""

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import discord
from discord import app_commands
from pydantic import ValidationError

from bot.handling.refusals import FAILURES, is_gone, is_held_back, is_lost
from model import LyricsError, describe_violations

log = logging.getLogger(__name__)

_NO_ROOM_OR_TIME = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""What SQLite says of a disk that is full or broken, and of a file that another program holds."""


class LyricsTree(app_commands.CommandTree[Any]):
    """Reports errors privately, and knows which handlers are under way and by which ids Discord has the commands."""

    def __init__(self, client: discord.Client) -> None:
        super().__init__(client)
        self._handlers: set[asyncio.Task[object]] = set()
        self._ids: dict[str, int] = {}

    def mention(self, name: str) -> str:
        """Return a command, say ``settings show``, as a mention that can be clicked; as text while Discord has none."""
        number = self.id_of(name.partition(" ")[0])
        return f"`/{name}`" if number is None else f"</{name}:{number}>"

    def id_of(self, name: str) -> int | None:
        """Return the id of a command; none while Discord has none of that name."""
        return self._ids.get(name)

    def remember_ids(self, commands: Iterable[Mapping[str, Any]]) -> None:
        """Take the ids of the commands from what Discord says that it has."""
        self._ids = {command["name"]: int(command["id"]) for command in commands}

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:  # noqa: ARG002
        """Let everybody in."""
        self.remember_handler()
        return True

    def remember_handler(self) -> None:
        """Have ``drain`` wait for the task that calls this, a handler."""
        if task := asyncio.current_task():
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)

    async def on_error(self, interaction: discord.Interaction, error: app_commands.AppCommandError, /) -> None:
        """Report an error of a command; see ``report_error``."""
        await report_error(interaction, error)

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - asyncio.wait takes it as it is
        """Wait until the handlers under way have said their last word, at most ``timeout`` seconds."""
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=timeout)


async def report_error(interaction: discord.Interaction, error: Exception) -> None:
    """Tell the user, and nobody else, what went wrong.

    A domain error shows its own sentence. Any other shows a short reference, and the log has the error under
    the same reference. Where Discord no longer takes an answer, the log alone has it, in a line.
    """
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if is_lost(cause):
        log.info("An interaction was lost before it was answered: %s", cause)
        return
    try:
        await _reply_privately(interaction, describe(cause))
    except FAILURES as refusal:
        log.info("An error could not be reported (%s): %s", refusal, cause)


def may_only_answer(interaction: discord.Interaction) -> bool:
    """Whether the bot is here for the user alone, who installed it, and not for the server or in its own chat.

    Discord then takes no message of the bot's but its answer to the interaction, and few follow-ups.
    """
    return (
        interaction.is_user_integration()
        and not interaction.is_guild_integration()
        and not interaction.context.dm_channel
    )


def describe(error: Exception) -> str:
    """Return the sentence for whoever met the error; one that nobody foresaw is logged under a reference."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    match error:
        case LyricsError():
            return str(error)
        case ValidationError():
            return f"That does not work:\n{describe_violations(error)}"
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return "This command has just changed: please try again in a minute."
        case app_commands.CheckFailure():
            return "You are not allowed to do that here."
        case discord.HTTPException() | sqlite3.OperationalError() if said := _of_others(error):
            return said
        case _:
            reference = secrets.token_hex(4)
            log.error("Error %s", reference, exc_info=error)
            return f"Something went wrong on our side. If it goes on, tell the bot's host this reference: `{reference}`"


def _of_others(error: Exception) -> str | None:
    """Return the sentence for what Discord refused, or the disk, where it is no fault of ours; the log has a line."""
    if is_held_back(error):
        return "This server's filter did not let it through. `/history` has your songs."
    if is_gone(error):
        log.info("Discord does not let the bot answer: %s", error)
        return "Discord does not let the bot do that here, or what it was about is gone."
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_ROOM_OR_TIME:  # the rest of it is the finer reason
        log.error("The database could not be used: %s", error)
        return "The bot's memory cannot be used just now, so nothing was done: please try again in a few minutes."
    return None


async def _reply_privately(interaction: discord.Interaction, sentence: str) -> None:
    if not interaction.response.is_done():
        await interaction.response.send_message(sentence, ephemeral=True)
        return
    thinking = interaction.response.type is discord.InteractionResponseType.deferred_channel_message
    if thinking and may_only_answer(interaction):
        # As public as the song would have been, but sure to come.
        await interaction.edit_original_response(content=sentence, embed=None, attachments=[], view=None)
        return
    if thinking:
        # The first follow-up to a "thinking…" takes its place and is as public as it: complete it before that.
        await interaction.edit_original_response(content="…")
    await interaction.followup.send(sentence, ephemeral=True)
    if thinking:
        await interaction.delete_original_response()
