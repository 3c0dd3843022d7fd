"""Where songs appear: the answer to one interaction, or the channel once Discord no longer takes the answer."""

import logging
from typing import Any, Self

import discord

from bot.features.lyrics.message import Message
from bot.handling.tree import may_only_answer

log = logging.getLogger(__name__)

_EXPIRED = {10015, 50027}
"""Discord's codes for an interaction that is older than 15 minutes: its webhook, or its token, is gone."""

_UNKNOWN_MESSAGE = 10008


class Reply:
    """The answer to an interaction, acknowledged and then edited.

    Discord takes edits for 15 minutes. After that, what a member waits for is sent to the channel, where the bot may
    speak there and the reply was public; else the member finds it in the history. Where a member brought the bot
    along, as a user install, it may never speak but by its answer.
    """

    def __init__(self, interaction: discord.Interaction, message_id: int | None, *, private: bool) -> None:
        self.interaction = interaction
        self.private = private
        self._message_id = message_id

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
            await self.interaction.edit_original_response(**message)

    async def end(self, message: Message, notice: str | None) -> None:
        """Edit the answer for the last time, or where Discord does not take it any more, send it to the channel."""
        try:
            await self.interaction.edit_original_response(content=notice, **message)
        except discord.HTTPException as refusal:
            if refusal.code == _UNKNOWN_MESSAGE:
                log.info("The reply was deleted while its song was written; the history has it")
            elif self.expired or refusal.code in _EXPIRED or _is_passing(refusal):
                await self.send_late("here is your song", notice=notice, **message)
            else:
                raise

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
        except discord.HTTPException as refusal:
            log.info("The channel did not take a late answer (%s); the history has what was written", refusal)


def _is_passing(refusal: discord.HTTPException) -> bool:
    """Whether Discord was busy or down, after all that discord.py did to wait it out."""
    return refusal.status == 429 or refusal.status >= 500  # noqa: PLR2004 - HTTP's numbers
