"""``/history``: a member's own finished songs, newest first."""

import pytest
import simcord

from bot.features.lists.buttons import PAGE_SIZE
from tests.bot.world import World, buttons, embed, footer, lyric, menu, private_sentence, response
from tests.conftest import GatedEngine


async def history(world: World, member: simcord.MemberActor | None = None) -> simcord.InteractionResult:
    """Open a member's history."""
    return await (member or world.mira).slash(world.channel, "history")


def names(shown: simcord.InteractionResult) -> list[str]:
    """Return the requests on a page, as they are listed."""
    return [str(field.name) for field in embed(shown).fields]


@pytest.fixture
async def filled(gated_world: World, gated_engine: GatedEngine) -> World:
    """Mira has two full pages and one song more, Ada has one."""
    gated_engine.gate.set()
    for number in range(2 * PAGE_SIZE + 1):
        await gated_world.lyrics(f"song number {number}")
    await gated_world.lyrics("of ada alone", by=gated_world.ada)
    return gated_world


async def test_a_member_without_songs_is_told_how_to_get_one(world: World) -> None:
    shown = await history(world)
    assert embed(shown).description == "Nothing yet: write your first song with `/lyrics`."
    assert shown.ephemeral
    assert response(shown).components == []


async def test_history_is_private_and_newest_first(world: World) -> None:
    for prompt in ("first words", "second words"):
        await world.lyrics(prompt)
    shown = await history(world)
    assert shown.ephemeral
    assert names(shown) == ["second words", "first words"]
    assert "3 songs · <t:" in str(embed(shown).fields[0].value)
    assert len(world.public()) == 2
    assert len(world.channel.history(viewer=world.ada)) == 2


async def test_a_history_has_the_callers_songs_alone(filled: World) -> None:
    assert names(await history(filled, filled.ada)) == ["of ada alone"]
    assert list(menu(await history(filled, filled.ada))) == ["of ada alone"]


async def test_only_finished_songs_are_listed(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.error = RuntimeError("out of memory")
    await gated_world.lyrics("failed words")
    gated_engine.error = None
    gated_engine.started.clear()
    await gated_world.begin(gated_world.lyrics("waiting words"), gated_engine.started.is_set)
    page = await gated_world.store.history(gated_world.mira.id, page=0, page_size=5)
    assert page.songs == ()
    gated_engine.gate.set()
    await gated_world.env.settle()
    assert names(await history(gated_world)) == ["waiting words"]
    assert len(gated_world.errors()) == 1


async def test_both_buttons_page_through_a_long_history_in_place(filled: World) -> None:
    shown = await history(filled)
    pages = [["song number 10", "song number 9", "song number 8", "song number 7", "song number 6"]]
    pages += [["song number 5", "song number 4", "song number 3", "song number 2", "song number 1"], ["song number 0"]]
    usable = [{"◀": False, "▶": True}, {"◀": True, "▶": True}, {"◀": True, "▶": False}]
    for number, label in ((0, "▶"), (1, "▶"), (2, "◀"), (1, "◀"), (0, "")):
        assert names(shown) == list(menu(shown)) == pages[number]
        assert buttons(shown) == usable[number]
        assert footer(shown) == f"Page {number + 1}/3 · only you see this"
        if label:
            await filled.mira.click(response(shown), label=label)


async def test_a_single_page_has_no_page_buttons(filled: World) -> None:
    assert buttons(await history(filled, filled.ada)) == {}


async def test_the_menu_opens_a_request_that_can_be_turned_through(filled: World) -> None:
    shown = await history(filled)
    opened = await filled.mira.select(response(shown), [menu(shown)["song number 7"]])
    assert opened.ephemeral
    assert lyric(opened) == "**song number 7**\nsong 0"
    await filled.mira.click(response(opened), label="▶")
    assert lyric(opened) == "**song number 7**\nsong 1"
    assert footer(opened).startswith("2/3")
    assert names(shown)[0] == "song number 10"


async def test_the_menu_still_opens_songs_on_a_page_that_was_turned_to(filled: World) -> None:
    shown = await history(filled)
    await filled.mira.click(response(shown), label="▶")
    opened = await filled.mira.select(response(shown), [menu(shown)["song number 3"]])
    assert lyric(opened).startswith("**song number 3**")


async def test_a_request_of_somebody_else_is_not_opened(filled: World) -> None:
    shown = await history(filled)
    chosen = menu(shown)["song number 10"]
    filled.rows("UPDATE request SET user_id = ? WHERE id = ?", filled.ada.id, chosen.partition(":")[0])
    refused = await filled.mira.select(response(shown), [chosen])
    assert private_sentence(refused) == "These songs are no longer kept."


async def test_a_history_that_shrank_shows_its_last_page(filled: World) -> None:
    shown = await history(filled)
    filled.rows("DELETE FROM request WHERE prompt <> 'song number 3'")
    await filled.mira.click(response(shown), label="▶")
    assert names(shown) == ["song number 3"]
    assert buttons(shown) == {}


async def test_a_song_is_listed_by_its_title_where_it_has_one(trained_world: World) -> None:
    await trained_world.lyrics(title="Sandbag Line")
    shown = await history(trained_world)
    assert names(shown) == list(menu(shown)) == ["Sandbag Line"]


async def test_the_longest_prompt_is_cut_to_what_discord_takes(gated_world: World, gated_engine: GatedEngine) -> None:
    gated_engine.gate.set()
    await gated_world.lyrics("_" * 300)
    shown = await history(gated_world)
    assert names(shown)[0].endswith("…")
    assert len(names(shown)[0]) <= 256
    assert [len(label) for label in menu(shown)] == [100]
