"""Where songs appear: the answer to one interaction, or the channel once Discord no longer takes the answer."""

import asyncio
import logging
from typing import Any, Self

import discord

from bot.features.lyrics.message import Message
from bot.handling.refusals import FAILURES, is_expired, is_gone, is_passing, is_unseen
from bot.handling.tree import describe, may_only_answer

log = logging.getLogger(__name__)

_AGAIN = 2.0
"""Seconds after which a last edit that did not get through is tried once more."""


class Reply:
    """The answer to an interaction, acknowledged and then edited.

    Discord takes edits for 15 minutes. After that, what a member waits for is sent to the channel, where the bot may
    speak there and the reply was public; else the member finds it in the history. Where a member brought the bot
    along, as a user install, it may never speak but by its answer.
    """

    def __init__(self, interaction: discord.Interaction, message_id: int | None, *, private: bool) -> None:
        self.interaction = interaction
        self.private = private
        self.unseen = False
        """Whether somebody has deleted it, or its channel."""
        self._message_id = message_id
        self._has_words = False

    @classmethod
    async def begin(cls, interaction: discord.Interaction, *, private: bool) -> Self:
        """Acknowledge an interaction, which Discord wants within 3 seconds."""
        acknowledged = await interaction.response.defer(thinking=True, ephemeral=private)
        return cls(interaction, acknowledged.message_id if acknowledged else None, private=private)

    @property
    def expired(self) -> bool:
        """Whether Discord no longer takes edits."""
        return self.interaction.is_expired()

    async def show(self, message: Message) -> None:
        """Edit the answer while there is more to come; nothing once it has expired."""
        if not self.expired:
            try:
                await self.interaction.edit_original_response(**message)
            except discord.HTTPException as refusal:
                self.unseen = is_unseen(refusal)
                raise
            self._has_words = True

    async def end(self, message: Message, notice: str | None) -> None:
        """Edit the answer for the last time, or where Discord does not take it any more, send it to the channel.

        Raises:
            discord.HTTPException: Where Discord refuses what was to be shown, and the answer has shown nothing yet.
        """
        try:
            await self._edit_surely(content=notice, **message)
        except FAILURES as failure:
            if is_gone(failure):
                log.info("There is no place for an answer any more (%s); the history has what was written", failure)
            elif self.expired or is_expired(failure) or is_passing(failure):
                await self.send_late("here is your song", notice=notice, **message)
            elif self._has_words:
                # What is on the screen stays there.
                await self.interaction.followup.send(describe(failure), ephemeral=True)
            else:
                raise

    async def _edit_surely(self, **message: Any) -> None:
        """Edit the answer, and once more where that did not get through."""
        try:
            await self.interaction.edit_original_response(**message)
        except FAILURES as failure:
            if self.expired or not is_passing(failure):
                raise
            await asyncio.sleep(_AGAIN)
            await self.interaction.edit_original_response(**message)

    async def send_late(self, words: str, notice: str | None = None, **message: Any) -> None:
        """Say something to the member in the channel, if the reply was public and the bot may speak there."""
        channel = self.interaction.channel
        if self.private or may_only_answer(self.interaction) or not isinstance(channel, discord.abc.Messageable):
            log.info("Discord took no answer any more; the history has what was written")
            return
        user = self.interaction.user
        content = "\n".join(filter(None, [f"{user.mention}, {words}", notice]))
        try:
            # Who asked is pinged, having waited for a quarter of an hour: theirs is the only mention in our own words.
            mentions = discord.AllowedMentions(everyone=False, roles=False, users=True)
            await channel.send(content, allowed_mentions=mentions, **message)
            if self._message_id is not None:
                await channel.get_partial_message(self._message_id).delete()  # type: ignore[union-attr]
        except FAILURES as refusal:
            log.info("The channel did not take a late answer (%s); the history has what was written", refusal)
