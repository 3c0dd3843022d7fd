"""The buttons and menus under messages.

All of them carry what they need in their custom id and read the rest from the store, so they work on a
message of any age and after a restart.
"""

import re
from typing import Any, Self, TypedDict

import discord
from discord.ui import Button, DynamicItem, Item, Select, View

from bot.render import excerpt, history_embed, songs_embed
from bot.store import HistoryPage, Store, StoredRequest
from bot.tree import report_error
from model import LyricsError

HISTORY_PAGE_SIZE = 5

_MAX_LABEL = 100
"""Discord's limit for a select option, in characters."""


class Message(TypedDict):
    """What both sending and editing a message take."""

    embed: discord.Embed
    view: View


def songs_message(request: StoredRequest, number: int) -> Message:
    """Show one song of a finished request, with buttons to the others where there are others."""
    number = min(max(number, 0), len(request.songs) - 1)
    view = View(timeout=None)
    if len(request.songs) > 1:
        view.add_item(SongButton(request.id, number - 1, "◀", disabled=number == 0))
        view.add_item(SongButton(request.id, number + 1, "▶", disabled=number == len(request.songs) - 1))
    return Message(embed=songs_embed(request, number), view=view)


async def history_message(store: Store, user_id: int, page: int) -> Message:
    """Show a page of the user's history, with a menu to open a request and buttons to the other pages."""
    shown = await store.history(user_id, page=page, page_size=HISTORY_PAGE_SIZE)
    view = View(timeout=None)
    if shown.requests:
        view.add_item(HistorySelect(shown))
    if shown.num_pages > 1:
        view.add_item(HistoryPageButton(shown.number - 1, "◀", disabled=shown.number == 0))
        view.add_item(HistoryPageButton(shown.number + 1, "▶", disabled=shown.number == shown.num_pages - 1))
    return Message(embed=history_embed(shown), view=view)


def _store(interaction: discord.Interaction[Any]) -> Store:
    """Return the bot's store; a dynamic item is made from its custom id alone, so it can be given none."""
    store: Store = interaction.client.store
    return store


class _Reported:
    """Sends the errors of a dynamic item the way of all others; discord.py would only log them."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Answer the click."""
        try:
            await self.respond(interaction)
        except Exception as error:  # noqa: BLE001 - the one place for them decides
            await report_error(interaction, error)

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the item is for."""
        raise NotImplementedError


class SongButton(_Reported, DynamicItem[Button[View]], template=r"song:(?P<request>\d+):(?P<number>-?\d+)"):
    """Turns to song ``number`` of a request: in place for its owner, in a private copy for anybody else."""

    def __init__(self, request_id: int, number: int, label: str = "", *, disabled: bool = False) -> None:
        super().__init__(Button(label=label, custom_id=f"song:{request_id}:{number}", disabled=disabled))
        self.request_id = request_id
        self.number = number

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button of a message that was sent before, perhaps by an earlier process."""
        return cls(int(match["request"]), int(match["number"]))

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Show the song."""
        request = await _store(interaction).request(self.request_id)
        if request is None or not request.songs:
            raise LyricsError("These songs are no longer kept: ask for new ones with `/lyrics`.")
        message = songs_message(request, self.number)
        private = interaction.message is not None and interaction.message.flags.ephemeral
        if private or interaction.user.id == request.user_id:
            await interaction.response.edit_message(**message)
        else:
            await interaction.response.send_message(**message, ephemeral=True)


class HistoryPageButton(_Reported, DynamicItem[Button[View]], template=r"history:(?P<page>-?\d+)"):
    """Turns to a page of the clicking user's own history."""

    def __init__(self, page: int, label: str = "", *, disabled: bool = False) -> None:
        super().__init__(Button(label=label, custom_id=f"history:{page}", disabled=disabled, row=1))
        self.page = page

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button of a message that was sent before, perhaps by an earlier process."""
        return cls(int(match["page"]))

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Show the page."""
        message = await history_message(_store(interaction), interaction.user.id, self.page)
        await interaction.response.edit_message(**message)


class HistorySelect(_Reported, DynamicItem[Select[View]], template="history-open"):
    """Opens one of the user's own requests, privately."""

    def __init__(self, page: HistoryPage | None = None) -> None:
        select: Select[View] = Select(custom_id="history-open", placeholder="Open…", row=0)
        for request in page.requests if page else ():
            label = (request.header.title or request.prompt)[:_MAX_LABEL]
            select.add_option(label=label, value=str(request.id), description=excerpt(request)[:_MAX_LABEL])
        super().__init__(select)

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: Item[Any], _match: re.Match[str], /
    ) -> Self:
        """Make the menu of a message that was sent before; what was chosen comes with the interaction."""
        return cls()

    async def respond(self, interaction: discord.Interaction[Any]) -> None:
        """Show the chosen request's songs."""
        request = await _store(interaction).request(int(self.item.values[0]))
        if request is None or request.user_id != interaction.user.id or not request.songs:
            raise LyricsError("These songs are no longer kept.")
        await interaction.response.send_message(**songs_message(request, 0), ephemeral=True)
