"""The composition root: ``python -m bot`` reads the settings, opens what the bot needs, and runs it."""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import discord

from bot.client import LyricsBot
from bot.config import Config
from bot.preview import at_a_desktop, check_preview, serve_preview
from bot.startup.command_line import parse_arguments
from bot.startup.database import care_for_database
from bot.startup.joining import join_discord
from bot.startup.loading import start_service
from bot.startup.reading import read_config, warn_of_unknown_names
from bot.startup.stopping import first_of, say_what_is_waited_for, stop_signals
from bot.store import Store
from model import LyricsError

log = logging.getLogger("bot")

LAST_WORDS = 5.0
"""Seconds in which messages get their last edit, at the least, once the songs have ended."""


async def run(config: Config) -> None:
    """Run the bot until it is stopped; with no token, in the local preview.

    What takes long comes last: a port or a database that is no good is known before the model is loaded.

    Raises:
        LyricsError: Where something that the bot needs cannot be had.
    """
    if config.discord_token is None:
        check_preview(config.preview_port)
    log.info("Opening the database %s", config.database_file)
    async with Store.open(config.database_file) as store:
        service = await start_service(config)
        async with LyricsBot(
            store=store,
            service=service,
            max_per_member=config.max_per_member,
            host=config.layer,
            server_grace=config.server_grace,
            retention_days=config.retention_days,
        ) as bot:
            await run_until_stopped(bot, config)


async def run_until_stopped(bot: LyricsBot, config: Config) -> None:
    """Serve until that ends or somebody stops it; what is being written then is finished, within the grace."""
    serving = asyncio.create_task(serve(bot, config))
    with stop_signals() as stop:
        try:
            await first_of(serving, stop)
        finally:
            if stop.is_set():
                say_what_is_waited_for(bot.service.health(), config.shutdown_grace)
            # While Discord is still connected, so that everybody who waits for a song gets an answer.
            end = time.monotonic() + config.shutdown_grace
            await bot.service.close(grace=config.shutdown_grace)
            await bot.tree.drain(timeout=max(LAST_WORDS, end - time.monotonic()))
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


async def serve(bot: LyricsBot, config: Config) -> None:
    """Connect the bot to Discord, or to the preview where there is no token."""
    if config.discord_token is None:
        print("There is no DISCORD_TOKEN, so this is a local preview: set one to join Discord.")
        await serve_preview(bot, port=config.preview_port, open_browser=config.preview_open and at_a_desktop())
        return
    await join_discord(bot, config.discord_token.get_secret_value())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bot; return the exit code, 2 where a setting or something it names is bad.

    Args:
        arguments: What stands behind ``python -m bot``; none takes the process's.
    """
    asked = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        config = read_config()
        # The bot never speaks, so discord.py need not warn that it could not.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        discord.utils.setup_logging(level=logging.getLevelNamesMapping()[config.log_level])
        warn_of_unknown_names()
        if asked.command is not None:
            return care_for_database(config.database_file, asked)
        asyncio.run(run(config))
    except LyricsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
