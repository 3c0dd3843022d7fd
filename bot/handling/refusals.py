"""What Discord refuses, by its codes: https://discord.com/developers/docs/topics/opcodes-and-status-codes."""

import aiohttp
import discord

FAILURES = (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError)
"""What a call of Discord may raise through no fault of ours."""

_EXPIRED = {10015, 50027}
"""The webhook of an interaction that is older than 15 minutes, or its token, is gone."""

_UNSEEN = {10003, 10008}
"""The channel or the message was deleted."""

_SHUT_OUT = {50001, 50013}
"""The bot may no longer see the channel, or do this in it."""

_LOST = {10062, 40060}
"""An interaction was not answered in time, or already by somebody else, say a second bot with the same token."""

_HELD_BACK = {200000, 200001}
"""AutoMod, the filter that a server's admins set up, does not let a text or a title through."""


def is_unseen(failure: Exception) -> bool:
    """Whether what was to be changed is no longer there for anybody to see."""
    return isinstance(failure, discord.HTTPException) and failure.code in _UNSEEN


def is_gone(failure: Exception) -> bool:
    """Whether there is nowhere any more where an answer could be."""
    return is_unseen(failure) or (isinstance(failure, discord.HTTPException) and failure.code in _SHUT_OUT)


def is_lost(failure: Exception) -> bool:
    """Whether an interaction can no longer be answered by anybody."""
    return isinstance(failure, discord.HTTPException) and failure.code in _LOST


def is_expired(failure: Exception) -> bool:
    """Whether Discord's 15 minutes are over."""
    return isinstance(failure, discord.HTTPException) and failure.code in _EXPIRED


def is_held_back(failure: Exception) -> bool:
    """Whether a server's filter refused what was to be shown."""
    return isinstance(failure, discord.HTTPException) and failure.code in _HELD_BACK


def is_passing(failure: Exception) -> bool:
    """Whether Discord was busy or down, or could not be reached, after all that discord.py did to wait it out."""
    if isinstance(failure, discord.HTTPException):
        return failure.status == 429 or failure.status >= 500  # noqa: PLR2004 - HTTP's numbers
    return isinstance(failure, FAILURES)
