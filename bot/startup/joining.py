"""Joins Discord, and says in a sentence why that is not to be."""

import logging

import aiohttp
import discord

from bot.client import LyricsBot
from model import LyricsError

log = logging.getLogger(__name__)

_REFUSED = "Discord refused DISCORD_TOKEN: copy the bot's token from the developer portal again."
_INTENTS = (
    "Discord does not give the bot what it asks for (code {code}, intents): look under Bot in the developer portal "
    "whether Discord has limited this application, and update the bot."
)
_SHARDS = (
    "Discord takes a bot that is in this many servers (2,500 and more) by several connections only (code {code}, "
    "shards), and this version has one: leave some servers, or update the bot."
)
_CLOSED = "Discord closed the connection for good (code {code}): start the bot again, and update it if that is no help."

_CLOSED_FOR_GOOD = {
    4004: _REFUSED,
    4010: _SHARDS,
    4011: _SHARDS,
    4012: "Discord no longer speaks this version's language (code {code}, API version): update the bot.",
    4013: _INTENTS,
    4014: _INTENTS,
}
"""What a connection's last word means, by its code, where there is more to say than that."""


class JoiningError(LyricsError):
    """Discord does not let the bot in, or no longer."""


async def join_discord(bot: LyricsBot, token: str) -> None:
    """Log the bot in and keep it connected until it is closed.

    Raises:
        JoiningError: Where Discord refuses it, closes the connection for good, or cannot be reached.
    """
    try:
        await bot.login(token)
        log.info("Invite the bot to a server: %s", bot.invite_url)
        await bot.connect()
    except discord.LoginFailure as error:
        raise JoiningError(_REFUSED) from error
    except discord.PrivilegedIntentsRequired as error:
        raise JoiningError(_INTENTS.format(code=4014)) from error
    except discord.ConnectionClosed as error:
        raise JoiningError(_CLOSED_FOR_GOOD.get(error.code, _CLOSED).format(code=error.code)) from error
    except (OSError, aiohttp.ClientError, discord.GatewayNotFound, discord.HTTPException) as error:
        raise JoiningError(
            f"Discord cannot be reached ({error}): check the network, then start the bot again."
        ) from error
