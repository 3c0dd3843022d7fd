"""Share as picture: a menu of styles with the card above it, and the card in the channel."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self, get_args

import discord
from discord.ui import (
    ActionRow,
    Button,
    Container,
    DynamicItem,
    LayoutView,
    MediaGallery,
    Select,
    TextDisplay,
    View,
)

from bot.features.lyrics.buttons import TakeDownButton
from bot.features.lyrics.picture.card import Card, Style, draw_card
from bot.handling.interaction import Interaction
from bot.handling.items import Reported
from bot.look import COLOUR
from bot.markup import cut, sendable
from bot.rules import Rules, check_channel
from bot.store import Store, StoredRequest
from model import LyricsError

STYLES: tuple[Style, ...] = get_args(Style)

_LOOKS: dict[Style, str] = {
    "night": "Light words on a violet night",
    "paper": "A page of a book",
    "typewriter": "Straight from the machine",
}

_NOT_POSTED = "Only you see this until you post it."
_POSTED = "Posted. *Share as picture* under the song draws it again."

_FILE = "lyrics.png"
_MAX_ALT_TEXT = 1024
"""Discord's limit for the description of a picture, in characters."""


def style_named(name: str) -> Style:
    """Return a style by its name; the first there is, where a message of an older version names another."""
    return next((style for style in STYLES if style == name), STYLES[0])


class SongsGone(LyricsError):  # noqa: N818 - named for what happened, as the model's errors are
    """The songs under a button were deleted."""

    def __init__(self) -> None:
        super().__init__("These songs are no longer kept: ask for new ones with `/lyrics`.")


async def own_request(store: Store, request_id: int, interaction: discord.Interaction) -> StoredRequest:
    """Return a request of the clicking member's that has songs.

    Raises:
        SongsGone: Where there is none.
    """
    request = await finished_request(store, request_id)
    if request.user_id != interaction.user.id:
        raise SongsGone
    return request


async def finished_request(store: Store, request_id: int) -> StoredRequest:
    """Return a request that has songs, whoever asked for it.

    Raises:
        SongsGone: Where there is none.
    """
    request = await store.request(request_id)
    if request is None or not request.songs:
        raise SongsGone
    return request


def check_may_post(interaction: discord.Interaction) -> None:
    """Let a member post in a channel, through the bot, only what they could say there themselves.

    Raises:
        LyricsError: Where they may not.
    """
    allowed = interaction.permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    if interaction.guild_id is not None and not (
        allowed.send_messages_in_threads if in_thread else allowed.send_messages
    ):
        raise LyricsError("You may not send messages in this channel, so your song was not posted.")


def posted_by(interaction: discord.Interaction) -> str:
    """Name who posts something, as nothing else under a public message of the bot's does; nobody is pinged by it."""
    return f"-# Posted by {interaction.user.mention}"


@asynccontextmanager
async def undone_where_it_fails(interaction: discord.Interaction, before: Mapping[str, Any]) -> AsyncIterator[None]:
    """Show the clicked message as it was before the click, where what was begun by it fails."""
    try:
        yield
    except Exception:
        await interaction.edit_original_response(**before)
        raise


class CardMenu(LayoutView):
    """A card and what can be done with it, for its owner's eyes; once it is posted, the card alone.

    It is of Components V2, as the picture then stands between the words that say what to do and the menu that changes
    it, in one frame and at its full width.
    """

    def __init__(self, request: StoredRequest, number: int, style: Style, *, posted: bool = False) -> None:
        super().__init__(timeout=None)
        picture: MediaGallery[Self] = MediaGallery(
            discord.MediaGalleryItem(f"attachment://{_FILE}", description=_alt_text(request, number))
        )
        said = _POSTED if posted else _NOT_POSTED
        controls: list[ActionRow[Any]] = []
        if not posted:
            controls = [
                ActionRow(StyleSelect(request.id, number, style)),
                ActionRow(PostButton(request.id, number, style)),
            ]
        self.add_item(Container(TextDisplay(f"### Share as picture\n{said}"), picture, *controls, accent_colour=COLOUR))


class StyleSelect(Reported, DynamicItem[Select[LayoutView]], template=r"card:(?P<request>\d+):(?P<number>\d+)"):
    """Draws the card in another style."""

    def __init__(self, request_id: int, number: int, chosen: Style | None = None) -> None:
        select: Select[LayoutView] = Select(custom_id=f"card:{request_id}:{number}", placeholder="Style")
        for style in STYLES:
            select.add_option(label=style.capitalize(), value=style, description=_LOOKS[style], default=style == chosen)
        super().__init__(select)
        self.request_id = request_id
        self.number = number

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(int(match["request"]), int(match["number"]))

    async def respond(self, interaction: Interaction) -> None:
        """Show the card in the chosen style."""
        await interaction.client.songs.sharing.restyle(interaction, self.request_id, self.number, self.item.values[0])


class PostButton(
    Reported,
    DynamicItem[Button[LayoutView]],
    template=r"post:(?P<request>\d+):(?P<number>\d+):(?P<style>[a-z]+)",
):
    """Posts the card in the channel."""

    def __init__(self, request_id: int, number: int, style: Style) -> None:
        custom_id = f"post:{request_id}:{number}:{style}"
        super().__init__(Button(label="Post it here", style=discord.ButtonStyle.primary, custom_id=custom_id))
        self.request_id = request_id
        self.number = number
        self.style = style

    @classmethod
    def _from_match(cls, match: re.Match[str], /) -> Self:
        return cls(int(match["request"]), int(match["number"]), style_named(match["style"]))

    async def respond(self, interaction: Interaction) -> None:
        """Post the card."""
        await interaction.client.songs.sharing.post(interaction, self.request_id, self.number, self.style)


class Sharing:
    """Answers *Share as picture* and what follows; only a song's owner ever sees its menu."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self.store = store
        self.rules = rules

    async def choose(self, interaction: discord.Interaction, request: StoredRequest, number: int) -> None:
        """Show the card of a song and the menu of styles."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        await _show_menu(interaction, request, number, STYLES[0])

    async def restyle(self, interaction: discord.Interaction, request_id: int, number: int, style: str) -> None:
        """Show the card in another style, in place."""
        request = await own_request(self.store, request_id, interaction)
        await interaction.response.defer()
        await _show_menu(interaction, request, number, style_named(style))

    async def post(self, interaction: discord.Interaction, request_id: int, number: int, style: str) -> None:
        """Post the card in the channel, once, as an answer to the click, for which the bot needs no permission."""
        check_may_post(interaction)
        check_channel(await self.rules.server(interaction), interaction)
        request, look = await own_request(self.store, request_id, interaction), style_named(style)
        await interaction.response.edit_message(view=CardMenu(request, number, look, posted=True))
        async with undone_where_it_fails(interaction, {"view": CardMenu(request, number, look)}):
            picture = await _picture(interaction, request, number, look)
            view = View(timeout=None)
            view.add_item(TakeDownButton(interaction.user.id))
            await interaction.followup.send(posted_by(interaction), file=picture, view=view)


async def _show_menu(interaction: discord.Interaction, request: StoredRequest, number: int, style: Style) -> None:
    picture = await _picture(interaction, request, number, style)
    await interaction.edit_original_response(attachments=[picture], view=CardMenu(request, number, style))


async def _picture(interaction: discord.Interaction, request: StoredRequest, number: int, style: Style) -> discord.File:
    assert interaction.client.user is not None, "the bot is logged in"
    signature = f"{interaction.user.display_name} with {interaction.client.user.display_name}"
    card = Card(request.header.title, request.songs[number].lyric, signature)
    # Off the event loop, which others wait for.
    drawn = await asyncio.to_thread(draw_card, card, style)
    return discord.File(io.BytesIO(drawn), _FILE, description=_alt_text(request, number))


def _alt_text(request: StoredRequest, number: int) -> str:
    return cut(sendable(request.songs[number].lyric), _MAX_ALT_TEXT)
