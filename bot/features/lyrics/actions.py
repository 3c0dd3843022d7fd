"""What can be done with songs once they are asked for: each button of a song is a method here."""

import io
from collections.abc import Collection

import discord

from bot.features.lyrics.details import details_embed
from bot.features.lyrics.keeping import Keeping
from bot.features.lyrics.message import Viewer, songs_message
from bot.features.lyrics.picture.sharing import Sharing, SongsGone, finished_request
from bot.features.lyrics.writing.request import MemberRequest
from bot.features.lyrics.writing.writer import Writer
from bot.handling.items import is_private
from bot.handling.permissions import CommandPermissions
from bot.handling.songs import Action, SongPlace
from bot.rules import Rules
from bot.store import Store, StoredRequest
from model import Checkpoint, LyricsError
from model.song import format_prompt

_FILE_NAME = 40
"""Characters of a file's name at most."""


class SongActions:
    """Answers the buttons under songs, for the member whose songs they are."""

    def __init__(self, store: Store, rules: Rules, writer: Writer, permissions: CommandPermissions) -> None:
        self.store = store
        self.permissions = permissions
        self.rules = rules
        self.writer = writer
        self.sharing = Sharing(store, rules)
        self.keeping = Keeping(store, rules)

    @property
    def writing(self) -> Collection[int]:
        """The requests that are being written."""
        return self.writer.writing

    async def press(self, interaction: discord.Interaction, action: Action, place: SongPlace) -> None:
        """Do something with a song; who reads another member's leafs through what they could see, for themselves.

        Raises:
            LyricsError: Where the song is no longer kept, or the action says no.
        """
        request = await finished_request(self.store, place.request_id)
        place = place.within(len(request.songs))
        if action == "details":
            await interaction.response.send_message(embed=details_embed(request, place), ephemeral=True)
            return
        if request.user_id != interaction.user.id:
            await _show_reader(interaction, request, place)
            return
        match action:
            case "turn":
                message = songs_message(request, place, "owner" if is_private(interaction) else "everybody")
                await interaction.response.edit_message(**message)
            case "again":
                await self._write(interaction, MemberRequest.again(self._checkpoint, request))
            case "variations":
                await self._write(interaction, MemberRequest.variation(self._checkpoint, request))
            case "continue":
                await self._write(interaction, MemberRequest.continuation(self._checkpoint, request, place.number))
            case "share":
                await self.sharing.choose(interaction, request, place.number)
            case "export":
                file = text_file(request, place.number)
                await interaction.response.send_message(file=file, ephemeral=True)
            case "favourite" | "unfavourite" | "post" | "delete" | "erase":
                await self.keeping.press(interaction, action, request, place)

    async def copy(self, interaction: discord.Interaction, place: SongPlace) -> None:
        """Keep a copy of what a member could see of a request, and show it in place."""
        copied = await self.store.copy_request(
            place.request_id,
            user_id=interaction.user.id,
            created_at=interaction.created_at,
            number=place.number if place.alone else None,
        )
        if copied is None:
            raise SongsGone
        shown = SongPlace(copied.id, 0 if place.alone else place.number)
        await interaction.response.edit_message(content=None, **songs_message(copied, shown, "owner"))

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
            viewer: Viewer = "owner" if is_private(interaction) else "everybody"
            message = songs_message(request, SongPlace(request.id, 0), viewer)
            await interaction.response.edit_message(**message)
        else:
            ended = request.error or "Nothing more comes of this request."
            await interaction.response.edit_message(content=ended, embed=None, view=None)

    @property
    def _checkpoint(self) -> Checkpoint:
        return self.writer.service.checkpoint

    async def _write(self, interaction: discord.Interaction, asked: MemberRequest) -> None:
        await self.permissions.check(interaction, "lyrics")
        here = await self.rules.for_songs(interaction)
        # What comes of a private song is private too.
        async with self.writer.reply(interaction, private=is_private(interaction)) as reply:
            await self.writer.write(reply, asked.with_sampling(here.settings.hold(asked.request.sampling)))


async def _show_reader(interaction: discord.Interaction, request: StoredRequest, place: SongPlace) -> None:
    """Show a song to a member whose it is not, privately, with a button that makes it theirs."""
    message = songs_message(request, place, "reader")
    if is_private(interaction):
        await interaction.response.edit_message(**message)
        return
    await interaction.response.send_message(
        "This song is another member's. Take a copy to go on from it, or to share it as your own.",
        **message,
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
