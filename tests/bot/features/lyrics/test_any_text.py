"""Whatever a member or a model writes: nothing raises, nothing is over a limit, and nothing comes alive.

What comes alive is asked of SimCord's renderer, which knows Discord's markup and nothing of this bot.
"""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import discord
import pytest
from discord.ui import View
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simcord.preview._markdown import markdown_tokens

from bot.features.lists.buttons import MAX_SEARCH, OpenMenu
from bot.features.lyrics.actions import text_file
from bot.features.lyrics.details import details_embed
from bot.features.lyrics.message import Viewer, songs_message, writing_message
from bot.features.lyrics.parts import song_parts, whole_words
from bot.features.lyrics.picture.card import Card, draw_card
from bot.features.lyrics.picture.sharing import STYLES, CardMenu
from bot.features.lyrics.writing.request import MemberRequest, NothingToSee
from bot.handling.songs import SongPlace
from bot.look import list_embed
from bot.markup import MAX_DESCRIPTION, plain, sendable
from bot.store import MARK, ListedSong, ListName, ListPage, StoredRequest
from model import Checkpoint, GeneratedSong, Header, LyricsService, Progress, SamplingParams
from tests.bot.features.lyrics.test_look import ScriptedEngine
from tests.bot.world import World, checked, response

ALIVE = (
    "@everyone", "@here", "<@1>", "<@&1>", "<#1>", "</a:1>", "<:a:1>", "<t:1:R>", "<id:home>", "[a](https://b.c)",
    "https://b.c", "<https://b.c>", "discord.gg/a", "discord.com/invite/a", "**", "*", "__", "_", "~~", "||",
    "`", "```", "\\", "# ", "### ", "-#", "> ", ">>> ", "- ", "* ", "+ ", "1. ", "1) ", "---", "\n", "\n\n", "\n===\n",
    "    ", "[Verse 1]", "[", "](", ")", "<|endoftext|>", "\r", "\x00", "\u2028", "\u202e", "\u200b", "\ufeff",
    "\ud800", "e\u0301", "\U0001f3b5", "x" * 700,
)  # fmt: skip
TEXT = st.lists(st.sampled_from(ALIVE) | st.text(st.characters(), max_size=8), max_size=30).map("".join)
SONG = TEXT | st.tuples(TEXT, st.integers(1, 60)).map(lambda drawn: "\n".join([drawn[0]] * drawn[1])[:20_000])

STABLE = settings(derandomize=True, deadline=None, max_examples=200)
"""The same examples each time, so that nobody's change is stopped by what another's luck has found."""

HARMLESS = {"paragraph", "inline", "text", "break", "strong_open", "strong_close"}


def rendered(shown: str) -> list[dict[str, Any]]:
    """Return what SimCord makes of a text, without spaces before its lines: four are code to it, not to Discord."""
    return markdown_tokens(re.sub(r"^[^\S\n]+", "", shown, flags=re.MULTILINE))


def marks(shown: str) -> set[str]:
    """Return everything but words, line breaks and bold that a text is shown with."""

    def kinds(tokens: list[dict[str, Any]]) -> Iterator[str]:
        for token in tokens:
            yield token["type"]
            yield from kinds(token.get("children", []))

    return set(kinds(rendered(shown))) - HARMLESS


def words(shown: str) -> str:
    """Return the letters of a text as it is shown, without its spaces, and without the stars.

    SimCord, other than Discord, shows the stars of bold words that end with punctuation.
    """

    def text(tokens: list[dict[str, Any]]) -> Iterator[str]:
        for token in tokens:
            yield token.get("content", "")
            yield from text(token.get("children", []))

    return letters("".join(text(rendered(shown))))


def letters(text: str) -> str:
    """Return a text without its spaces and stars."""
    return "".join(sendable(text).replace("*", "").split())


@settings(STABLE)
@given(TEXT)
def test_no_text_comes_alive(text: str) -> None:
    assert marks(plain(text)) == set()
    assert words(plain(text)) == letters(text)


def test_small_print_does_not_come_alive() -> None:
    # SimCord looks for it after it has taken the backslashes away, so this cannot be asked of it.
    assert plain("-# small\n  -# small") == "\\-\\# small\n  \\-\\# small"


@settings(STABLE)
@given(SONG, TEXT)
def test_a_song_is_shown_whole_in_parts_that_fit(written: str, prompt: str) -> None:
    lyric = f"[Verse 1]\n{prompt}{written}"
    parts = song_parts(lyric, prompt)
    assert all(len(part) <= MAX_DESCRIPTION for part in parts)
    assert set().union(*(marks(part) for part in parts)) == set()
    assert "".join(words(part) for part in parts) == letters(lyric)


@settings(STABLE)
@given(TEXT, TEXT)
def test_only_a_last_word_is_left_out_while_it_may_be_half_of_one(opening: str, written: str) -> None:
    lyric = f"[Verse 1]\n{opening}{written}"
    shown = whole_words(lyric, opening)
    assert lyric.startswith(shown)
    assert opening in shown
    left_out = lyric[len(shown) :].strip()
    assert "\n" not in left_out
    assert " " not in left_out or left_out.startswith("[")


def stored(prompt: str, lyric: str, header: Header) -> StoredRequest:
    """Return a finished request as the store gives it."""
    return StoredRequest(
        id=2**62, user_id=1, guild_id=None, channel_id=None, prompt=prompt, header=header,
        sampling=SamplingParams(seed=2**32 - 1), checkpoint="x", state="finished", error=None,
        created_at=datetime.now(UTC), songs=(GeneratedSong(lyric, "cancelled", 1),) * 10,
    )  # fmt: skip


@settings(STABLE)
@given(SONG, TEXT, TEXT, st.lists(st.integers(0, 90), max_size=6), st.sampled_from(["history", "favourites"]))
def test_any_song_is_listed(written: str, prompt: str, title: str, spans: list[int], name: ListName) -> None:
    lyric = sendable(f"a{prompt}{written}")
    found = lyric
    for number, place in enumerate(sorted(spans)):
        found = f"{found[: place + number]}{MARK}{found[place + number :]}"
    request = stored(f"a{sendable(prompt)}", lyric, Header(title=sendable(title)[:100]))
    page = ListPage((ListedSong(request, 3), ListedSong(request, 9, found)), 1, 3)
    view = View(timeout=None)
    view.add_item(OpenMenu(page))
    embed = list_embed(name, page, sendable(title)[:MAX_SEARCH])
    check_limits(embed, view)
    for text in [embed.title, *(field.name for field in embed.fields), *(field.value for field in embed.fields)]:
        shown = str(text).rpartition("\n")[0] or str(text)
        assert shown.strip()
        assert marks(shown) == set()
    for option in view.to_components()[0]["components"][0]["options"]:
        assert 0 < len(option["label"].strip()) <= len(option["label"]) <= 100
        assert len(option.get("description", "")) <= 100


def check_limits(embed: discord.Embed, view: View) -> None:
    """Hold a message against Discord's limits."""
    assert len(embed) <= 6000
    assert len(embed.title or "") <= 256
    assert len(embed.description or "") <= 4096
    assert len(embed.footer.text or "") <= 2048
    assert len(embed.author.name or "") <= 256
    rows: list[Any] = view.to_components()
    assert len(rows) <= 5
    assert all(len(row["components"]) <= 5 for row in rows)
    custom_ids = [button["custom_id"] for row in rows for button in row["components"]]
    assert len(set(custom_ids)) == len(custom_ids)
    assert all(len(custom_id) <= 100 for custom_id in custom_ids)


@settings(STABLE)
@given(TEXT.map(lambda text: text[:300]), SONG, TEXT.map(lambda text: text[:100]))
def test_every_message_of_a_song_fits(prompt: str, written: str, value: str) -> None:
    checkpoint = Checkpoint("x", Path(), None)
    header = Header(value, value, value, value)
    request = stored(prompt or "x", prompt + written, header)
    parts = song_parts(request.songs[0].lyric, request.prompt)
    for part in (0, 1, -1, len(parts)):
        for viewer in get_args(Viewer):
            check_limits(**songs_message(request, SongPlace(request.id, 9, part), viewer))
        check_limits(details_embed(request, SongPlace(request.id, 0)), View())
    try:
        asked = MemberRequest.new(checkpoint, prompt, header, SamplingParams())
    except NothingToSee:
        return
    asked.for_model.prompt.encode()
    check_limits(**writing_message(2**62, asked, Progress((asked.request.prompt + written,) * 10)))


@settings(STABLE, max_examples=25)
@given(SONG, TEXT.map(lambda text: text[:100]), st.sampled_from(STYLES))
def test_every_song_has_a_card_and_a_file(lyric: str, title: str, style: Any) -> None:
    request = stored("x", sendable(lyric), Header(title=sendable(title)))
    assert draw_card(Card(title, lyric, title), style).startswith(b"\x89PNG")
    assert CardMenu(request, 0, style).to_components()  # type: ignore[no-untyped-call]
    assert text_file(request, 0).filename.endswith(".txt")


@pytest.fixture
def engine(trained_checkpoint: Path) -> ScriptedEngine:
    """An engine whose words are drawn."""
    return ScriptedEngine(Checkpoint.open(trained_checkpoint))


@pytest.fixture
async def world(tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[World]:
    """The bot over that engine."""
    async with checked(tmp_path, LyricsService(lambda: engine, max_queue=5)) as opened:
        yield opened


@settings(STABLE, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=TEXT.map(lambda text: text[:300] or "x"), value=TEXT.map(lambda text: text[:100] or "x"), written=SONG)
async def test_no_text_breaks_a_command_or_pings_anybody(
    world: World, engine: ScriptedEngine, prompt: str, value: str, written: str
) -> None:
    engine.written = written
    song = await world.mira.slash(world.channel, "lyrics", prompt=prompt, title=value, genre=value)
    if [type(error) for error in world.errors()[-1:]] == [NothingToSee]:
        world.env._errors.clear()
        return
    await world.mira.click(response(song), label="▶")
    await world.mira.click(response(song), label="Export")
    copy = await world.ada.click(response(song), label="Again")
    await world.ada.click(response(copy), label="Get a copy of my own")
    for shown in (song, copy, await world.ada.slash(world.channel, "history")):
        message = response(shown).message
        assert (message.mentions, message.role_mentions, message.mention_everyone) == ([], [], False)
    assert world.errors() == []
