"""The buttons and the menu of the history."""

import re
from typing import Any, Self

import discord
from discord.ui import Button, DynamicItem, Item, Select, View

from bot.features.lyrics import songs_message
from bot.features.lyrics.message import Message
from bot.items import Reported
from bot.render import excerpt, history_embed
from bot.store import HistoryPage, Store
from model import LyricsError

HISTORY_PAGE_SIZE = 5

_MAX_LABEL = 100
"""Discord's limit for a select option, in characters."""


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


class HistoryPageButton(Reported, DynamicItem[Button[View]], template=r"history:(?P<page>-?\d+)"):
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


class HistorySelect(Reported, DynamicItem[Select[View]], template="history-open"):
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
