"""What becomes of a finished song: its owner holds on to it, posts it again, or deletes it."""

from dataclasses import replace
from typing import Literal

import discord
from discord import ButtonStyle
from discord.ui import View

from bot.features.lyrics.buttons import SongButton
from bot.features.lyrics.message import Message, songs_message
from bot.features.lyrics.picture.sharing import check_may_post, finished_request, posted_by, undone_where_it_fails
from bot.handling.items import is_private
from bot.handling.songs import SongPlace
from bot.look import COLOUR, heading
from bot.markup import MAX_TITLE, cut, plain
from bot.rules import Rules, check_channel
from bot.store import Store, StoredRequest

KeepingAction = Literal["favourite", "unfavourite", "post", "delete", "erase"]


class Keeping:
    """Answers the buttons under a song that change what is kept of it, for its owner alone (see ``SongActions``)."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self.store = store
        self.rules = rules

    async def press(
        self,
        interaction: discord.Interaction,
        action: KeepingAction,
        request: StoredRequest,
        place: SongPlace,
    ) -> None:
        """Do something with a song of the clicking member's own.

        Raises:
            LyricsError: Where it may not be posted here.
        """
        match action:
            case "favourite" | "unfavourite":
                added_at = interaction.created_at if action == "favourite" else None
                await self.store.set_favourite(request.id, place.number, added_at)
                request = await finished_request(self.store, request.id)
                message = songs_message(request, place, "owner" if is_private(interaction) else "everybody")
                await interaction.response.edit_message(**message)
            case "post":
                await self._post(interaction, request, place)
            case "delete":
                await interaction.response.edit_message(**_deletion_question(request, place))
            case "erase":
                await interaction.response.defer()  # A search index of many songs takes its time to forget these.
                await self.store.delete_request(request.id, user_id=interaction.user.id)
                await interaction.edit_original_response(**_deleted_message(request))

    async def _post(self, interaction: discord.Interaction, request: StoredRequest, place: SongPlace) -> None:
        """Post the song that is shown, and no other of its request."""
        check_may_post(interaction)
        check_channel(await self.rules.server(interaction), interaction)
        await interaction.response.edit_message(**songs_message(request, place, "owner", posted=True))
        async with undone_where_it_fails(interaction, songs_message(request, place, "owner")):
            message = songs_message(request, replace(place, alone=True))
            await interaction.followup.send(posted_by(interaction), **message)


def _deletion_question(request: StoredRequest, place: SongPlace) -> Message:
    """Ask whether a request shall be deleted with all of its songs; *Keep* goes back to the one that was shown."""
    songs = f"**{len(request.songs)} songs**" if len(request.songs) > 1 else "**1 song**"
    favourites = ", your favourites among them" if request.favourites else ""
    embed = discord.Embed(title=f"Delete “{cut(plain(heading(request)), MAX_TITLE - 20)}”?", colour=COLOUR)
    embed.description = (
        f"This deletes {songs}{favourites}, for good. Messages in Discord that show them stay, but their buttons no "
        "longer work."
    )
    view = View(timeout=None)
    view.add_item(SongButton(place, "erase", label="Delete for good", style=ButtonStyle.danger))
    view.add_item(SongButton(place, label="Keep"))
    return Message(embed=embed, view=view)


def _deleted_message(request: StoredRequest) -> Message:
    """Say that a request was deleted."""
    title = cut(plain(heading(request)), MAX_TITLE)
    return Message(embed=discord.Embed(description=f"Deleted: {title}", colour=COLOUR), view=View(timeout=None))
