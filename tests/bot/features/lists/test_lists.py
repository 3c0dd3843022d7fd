"""``/history`` that searches, ``/favourites``, and what is done with a song that was opened from there."""

import discord
import pytest
import simcord

from tests.bot.world import World, buttons, embed, footer, lyric, menu, posted, private_sentence, response
from tests.conftest import GatedEngine


async def listed(
    world: World, command: str, member: simcord.MemberActor | None = None, **options: str
) -> simcord.InteractionResult:
    """Open one of a member's lists."""
    return await (member or world.mira).slash(world.channel, command, **options)


def names(shown: simcord.InteractionResult) -> list[str]:
    """Return the songs on a page, as they are listed."""
    return [str(field.name) for field in embed(shown).fields]


def values(shown: simcord.InteractionResult) -> list[str]:
    """Return what stands under each song of a page, without its time."""
    return [str(field.value).partition(" · <t:")[0] for field in embed(shown).fields]


async def opened(world: World, shown: simcord.InteractionResult, name: str) -> simcord.InteractionResult:
    """Open a song of Mira's from a list."""
    return await world.mira.select(response(shown), [menu(shown)[name]])


@pytest.fixture
async def singing(gated_world: World, gated_engine: GatedEngine) -> World:
    """A world whose songs come at once."""
    gated_engine.gate.set()
    return gated_world


@pytest.fixture
async def filled(singing: World) -> World:
    """Mira has eight requests, seven of them of lanterns, and Ada has one."""
    for number in range(7):
        await singing.lyrics(f"lantern number {number}")
    await singing.lyrics("a *wild* tide")
    await singing.lyrics("lantern of ada", by=singing.ada)
    return singing


# Searching


async def test_a_search_lists_what_has_the_words_in_bold(filled: World) -> None:
    shown = await listed(filled, "history", search="wil")
    assert shown.ephemeral
    assert embed(shown).title == "Your songs with “wil”"
    assert names(shown) == ["a \\*wild\\* tide"]
    assert values(shown) == ["a \\***wild**\\* tide / song 0\nSong 1 of 3"]
    assert lyric(await opened(filled, shown, "a *wild* tide")) == "**a \\*wild\\* tide**\nsong 0"


async def test_a_search_opens_the_song_that_has_the_words(filled: World) -> None:
    shown = await listed(filled, "history", search="wild 2")
    assert values(shown) == ["a \\***wild**\\* tide / song **2**\nSong 3 of 3"]
    assert footer(await opened(filled, shown, "a *wild* tide")).startswith("3/3")


async def test_a_search_is_kept_by_its_pages_even_over_a_restart(filled: World) -> None:
    shown = await listed(filled, "history", search="LANTERN  num")
    assert embed(shown).title == "Your songs with “LANTERN num”"
    assert names(shown) == [f"lantern number {number}" for number in (6, 5, 4, 3, 2)]
    assert footer(shown) == "Page 1/2 · only you see this"
    await filled.restart()
    await filled.mira.click(response(shown), label="▶")
    assert embed(shown).title == "Your songs with “LANTERN num”"
    assert names(shown) == ["lantern number 1", "lantern number 0"]
    assert lyric(await opened(filled, shown, "lantern number 0")).startswith("**lantern number 0**")
    await filled.mira.click(response(shown), label="◀")
    assert names(shown)[0] == "lantern number 6"


async def test_nothing_found_says_what_to_try(filled: World) -> None:
    shown = await listed(filled, "history", search="ada")
    assert embed(shown).fields == []
    assert str(embed(shown).description).startswith("None has these words")
    assert response(shown).components == []


async def test_a_search_that_is_all_spaces_is_none(filled: World) -> None:
    shown = await listed(filled, "history", search="  ")
    assert embed(shown).title == "Your songs"
    assert len(names(shown)) == 5


@pytest.mark.parametrize(
    "search", ["\U0001f3b5" * 40, '"' * 40, "*(lantern OR tide)-{}^~+:", "[a](https://b.c) @everyone"]
)
async def test_any_search_that_discord_lets_through_fits_the_page_buttons(filled: World, search: str) -> None:
    filled.rows("UPDATE request SET title = 'x'")
    shown = await listed(filled, "history", search=search)
    assert len(str(embed(shown).title)) <= 256
    assert "](" not in str(embed(shown).title)


async def test_the_longest_search_is_kept_by_the_page_buttons(singing: World) -> None:
    words = "\U0001f3b5" * 18 + " " + "lantern " * 2 + "lante"
    assert len(words) == 40
    for _ in range(6):
        await singing.lyrics(words + "rn")
    shown = await listed(singing, "history", search=words)
    ids = [component["custom_id"] for row in response(shown).components for component in row["components"]]
    assert all(len(custom_id.encode("utf-16-le")) <= 200 for custom_id in ids)
    await singing.mira.click(response(shown), label="▶")
    assert len(names(shown)) == 1


async def test_a_longer_search_is_not_let_through(world: World) -> None:
    with pytest.raises(simcord.OptionError):
        await listed(world, "history", search="x" * 41)


# Posting


async def test_a_song_is_posted_for_all_to_see_and_still_its_owners(filled: World) -> None:
    song = await opened(filled, await listed(filled, "history"), "lantern number 6")
    await filled.mira.click(response(song), label="▶")
    before = len(filled.public())
    clicked = await filled.mira.click(response(song), label="Post here")
    assert len(filled.public()) == before + 1
    post = posted(clicked)
    assert lyric(post) == "**lantern number 6**\nsong 1"
    assert post.content == f"-# Posted by {filled.mira.mention}"
    assert list(buttons(post))[-2:] == ["Details", "Take down"]
    await filled.mira.click(post, label="Favourite")
    assert "Unfavourite" in buttons(post)


async def test_the_song_that_is_posted_is_all_that_others_see_or_copy_of_a_request(filled: World) -> None:
    song = await opened(filled, await listed(filled, "history"), "lantern number 6")
    await filled.mira.click(response(song), label="▶")
    post = posted(await filled.mira.click(response(song), label="Post here"))
    assert not {"◀", "▶"} & buttons(post).keys()
    assert footer(post) == ""
    read = await filled.ada.click(post, label="Again")
    assert list(buttons(read)) == ["Details", "Get a copy of my own"]
    assert lyric(read) == "**lantern number 6**\nsong 1"
    shown = await filled.ada.click(response(read), label="Details")
    assert embed(shown).title == "Details"
    await filled.restart()
    await filled.ada.click(response(read), label="Get a copy of my own")
    assert lyric(read) == "**lantern number 6**\nsong 1"
    assert filled.rows("SELECT lyric FROM song JOIN request ON id = request_id WHERE user_id = ?", filled.ada.id)[
        3:
    ] == [("lantern number 6\nsong 1",)]


async def test_post_here_is_used_once_and_says_so(filled: World) -> None:
    song = await opened(filled, await listed(filled, "history"), "lantern number 6")
    await filled.mira.click(response(song), label="Post here")
    assert buttons(song)["Posted"] is False
    assert "Post here" not in buttons(song)
    await filled.mira.click(response(song), label="▶")
    assert buttons(song)["Post here"] is True


async def test_a_song_that_discord_does_not_take_can_be_posted_again(filled: World) -> None:
    song = await opened(filled, await listed(filled, "history"), "lantern number 6")
    filled.env.inject_error("POST", "/webhooks/*/*", status=403, code=50013)
    await filled.mira.click(response(song), label="Post here")
    assert buttons(song)["Post here"] is True
    assert len(filled.public()) == 9


@pytest.mark.parametrize("label", ["Post here", "Share as picture"])
async def test_its_author_takes_a_post_down_and_nobody_else(filled: World, label: str) -> None:
    song = await opened(filled, await listed(filled, "history"), "lantern number 6")
    clicked = await filled.mira.click(response(song), label=label)
    if label == "Share as picture":
        clicked = await filled.mira.click(response(clicked), label="Post it here")
    post = posted(clicked)
    before = len(filled.public())
    assert post.content == f"-# Posted by {filled.mira.mention}"
    refused = await filled.ada.click(post, label="Take down")
    assert private_sentence(refused).startswith("This is another member's: only they can take it down")
    assert len(filled.public()) == before
    await filled.store.forget(filled.mira.id)
    await filled.restart()
    await filled.mira.click(post, label="Take down")
    assert len(filled.public()) == before - 1


@pytest.mark.parametrize("allowed", [False, True])
async def test_who_may_not_speak_in_a_channel_posts_nothing_there(singing: World, *, allowed: bool) -> None:
    silent = discord.PermissionOverwrite(send_messages=allowed)
    channel = singing.mira.guild.create_text_channel("silent", overwrites={singing.mira: silent})
    song = await singing.mira.slash(channel, "lyrics", prompt="two lanterns", private=True)
    picture = await singing.mira.click(response(song), label="Share as picture")
    answers = [
        await singing.mira.click(response(message), label=label)
        for message, label in ((song, "Post here"), (picture, "Post it here"))
    ]
    if allowed:
        assert len(channel.history()) == 2
        return
    refusal = "You may not send messages in this channel, so your song was not posted."
    assert [private_sentence(answer) for answer in answers] == [refusal, refusal]
    assert channel.history() == []


@pytest.mark.parametrize("allowed", [False, True])
async def test_in_a_thread_its_own_permission_counts(singing: World, *, allowed: bool) -> None:
    in_threads = discord.PermissionOverwrite(send_messages_in_threads=allowed, send_messages=not allowed)
    channel = singing.mira.guild.create_text_channel("threads", overwrites={singing.mira: in_threads})
    await singing.ada.slash(channel, "lyrics", prompt="two lanterns")
    await channel.history()[0].create_thread(name="about it")
    (thread,) = channel.threads
    song = await singing.mira.slash(thread, "lyrics", prompt="two lanterns", private=True)
    await singing.mira.click(response(song), label="Post here")
    assert len(thread.history()) == allowed


async def test_a_song_that_was_written_privately_is_posted_too(singing: World) -> None:
    song = await singing.lyrics(private=True)
    assert list(buttons(song))[-2:] == ["Post here", "Delete…"]
    await singing.mira.click(response(song), label="▶")
    assert list(buttons(song))[-2:] == ["Post here", "Delete…"]
    await singing.mira.click(response(song), label="Post here")
    assert len(singing.public()) == 1


# Deleting


async def test_a_request_is_deleted_once_it_is_confirmed(filled: World) -> None:
    shown = await listed(filled, "history", search="wild")
    song = await opened(filled, shown, "a *wild* tide")
    await filled.mira.click(response(song), label="▶")
    first = lyric(song)
    await filled.mira.click(response(song), label="Delete…")
    assert embed(song).title == "Delete “a \\*wild\\* tide”?"
    assert str(embed(song).description).startswith("This deletes **3 songs**, for good.")
    assert list(buttons(song)) == ["Delete for good", "Keep"]
    await filled.mira.click(response(song), label="Keep")
    assert lyric(song) == first
    assert list(buttons(song))[-1] == "Delete…"
    assert len(filled.states()) == 9
    await filled.mira.click(response(song), label="Delete…")
    await filled.restart()
    await filled.mira.click(response(song), label="Delete for good")
    assert lyric(song) == "Deleted: a \\*wild\\* tide"
    assert response(song).components == []
    assert len(filled.states()) == 8
    assert filled.rows("SELECT count(*) FROM song") == [(24,)]
    refused = await opened(filled, shown, "a *wild* tide")
    assert private_sentence(refused) == "These songs are no longer kept."


async def test_the_question_says_how_many_songs_go_and_that_favourites_do(singing: World) -> None:
    await singing.lyrics(songs=1)
    song = await singing.lyrics("both of them", songs=2)
    await singing.mira.click(response(song), label="Favourite")
    shown = await listed(singing, "history")
    for name, words in (
        ("both of them", "This deletes **2 songs**, your favourites among them, for good."),
        ("two lanterns", "This deletes **1 song**, for good."),
    ):
        song = await opened(singing, shown, name)
        await singing.mira.click(response(song), label="Delete…")
        assert str(embed(song).description).startswith(words)


async def test_an_excerpt_is_of_whole_words_where_there_are_some(singing: World) -> None:
    await singing.lyrics("word " * 40, songs=1)
    await singing.lyrics("x" * 200, songs=1)
    singing.rows("UPDATE request SET title = 'Long'")
    shown = await listed(singing, "history")
    long, words = values(shown)
    assert long.partition("\n")[0] == "x" * 89 + "…"
    assert words.partition("\n")[0] == ("word " * 17).strip() + "…"


async def test_an_excerpt_has_no_section_tag_but_what_was_searched_for_or_is_all_there_is(singing: World) -> None:
    for _ in range(2):
        await singing.lyrics(songs=1)
    singing.rows("UPDATE song SET lyric = '[Bridge]' WHERE request_id = 1")
    tagged = "[Verse 1]\ntwo lanterns\nover\n\n[Chorus]\nwe sing"
    singing.rows("UPDATE song SET lyric = ? WHERE request_id = 2", tagged)
    assert values(await listed(singing, "history")) == ["over / we sing\n1 song", "[Bridge]\n1 song"]
    searched = await listed(singing, "history", search="verse")
    assert values(searched) == ["[**Verse** 1] / two lanterns / over / we sing\n1 song"]


async def test_a_public_message_of_deleted_songs_says_so(singing: World) -> None:
    public = await singing.lyrics()
    song = await opened(singing, await listed(singing, "history"), "two lanterns")
    await singing.mira.click(response(song), label="Delete…")
    await singing.mira.click(response(song), label="Delete for good")
    refused = await singing.mira.click(response(public), label="▶")
    assert private_sentence(refused) == "These songs are no longer kept: ask for new ones with `/lyrics`."


# Favourites


async def test_without_favourites_a_member_is_told_how_to_get_one(world: World) -> None:
    shown = await listed(world, "favourites")
    assert shown.ephemeral
    assert embed(shown).description == "None yet: press *Favourite* under a song of yours."
    assert response(shown).components == []


async def test_a_favourite_is_the_song_that_is_shown(singing: World) -> None:
    song = await singing.lyrics()
    await singing.mira.click(response(song), label="▶")
    await singing.mira.click(response(song), label="Favourite")
    assert footer(song).startswith("2/3")
    assert "Unfavourite" in buttons(song)
    await singing.mira.click(response(song), label="▶")
    assert "Favourite" in buttons(song)
    shown = await listed(singing, "favourites")
    assert shown.ephemeral
    assert embed(shown).title == "Your favourites"
    assert values(shown) == ["song 1\nSong 2 of 3"]
    favourite = await opened(singing, shown, "two lanterns")
    assert favourite.ephemeral
    assert footer(favourite).startswith("2/3")
    post = posted(await singing.mira.click(response(favourite), label="Post here"))
    assert lyric(post) == "**two lanterns**\nsong 1"
    await singing.mira.click(response(favourite), label="Unfavourite")
    assert "Favourite" in buttons(favourite)
    assert embed(await listed(singing, "favourites")).fields == []
    assert len(singing.states()) == 1


async def test_both_songs_of_a_request_can_be_favourites_and_the_latest_is_first(singing: World) -> None:
    song = await singing.lyrics()
    for label in ("▶", "Favourite", "◀", "Favourite"):
        await singing.mira.click(response(song), label=label)
        await singing.env.advance_time(1)
    shown = await listed(singing, "favourites")
    assert values(shown) == ["song 0\nSong 1 of 3", "song 1\nSong 2 of 3"]


async def test_favourites_are_paged_and_searched(filled: World) -> None:
    for message in filled.public():
        member = filled.ada if "of ada" in str(message.embeds[0].description) else filled.mira
        await member.click(message, label="Favourite")
    shown = await listed(filled, "favourites", search="lantern")
    assert embed(shown).title == "Your favourites with “lantern”"
    assert len(names(shown)) == 5
    await filled.restart()
    await filled.mira.click(response(shown), label="▶")
    assert names(shown) == ["lantern number 1", "lantern number 0"]
    assert names(await listed(filled, "favourites", filled.ada)) == ["lantern of ada"]


async def test_a_stranger_cannot_make_or_unmake_a_favourite(singing: World) -> None:
    song = await singing.lyrics()
    offered = await singing.ada.click(response(song), label="Favourite")
    assert response(offered).content.startswith("This song is another member's.")
    await singing.mira.click(response(song), label="Favourite")
    await singing.ada.click(response(song), label="Unfavourite")
    assert singing.rows("SELECT request_id, number FROM favourite") == [(1, 0)]
    await singing.ada.click(response(offered), label="Get a copy of my own")
    assert "Favourite" in buttons(offered)
    await singing.ada.click(response(offered), label="Favourite")
    assert [len(names(await listed(singing, "favourites", who))) for who in (singing.mira, singing.ada)] == [1, 1]


async def test_a_favourite_outlives_a_restart(singing: World) -> None:
    song = await singing.lyrics()
    await singing.mira.click(response(song), label="Favourite")
    await singing.restart()
    favourite = await opened(singing, await listed(singing, "favourites"), "two lanterns")
    assert "Unfavourite" in buttons(favourite)
    await singing.mira.click(response(song), label="Unfavourite")
    assert singing.rows("SELECT count(*) FROM favourite") == [(0,)]


async def test_two_members_search_their_own_songs_alone(filled: World) -> None:
    mine, theirs = [await listed(filled, "history", who, search="lantern") for who in (filled.mira, filled.ada)]
    assert names(theirs) == ["lantern of ada"]
    assert "lantern of ada" not in names(mine)
    with pytest.raises(simcord.SetupError, match="not visible"):
        await filled.ada.click(response(mine), label="▶")
