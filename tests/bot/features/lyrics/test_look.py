"""What a model or a member writes is shown as it is: it pings nobody, links nowhere, and fits."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.features.lyrics.parts import whole_words
from bot.markup import MAX_DESCRIPTION, plain, sendable
from model import Checkpoint, GeneratedSong, LyricsService, Request
from tests.bot.world import World, checked, embed, footer, lyric, menu, response
from tests.conftest import GatedEngine

PINGS = "@everyone @here <@123> <@&456>"
MARKDOWN = (
    "*one* **two** _three_ __four__ ~~five~~ `six` ||seven||\n# eight\n### nine\n> ten\n>>> eleven\n- twelve\n"
    "-# thirteen\n```fourteen```\n* fifteen\nback\\slash"
)

# A character that Discord reads as markup, after no backslash or after pairs of them.
MARKUP = re.compile(r"(?<!\\)(?:\\\\)*(?:[*_~`|]|^#{1,3} |^>(?:>>)? |^-#? )", re.MULTILINE)
MASKED_LINK = re.compile(r"(?<!\\)(?:\\\\)*\[[^\[\]\n]+(?<!\\)\]\([^)\n]+\)")


class ScriptedEngine(GatedEngine):
    """An engine that writes ``written`` after each prompt."""

    written = ""

    def generate(
        self,
        request: Request,
        on_progress: Callable[[tuple[str, ...]], None],  # noqa: ARG002
        should_stop: Callable[[], bool],  # noqa: ARG002
    ) -> tuple[GeneratedSong, ...]:
        """Write what the test wants."""
        return (GeneratedSong(request.prompt + self.written, "stop", 5),) * 2


@pytest.fixture
def engine(trained_checkpoint: Path) -> ScriptedEngine:
    """An engine whose words the test chooses, tag and all; its checkpoint knows title and genre."""
    return ScriptedEngine(Checkpoint.open(trained_checkpoint))


@pytest.fixture
async def scripted_world(tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[World]:
    """The bot over that engine."""
    async with checked(tmp_path, LyricsService(lambda: engine, max_queue=5)) as opened:
        yield opened


def bodies(world: World) -> list[dict[str, Any]]:
    """Return every message that the bot sent or edited, as it went to Discord."""
    found = []
    for request in world.env.http_requests:
        body = request.json or {}
        if request.path.startswith("/webhooks/") and body:
            found.append(body)
        elif request.path.endswith("/callback") and "data" in body:
            found.append(body["data"])
    return found


async def test_nobody_is_pinged_whatever_is_written(scripted_world: World, engine: ScriptedEngine) -> None:
    engine.written = f"\n{PINGS}"
    song = await scripted_world.lyrics(PINGS, title=PINGS, mood=PINGS)
    await scripted_world.mira.click(response(song), label="▶")
    copy = await scripted_world.ada.click(response(song), label="◀")
    shown = await scripted_world.mira.slash(scripted_world.channel, "history")
    opened = await scripted_world.mira.select(response(shown), list(menu(shown).values()))
    await scripted_world.mira.slash(scripted_world.channel, "settings show")
    await scripted_world.mira.slash(scripted_world.channel, "settings reset")
    await scripted_world.lyrics(" ")
    assert len(scripted_world.errors()) == 1
    assert len(bodies(scripted_world)) >= 8
    assert [body.get("allowed_mentions") for body in bodies(scripted_world)] == [{"parse": []}] * len(
        bodies(scripted_world)
    )
    for message in (response(result).message for result in (song, copy, shown, opened)):
        assert (message.mentions, message.role_mentions, message.mention_everyone) == ([], [], False)
        assert PINGS not in message.content


async def test_markdown_of_the_model_is_shown_as_it_was_written(scripted_world: World, engine: ScriptedEngine) -> None:
    engine.written = f"\n{MARKDOWN}"
    shown = lyric(await scripted_world.lyrics())
    assert shown.startswith("**two lanterns**\n")
    assert MARKUP.findall(shown.removeprefix("**two lanterns**")) == []
    assert re.sub(r"\\(.)", r"\1", shown.removeprefix("**two lanterns**\n")) == MARKDOWN


@pytest.mark.parametrize(
    "written",
    [
        "[free songs](https://evil.example)",
        "[one](https://evil.example) and [two](https://evil.example)",
        "[[one]](https://evil.example)",
        "(see) [one](<https://evil.example>)",
    ],
)
async def test_no_link_hides_behind_other_words(scripted_world: World, engine: ScriptedEngine, written: str) -> None:
    engine.written = f"\n{written}"
    assert MASKED_LINK.findall(lyric(await scripted_world.lyrics())) == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<@123456789012345678>", r"\<@123456789012345678>"),
        ("@everyone and @here", r"\@everyone and \@here"),
        ("https://evil.example/_a_", r"https:\//evil.example/\_a\_"),
        ("join Discord.gg/abc", r"join Discord\.gg/abc"),
        ("[Verse 1] (softly)", "[Verse 1] (softly)"),
    ],
)
def test_mentions_addresses_and_invites_show_as_text(written: str, shown: str) -> None:
    assert plain(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("turned \u202eround\u2066", "turned round"),
        ("\u200b> a quote", r"\> a quote"),
        ("\u200d# a heading", r"\# a heading"),
        ("\u3164- a list", r"\- a list"),
        ("e" + "\u0301" * 280 + "x", "e" + "\u0301" * 4 + "x"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("1\ufe0f\u20e3", "1\ufe0f\u20e3"),
    ],
)
def test_text_stays_in_its_place(written: str, shown: str) -> None:
    assert plain(written) == shown
    assert sendable(sendable(written)) == sendable(written)


async def test_what_is_kept_turns_nothing_round_either(scripted_world: World, engine: ScriptedEngine) -> None:
    engine.written = "\n\u202eon the water"
    await scripted_world.lyrics("two\u2067 lanterns", title="a\u202e title", genre="fo\u200blk")
    kept = scripted_world.rows("SELECT prompt, title, genre, lyric FROM request JOIN song ON request_id = id")[0]
    assert kept == ("two lanterns", "a title", "folk", "two lanterns\non the water")


async def test_no_link_is_made_of_the_prompt_and_what_follows(scripted_world: World, engine: ScriptedEngine) -> None:
    engine.written = "](https://evil.example)"
    assert MASKED_LINK.findall(lyric(await scripted_world.lyrics("[one"))) == []


async def test_markdown_in_the_prompt_and_the_header_is_escaped(scripted_world: World) -> None:
    song = await scripted_world.lyrics("a **b** c_", title="*t*", genre="`g`")
    assert lyric(song) == r"**a \*\*b\*\* c\_**"
    assert embed(song).title == r"\*t\*"
    assert footer(song) == "1/2 · `g`"  # where Discord reads no markup


async def test_markdown_in_the_history_is_escaped(scripted_world: World) -> None:
    await scripted_world.lyrics("a **b** c")
    await scripted_world.lyrics("x", title="*t*")
    shown = await scripted_world.mira.slash(scripted_world.channel, "history")
    assert [field.name for field in embed(shown).fields] == [r"\*t\*", r"a \*\*b\*\* c"]
    assert str(embed(shown).fields[1].value).startswith(r"a \*\*b\*\* c")
    assert list(menu(shown)) == ["*t*", "a **b** c"]  # a menu shows no markup


@pytest.mark.parametrize("line", ["x" * 99, "*" * 60, "\\" * 70])
async def test_a_lyric_over_discords_limit_is_split_at_a_line_end(
    scripted_world: World, engine: ScriptedEngine, line: str
) -> None:
    engine.written = f"\n{line}" * 50
    song = await scripted_world.lyrics()
    seen, parts = [], int(footer(song).partition(" of ")[2])
    for _ in range(parts):
        assert len(lyric(song)) <= MAX_DESCRIPTION
        seen += lyric(song).splitlines()
        await scripted_world.mira.click(response(song), label="▶")
    assert parts > 1
    assert footer(song).startswith("2/2 · part 1 of")
    assert seen[0] == "**two lanterns**"
    assert [re.sub(r"\\(.)", r"\1", kept) for kept in seen[1:]] == [line] * 50


async def test_a_lyric_that_just_fits_is_whole(scripted_world: World, engine: ScriptedEngine) -> None:
    line = "x" * 1359
    engine.written = f"\n{line}" * 3
    shown = lyric(await scripted_world.lyrics())
    assert len(shown) == MAX_DESCRIPTION
    assert shown.endswith("x")


async def test_a_lyric_of_one_endless_line_is_still_shown(scripted_world: World, engine: ScriptedEngine) -> None:
    engine.written = " la" * 2000
    shown = lyric(await scripted_world.lyrics())
    assert shown.startswith("**two lanterns** la la la")
    assert 3900 < len(shown) <= MAX_DESCRIPTION


async def test_an_endless_line_after_the_prompt_is_not_left_out_altogether(
    scripted_world: World, engine: ScriptedEngine
) -> None:
    engine.written = "\n" + "la " * 2000
    assert len(lyric(await scripted_world.lyrics())) > 3900


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", ""),
        (" on the wa", " on the"),
        (" on the water ", " on the water "),
        ("\nThe ti", "\nThe"),
        ("\n\n[Chor", "\n"),
        ("\n\n[Verse 2", "\n\n"),
        ("\n\n[Verse 2]\n", "\n\n[Verse 2]\n"),
    ],
)
@pytest.mark.parametrize("tag", ["", "[Verse 1]\n"])
def test_no_half_word_and_no_half_tag_is_shown_while_a_song_is_written(tag: str, written: str, shown: str) -> None:
    assert whole_words(f"{tag}two lanterns{written}", "two lanterns") == f"{tag}two lanterns{shown}"


async def test_line_breaks_are_kept(scripted_world: World, engine: ScriptedEngine) -> None:
    engine.written = "\non the water\n\n[Chorus]\n  slowly"
    assert lyric(await scripted_world.lyrics()) == "**two lanterns**\non the water\n\n**[Chorus]**\n  slowly"


async def test_the_longest_title_fits_however_much_is_escaped(scripted_world: World) -> None:
    song = await scripted_world.lyrics(title="*" * 100, genre="*" * 100)
    assert len(embed(song).title or "") <= 256
    assert footer(song) == f"1/2 · {'*' * 100}"


async def test_a_song_of_4000_characters_is_one_message_with_all_of_its_stanzas(
    scripted_world: World, engine: ScriptedEngine
) -> None:
    stanza = "\n".join(["It's a long way down, but we don't mind"] * 4)
    engine.written = "".join(f"\n\n[Verse {number}]\n{stanza}" for number in range(1, 25))
    engine.written = engine.written[: 4000 - len("two lanterns")].rpartition("\n")[0]
    song = await scripted_world.lyrics()
    assert "part" not in footer(song)
    assert lyric(song).count("It's a long way down") == engine.written.count("It's a long way down")
    assert lyric(song).count("\n\n**[Verse") == engine.written.count("[Verse")


async def test_a_longer_song_is_split_after_a_stanza(scripted_world: World, engine: ScriptedEngine) -> None:
    stanza = "\n".join(["It's a long way down, but we don't mind"] * 4)
    engine.written = "".join(f"\n\n[Verse {number}]\n{stanza}" for number in range(1, 49))
    song = await scripted_world.lyrics()
    assert footer(song).startswith("1/2 · part 1 of 3")
    assert lyric(song).endswith(stanza)
    await scripted_world.mira.click(response(song), label="▶")
    assert footer(song).startswith("1/2 · part 2 of 3")
    assert lyric(song).startswith("**[Verse ")
    for place in ("1/2 · part 3 of 3", "2/2 · part 1 of 3", "2/2 · part 2 of 3"):
        await scripted_world.mira.click(response(song), label="▶")
        assert footer(song).startswith(place)
    await scripted_world.mira.click(response(song), label="◀")
    await scripted_world.mira.click(response(song), label="◀")
    assert footer(song).startswith("1/2 · part 3 of 3")
    exported = await scripted_world.mira.click(response(song), label="Export")
    (file,) = response(exported).attachments
    assert (await file.read()).decode() == f"[Verse 1]\ntwo lanterns{engine.written}\n".removeprefix("[Verse 1]\n")
