"""The composition root: ``python -m bot`` reads the settings, opens what the bot needs, and runs it."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress

import discord
from pydantic import ValidationError

from bot.client import LyricsBot
from bot.config import Config
from bot.preview import at_a_desktop, serve_preview
from bot.store import Store
from model import EngineOptions, LyricsError, LyricsService, describe_violations, locate

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
        service = LyricsService.from_checkpoint(
            locate(config.model),
            max_queue=config.max_queue,
            timeout=config.request_timeout,
            options=EngineOptions(config.max_batch, config.kv_cache_gb, config.precision),
        )
        log.info("Loading the model")
        await service.start()
        log.info("Serving %s", service.checkpoint.path)
        async with LyricsBot(
            store=store,
            service=service,
            max_per_member=config.max_per_member,
            host=config.layer,
            server_grace=config.server_grace,
            retention_days=config.retention_days,
        ) as bot:
            serving = asyncio.create_task(serve(bot, config))
            try:
                await until_signalled(serving)
            finally:
                # While Discord is still connected, so that everybody who waits for a song gets an answer.
                await service.close(grace=config.shutdown_grace)
                await bot.tree.drain(timeout=config.shutdown_grace)
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving


async def serve(bot: LyricsBot, config: Config) -> None:
    """Connect the bot to Discord, or to the preview where there is no token."""
    if config.discord_token is None:
        print("There is no DISCORD_TOKEN, so this is a local preview: set one to join Discord.")
        await serve_preview(bot, port=config.preview_port, open_browser=config.preview_open and at_a_desktop())
        return
    try:
        await bot.login(config.discord_token.get_secret_value())
        log.info("Invite the bot to a server: %s", bot.invite_url)
        await bot.connect()
    except discord.LoginFailure as error:
        raise LoginError("Discord refused DISCORD_TOKEN: copy the bot's token again.") from error
    except (OSError, discord.HTTPException) as error:
        raise LoginError(
            f"Discord cannot be reached ({error}): check the network, then start the bot again."
        ) from error


async def until_signalled(serving: asyncio.Task[None]) -> None:
    """Wait until ``serving`` ends, or for Ctrl-C or SIGTERM; the next Ctrl-C then ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    with suppress(NotImplementedError):  # Windows, where Ctrl-C cancels the main task instead
        for number in signals:
            loop.add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        with suppress(NotImplementedError):
            for number in signals:
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
        print(f"Please correct these settings:\n{describe_violations(error)}", file=sys.stderr)
        return 2
    except LyricsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
