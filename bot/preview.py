"""The bot without Discord: the same bot in a simulated server, in a browser on this machine alone."""

import asyncio
import importlib.util
import logging
import os
import socket
import sys
import webbrowser
from collections.abc import Mapping
from typing import TYPE_CHECKING

import discord

from bot.welcome import ExampleButton, welcome_message
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


async def serve_preview(bot: "LyricsBot", *, port: int, open_browser: bool = False) -> None:
    """Serve the bot in a simulated server with a member and an admin, until it is closed in the browser.

    Args:
        bot: The bot, not logged in yet.
        port: Where to serve it; 0 takes any free port.
        open_browser: Whether to open it in a browser, too.

    Raises:
        PreviewError: Where its port is taken meanwhile.
    """
    # SimCord's own client has no intents, on purpose, which discord.py warns of; and it logs in without a token.
    logging.getLogger("discord.state").setLevel(logging.ERROR)
    logging.getLogger("discord.client").setLevel(logging.WARNING)
    # An extra, which a bot with a token does without.
    import simcord  # noqa: PLC0415

    from bot.simulation import RealTimeEnv, serving  # noqa: PLC0415

    env = RealTimeEnv(bot, check_errors=False)
    try:
        channel, viewers = settle_server(env)
        await env.start()
        await welcome(bot, channel.id)
        preview = env.preview(channel, viewers=viewers, layout="channel", port=port or None)
        async with serving(env, preview):
            print(f"Open the preview in a browser on this machine: {preview.url}", flush=True)
            if open_browser:
                await asyncio.to_thread(webbrowser.open, preview.url)
            await preview.wait_closed()
    except simcord.SetupError as error:
        raise PreviewError(f"The preview cannot start ({error}): set PREVIEW_PORT to another port, or to 0.") from error
    finally:
        await env.shutdown()


def settle_server(env: "simcord.Env") -> "tuple[simcord.ChannelHandle, list[simcord.MemberActor]]":
    """Make a server in a simulated Discord, and return its channel, and a member and an admin.

    Before it starts, the simulation's clock stands at the same time always. Ids are made of that, so who comes back
    tomorrow finds their songs and settings.
    """
    env.backend.bot_user.name = "Lyrics"
    guild = env.create_guild("The Songwriters")
    channel = guild.create_text_channel("lyrics")
    role = guild.create_role("Admin", permissions=discord.Permissions(manage_guild=True))
    member = guild.add_member(env.create_user("mira", global_name="Mira"))
    admin = guild.add_member(env.create_user("ada", global_name="Ada (admin)"), roles=[role])
    return channel, [member, admin]


async def welcome(bot: "LyricsBot", channel_id: int) -> None:
    """Say in a channel what this is and what to do, with examples to click."""
    bot.add_dynamic_items(ExampleButton)
    channel = bot.get_channel(channel_id)
    assert isinstance(channel, discord.TextChannel), "settle_server made it"
    await channel.send(**welcome_message())


def at_a_desktop(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether somebody sits before this machine's own screen, where a browser can open."""
    if "SSH_CONNECTION" in environment or not sys.stdout.isatty():
        return False
    return platform in {"darwin", "win32"} or bool({"DISPLAY", "WAYLAND_DISPLAY"} & environment.keys())
