"""The composition root: ``python -m bot`` reads the settings, opens what the bot needs, and runs it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress

import discord
from pydantic import ValidationError

from bot.client import LyricsBot
from bot.config import Config
from bot.preview import serve_preview
from bot.store import Store
from model import LyricsError, LyricsService, describe_violations, locate

log = logging.getLogger("bot")


class LoginError(LyricsError):
    """Discord does not let the bot in."""


async def run(config: Config) -> None:
    """Run the bot until it is stopped; with no token, in the local preview.

    Raises:
        LyricsError: Where something that the bot needs cannot be had.
    """
    # The preview is another world with ids of its own: its history is kept apart.
    database = config.database if config.discord_token else config.database.with_suffix(".preview.db")
    async with Store.open(database) as store:
        service = LyricsService.from_checkpoint(locate(config.model), max_queue=config.max_queue)
        log.info("Loading the model")
        await service.start()
        log.info("Serving %s", service.checkpoint.path)
        async with LyricsBot(store=store, service=service) as bot:
            try:
                await until_signalled(serve(bot, config))
            finally:
                # While Discord is still connected, so that everybody who waits for a song gets an answer.
                await service.close(grace=config.shutdown_grace)
                await bot.tree.drain(timeout=config.shutdown_grace)


async def serve(bot: LyricsBot, config: Config) -> None:
    """Connect the bot to Discord, or to the preview where there is no token."""
    if config.discord_token is None:
        print("There is no DISCORD_TOKEN, so this is a local preview: set one to join Discord.")  # noqa: T201
        await serve_preview(bot, port=config.preview_port)
        return
    try:
        await bot.start(config.discord_token.get_secret_value())
    except discord.LoginFailure as error:
        raise LoginError("Discord refused DISCORD_TOKEN: copy the bot's token again.") from error
    except OSError as error:
        raise LoginError(f"Discord cannot be reached ({error}): check the network.") from error


async def until_signalled(serving: Coroutine[None, None, None]) -> None:
    """Run ``serving`` until it ends, or until Ctrl-C or SIGTERM; a second Ctrl-C then ends the process."""
    task = asyncio.ensure_future(serving)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        with suppress(NotImplementedError):  # Windows, where Ctrl-C cancels the main task instead
            loop.add_signal_handler(number, task.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await task
    finally:
        for number in signals:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)


def main() -> int:
    """Run the bot; return the exit code, 2 where a setting or something it names is bad."""
    try:
        config = Config()
        # The bot never speaks, so discord.py need not warn that it could not.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        discord.utils.setup_logging(level=logging.getLevelNamesMapping()[config.log_level])
        asyncio.run(run(config))
    except ValidationError as error:
        print(f"Please correct these settings:\n{describe_violations(error)}", file=sys.stderr)  # noqa: T201
        return 2
    except LyricsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
