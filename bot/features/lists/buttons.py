"""The one view of both lists of songs, the history and the favourites: its pages, and the menu that opens a song."""

import re
from typing import Self

from discord.ui import Button, DynamicItem, Select, View

from bot.features.lyrics import songs_message
from bot.features.lyrics.message import Message
from bot.handling.interaction import Interaction
from bot.handling.items import Reported
from bot.handling.songs import SongPlace
from bot.look import excerpt, heading, list_embed
from bot.markup import cut
from bot.store import ListName, ListPage, Store
from model import LyricsError

PAGE_SIZE = 5

MAX_SEARCH = 40
"""Characters: as the page buttons carry the search, a longer one may not fit the 100 that Discord gives them."""

_MAX_LABEL = 100
"""Discord's limit for a select option, in characters."""


async def list_message(store: Store, name: ListName, user_id: int, *, page: int, search: str | None) -> Message:
    """Show a page of a user's songs, with a menu to open one and buttons to the other pages."""
    read = store.history if name == "history" else store.favourites
    shown = await read(user_id, page=page, page_size=PAGE_SIZE, search=search)
    view = View(timeout=None)
    if shown.songs:
        view.add_item(OpenMenu(shown))
    if shown.num_pages > 1:
        view.add_item(PageButton(name, shown.number - 1, search, label="◀", disabled=shown.number == 0))
        last = shown.number == shown.num_pages - 1
        view.add_item(PageButton(name, shown.number + 1, search, label="▶", disabled=last))
    return Message(embed=list_embed(name, shown, search), view=view)


class PageButton(
    Reported,
    DynamicItem[Button[View]],
    template=r"(?P<name>history|favourites):(?P<page>-?\d+)(?::(?P<search>.+))?",
):
    """Turns to a page of the clicking user's own songs."""

    def __init__(
        self, name: ListName, page: int, search: str | None, *, label: str = "", disabled: bool = False
    ) -> None:
        custom_id = f"{name}:{page}:{search}" if search else f"{name}:{page}"
        super().__init__(Button(label=label, custom_id=custom_id, disabled=disabled, row=1))
        self.name = name
        self.page = page
        self.search = search

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        name: ListName = "history" if match["name"] == "history" else "favourites"
        return cls(name, int(match["page"]), match["search"])

    async def respond(self, interaction: Interaction) -> None:
        """Show the page."""
        user_id = interaction.user.id
        message = await list_message(interaction.client.store, self.name, user_id, page=self.page, search=self.search)
        await interaction.response.edit_message(**message)


class OpenMenu(Reported, DynamicItem[Select[View]], template="open-song"):
    """Opens one of the user's own songs, privately."""

    def __init__(self, page: ListPage | None = None) -> None:
        select: Select[View] = Select(custom_id="open-song", placeholder="Open…", row=0)
        for song in page.songs if page else ():
            select.add_option(
                label=cut(heading(song.request), _MAX_LABEL),
                value=f"{song.request.id}:{song.number}",
                description=excerpt(song),
            )
        super().__init__(select)

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:  # noqa: ARG003
        return cls()

    async def respond(self, interaction: Interaction) -> None:
        """Show the chosen song."""
        request_id, number = map(int, self.item.values[0].split(":"))
        request = await interaction.client.store.request(request_id)
        if request is None or request.user_id != interaction.user.id or not request.songs:
            raise LyricsError("These songs are no longer kept.")
        await interaction.response.send_message(
            **songs_message(request, SongPlace(request.id, number), "owner"), ephemeral=True
        )
