"""What can be done with songs once they are asked for: each button of a song is a method here."""

import io

import discord
from discord.ui import View

from bot.features.lyrics.buttons import CopyButton
from bot.features.lyrics.keeping import Keeping
from bot.features.lyrics.message import songs_message
from bot.features.lyrics.picture.sharing import Sharing, SongsGone, finished_request
from bot.features.lyrics.writing.request import MemberRequest
from bot.features.lyrics.writing.writer import Writer
from bot.handling.items import is_private
from bot.handling.songs import Action
from bot.rules import Rules
from bot.store import Store, StoredRequest
from model import Checkpoint, LyricsError
from model.song import format_prompt

_FILE_NAME = 40
"""Characters of a file's name at most."""


class SongActions:
    """Answers the buttons under songs, for the member whose songs they are."""

    def __init__(self, store: Store, rules: Rules, writer: Writer) -> None:
        self.store = store
        self.rules = rules
        self.writer = writer
        self.sharing = Sharing(store, rules)
        self.keeping = Keeping(store, rules)

    async def press(
        self, interaction: discord.Interaction, action: Action, request_id: int, number: int, part: int
    ) -> None:
        """Do something with a song; a stranger is offered a copy instead.

        Raises:
            LyricsError: Where the song is no longer kept, or the action says no.
        """
        request = await finished_request(self.store, request_id)
        number = min(max(number, 0), len(request.songs) - 1)
        if request.user_id != interaction.user.id:
            await _offer_copy(interaction, request, number)
            return
        match action:
            case "turn":
                message = songs_message(request, number, part, private=is_private(interaction))
                await interaction.response.edit_message(**message)
            case "again":
                await self._write(interaction, MemberRequest.again(self._checkpoint, request))
            case "variations":
                await self._write(interaction, MemberRequest.variation(self._checkpoint, request))
            case "continue":
                await self._write(interaction, MemberRequest.continuation(self._checkpoint, request, number))
            case "share":
                await self.sharing.choose(interaction, request, number)
            case "export":
                file = text_file(request, number)
                await interaction.response.send_message(file=file, ephemeral=True)
            case "favourite" | "unfavourite" | "post" | "delete" | "erase":
                await self.keeping.press(interaction, action, request, number, part)

    async def copy(self, interaction: discord.Interaction, request_id: int, number: int) -> None:
        """Keep a copy of a request for whoever clicks, and show it in place."""
        copied = await self.store.copy_request(
            request_id, user_id=interaction.user.id, created_at=interaction.created_at
        )
        if copied is None:
            raise SongsGone
        await interaction.response.edit_message(content=None, **songs_message(copied, number, private=True))

    async def stop(self, interaction: discord.Interaction, request_id: int) -> None:
        """End a request that is being written, for the member who asked for it.

        Where it has ended already and its message was left behind, say by a crash, the message is brought up to date.
        """
        request = await self.store.request(request_id)
        if request is None:
            raise SongsGone
        if request.user_id != interaction.user.id:
            raise LyricsError("This song is being written for another member: only they can stop it.")
        if self.writer.stop(request_id):
            await interaction.response.defer()
        elif request.songs:
            message = songs_message(request, 0, private=is_private(interaction))
            await interaction.response.edit_message(**message)
        else:
            await interaction.response.edit_message(content=request.error, embed=None, view=None)

    @property
    def _checkpoint(self) -> Checkpoint:
        return self.writer.service.checkpoint

    async def _write(self, interaction: discord.Interaction, asked: MemberRequest) -> None:
        here = await self.rules.for_songs(interaction)
        # What comes of a private song is private too.
        async with self.writer.reply(interaction, private=is_private(interaction)) as reply:
            await self.writer.write(reply, asked.with_sampling(here.settings.hold(asked.request.sampling)))


async def _offer_copy(interaction: discord.Interaction, request: StoredRequest, number: int) -> None:
    view = View(timeout=None)
    view.add_item(CopyButton(request.id, number))
    await interaction.response.send_message(
        "This song is another member's. Take a copy to leaf through it, go on from it or share it as your own.",
        view=view,
        ephemeral=True,
    )


def text_file(request: StoredRequest, number: int) -> discord.File:
    """Return a song as a file that training reads as it is."""
    name = (request.header.title or request.prompt).casefold()
    words = "".join(character if character.isalnum() else " " for character in name).split()
    text = f"{format_prompt(request.header, request.songs[number].lyric)}\n"
    return discord.File(
        io.BytesIO(text.encode()),
        filename=f"{'-'.join(words)[:_FILE_NAME].strip('-') or 'song'}.txt",
        description=f"Song {number + 1} of {len(request.songs)}",
    )
