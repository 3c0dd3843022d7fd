"""The bot without Discord: the same bot in a simulated server, in a browser on this machine alone."""

import importlib.util
import logging
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import discord

from model import LyricsError

if TYPE_CHECKING:
    import simcord

    from bot.client import LyricsBot


class PreviewError(LyricsError):
    """The preview cannot start."""


def check_preview(port: int) -> None:
    """Say at once what would keep the preview from starting.

    Raises:
        PreviewError: Where it is not installed or its port cannot be had.
    """
    if importlib.util.find_spec("simcord") is None:
        raise PreviewError(
            "There is no DISCORD_TOKEN, and the local preview is not installed: set the token, or run "
            "pip install -c constraints.txt -e '.[preview]'."
        )
    with socket.socket() as probe:
        if os.name == "posix":  # where this means that a port which was just left may be taken again
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PreviewError(
                f"The preview cannot have port {port} ({error.strerror}), which another preview may hold: end that, or "
                "set PREVIEW_PORT to another port, or to 0 for any that is free."
            ) from error


async def serve_preview(bot: "LyricsBot", *, port: int) -> None:
    """Serve the bot in a simulated server with a member and an admin, until it is closed in the browser.

    Raises:
        PreviewError: Where its port is taken meanwhile.
    """
    # SimCord's own client has no intents, on purpose, which discord.py warns of.
    logging.getLogger("discord.state").setLevel(logging.ERROR)
    # An extra, which a bot with a token does without.
    import simcord  # noqa: PLC0415

    from bot.simulation import in_real_time, showing_changes  # noqa: PLC0415

    env = simcord.Env(bot, check_errors=False)
    env.backend.bot_user.name = "Lyrics"
    try:
        await env.start()
        # Before the clock is set, as ids are made of the time: who comes back tomorrow finds their songs and settings.
        channel, viewers = settle_server(env)
        env.backend.clock.advance((datetime.now(UTC) - env.now()).total_seconds())
        in_real_time(env)
        preview = env.preview(channel, viewers=viewers, layout="channel", port=port or None)
        async with preview, showing_changes(env, preview):
            print(f"Open the preview in a browser on this machine: {preview.url}", flush=True)
            await preview.wait_closed()
    except simcord.SetupError as error:
        raise PreviewError(f"The preview cannot start ({error}): set PREVIEW_PORT to another port, or to 0.") from error
    finally:
        await env.shutdown()


def settle_server(env: "simcord.Env") -> "tuple[simcord.ChannelHandle, list[simcord.MemberActor]]":
    """Make a server in a simulated Discord, and return its channel, and a member and an admin."""
    guild = env.create_guild("The Songwriters")
    channel = guild.create_text_channel("lyrics")
    role = guild.create_role("Admin", permissions=discord.Permissions(manage_guild=True))
    member = guild.add_member(env.create_user("mira", global_name="Mira"))
    admin = guild.add_member(env.create_user("ada", global_name="Ada (admin)"), roles=[role])
    return channel, [member, admin]
