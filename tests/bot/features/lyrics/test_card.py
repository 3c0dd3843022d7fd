"""A song as a picture: what is drawn, and how a member chooses it and posts it."""

import io
from typing import Any

import pytest
from PIL import Image, ImageChops

from bot.features.lyrics.picture.card import MAX_LINES, WIDE, WIDTH, Card, Style, draw_card
from bot.features.lyrics.picture.sharing import STYLES
from bot.features.lyrics.picture.typeface import FALLBACK, MONO, SANS, SERIF, Typeface, _letters
from tests.bot.world import Shown, World, posted, private_sentence, response

LINE = "The tide came up at midnight"
LETTERS = "“Łódź” – ‘naïve’… Ça, señor: Öl & œuvre — «Été» ñandú Ærø"  # noqa: RUF001 - what song writers type


def drawn(lyric: str, *, title: str | None = None, style: Style = "night") -> Image.Image:
    """Return a card as a reader's app decodes it."""
    image = Image.open(io.BytesIO(draw_card(Card(title, lyric, "Mira with Lyrics"), style)))
    assert image.format == "PNG"
    return image.convert("RGB")


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the box around everything that is drawn on an empty card of the same size."""
    # Each line of a background is of one colour: the first pixel's.
    empty = image.crop((0, 0, 1, image.height)).resize(image.size)
    box = ImageChops.difference(image, empty).point(lambda value: 255 * (value > 24)).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "lyric", [LINE, f"{LINE}\n" * 36, f"{LINE}\n" * 90, "x" * 3000, "word " * 900, LETTERS], ids=len
)
def test_everything_is_inside_of_the_margins(style: Style, lyric: str) -> None:
    image = drawn(lyric, title="Sandbag Line " * 8, style=style)
    left, top, right, bottom = ink(image)
    assert image.width in {WIDTH, WIDE}
    assert 60 < left < 100
    assert top > 60
    assert right < image.width - 60
    assert bottom < image.height - 40


def test_a_short_song_has_one_column_and_a_long_one_two() -> None:
    assert drawn(f"{LINE}\n" * 20).width == WIDTH
    assert drawn(f"{LINE}\n" * 60).width == WIDE


def test_two_columns_are_half_as_high_as_one_would_be() -> None:
    assert drawn(f"{LINE}\n" * 72).height < 1.2 * drawn(f"{LINE}\n" * 36).height


def test_an_odd_stanza_stands_on_the_left() -> None:
    image = drawn("\n\n".join([f"{LINE}\n" * 12 + LINE] * 5))
    halves = [image.crop((edge, 0, edge + WIDE // 2, image.height - 150)) for edge in (0, WIDE // 2)]
    left, right = (ink(half)[3] for half in halves)
    assert left > right + 300


def test_a_short_song_is_written_larger() -> None:
    (_, _, few, _), (_, _, many, _) = ink(drawn("on the shore")), ink(drawn("on the shore, " * 4))
    assert few < many
    assert drawn("on the shore").height > drawn("on the shore").width / 5


def test_a_card_has_an_end_however_long_the_song() -> None:
    assert drawn(f"{LINE}\n" * 5000).height == drawn(f"{LINE}\n" * (MAX_LINES + 50)).height


def test_the_styles_differ() -> None:
    assert len({drawn(LINE, style=style).tobytes() for style in STYLES}) == len(STYLES) == 3


@pytest.mark.parametrize("font", [SANS, SERIF, MONO])
def test_every_font_has_accents_and_typographic_quotes(font: str) -> None:
    assert {ord(letter) for letter in LETTERS} <= _letters(font)


def test_a_letter_that_a_font_lacks_comes_from_another() -> None:
    assert ord("☃") not in _letters(SERIF)
    assert Typeface(SERIF, 40).width("☃") == Typeface(FALLBACK, 40).width("☃")


def test_a_long_line_breaks_between_words_and_a_long_word_within() -> None:
    face = Typeface(SANS, 40)
    assert face.wrap("the tide came up", face.width("came up")) == ["the tide", "came up"]
    assert face.wrap("a mmmmmm", face.width("mmm")) == ["a", "mmm", "mmm"]


@pytest.mark.parametrize("lyric", ["", "\n\n", "\u200b", "\ud800", "\x00", "\u2028", "e\u0301", "[Verse 1]", "[ ]"])
def test_odd_songs_are_drawn_too(lyric: str) -> None:
    assert drawn(lyric).width == WIDTH


def parts(result: Shown) -> list[dict[str, Any]]:
    """Return what is in the one frame of a message."""
    (frame,) = response(result).components
    return list(frame["components"])


async def file(result: Shown) -> Image.Image:
    """Return the one picture of an answer."""
    (attachment,) = response(result).attachments
    return Image.open(io.BytesIO(await attachment.read())).convert("RGB")


async def test_a_card_is_chosen_privately_and_posted_for_all(trained_world: World) -> None:
    song = await trained_world.lyrics(title="Sandbag Line")
    menu = await trained_world.mira.click(response(song), label="Share as picture")
    assert menu.ephemeral
    words, gallery, styles, _ = parts(menu)
    assert words["content"].startswith("### Share as picture")
    assert gallery["items"][0]["description"].startswith("[Verse 1]\ntwo lanterns")
    assert [option["value"] for option in styles["components"][0]["options"]] == list(STYLES)
    night = await file(menu)
    await trained_world.restart()
    await trained_world.mira.select(response(menu), ["paper"])
    paper = await file(menu)
    assert paper.tobytes() != night.tobytes()
    assert [bool(option.get("default")) for option in parts(menu)[2]["components"][0]["options"]] == [0, 1, 0]
    await trained_world.restart()
    clicked = await trained_world.mira.click(response(menu), label="Post it here")
    assert (await file(posted(clicked))).tobytes() == paper.tobytes()
    assert len(trained_world.public()) == 2
    words, gallery = parts(menu)
    assert words["content"].endswith("Posted. *Share as picture* under the song draws it again.")
    (attachment,) = posted(clicked).attachments
    assert (attachment.filename, (attachment.description or "")[:9]) == ("lyrics.png", "[Verse 1]")


async def test_a_card_of_a_song_that_is_gone_is_refused(world: World) -> None:
    song = await world.lyrics()
    menu = await world.mira.click(response(song), label="Share as picture")
    world.rows("DELETE FROM request")
    for clicked in (
        await world.mira.select(response(menu), ["paper"]),
        await world.mira.click(response(menu), label="Post it here"),
    ):
        assert private_sentence(clicked) == "These songs are no longer kept: ask for new ones with `/lyrics`."


async def test_a_long_song_has_a_picture_with_as_much_of_its_text_as_discord_takes(world: World) -> None:
    song = await world.lyrics()
    world.rows("UPDATE song SET lyric = ?", f"{LINE}\n" * 140)
    menu = await world.mira.click(response(song), label="Share as picture")
    assert (await file(menu)).width == WIDE
    assert len(parts(menu)[1]["items"][0]["description"]) == 1024
