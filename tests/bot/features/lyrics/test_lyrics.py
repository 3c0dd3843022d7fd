"""``/lyrics``: what a member asks for, sees and turns through, and what is kept of it."""

import pytest
import simcord

from bot.features.lyrics.cog import MAX_HEADER_VALUE, MAX_PROMPT
from tests.bot.world import World, buttons, details, embed, footer, lyric, private_sentence, response
from tests.conftest import GatedEngine


async def test_the_song_opens_with_the_prompt_in_bold(world: World) -> None:
    song = await world.lyrics("two lanterns", seed=7)
    assert lyric(song).startswith("**two lanterns**")
    assert len(lyric(song)) > len("**two lanterns**")
    assert response(song).content == ""
    assert not song.ephemeral


async def test_discord_is_answered_before_the_song_is_written(world: World) -> None:
    before = len(world.env.http_requests)
    await world.lyrics()
    first, last = world.env.http_requests[before:]
    assert (first.path.rpartition("/")[2], first.json) == ("callback", {"type": 5})
    assert (last.method, last.path.rpartition("/")[2]) == ("PATCH", "@original")
    assert len(world.public()) == 1


async def test_the_footer_has_the_place_and_details_have_every_parameter(world: World) -> None:
    await world.store.set_sampling(world.mira.id, "temperature", 1.0)
    song = await world.lyrics(seed=7)
    assert footer(song) == "1/3"
    written = await details(world, song)
    assert written.pop("Written").startswith(
        "12 tokens: then it reached its length, or all that the model can take in\n<t:"
    )
    assert written == {
        "Opening words": "two lanterns",
        "Model": "tiny",
        "temperature": "1.0",
        "top_k": "50",
        "top_p": "0.95",
        "repetition_penalty": "1.2",
        "max_length": "12",
        "seed": "7",
    }


async def test_a_seed_that_nobody_chose_is_shown_and_writes_the_same_again(world: World) -> None:
    drawn = await world.lyrics()
    seed = (await details(world, drawn))["seed"]
    again = await world.lyrics(seed=int(seed))
    other = await world.lyrics()
    assert lyric(again) == lyric(drawn)
    assert (await details(world, again))["seed"] == seed
    assert (await details(world, other))["seed"] != seed


async def test_the_same_seed_gives_the_same_songs_to_everybody(world: World) -> None:
    await world.lyrics(seed=0)
    await world.lyrics(by=world.ada, seed=0)
    await world.lyrics(seed=2**32 - 1)
    mine, theirs, other = (
        world.rows("SELECT number, lyric FROM song WHERE request_id = ? ORDER BY number", number)
        for number in (1, 2, 3)
    )
    assert len(mine) == 3
    assert mine == theirs
    assert mine != other


async def test_a_finished_request_is_kept_whole(world: World) -> None:
    await world.lyrics("two lanterns", seed=7)
    request = await world.store.request(1)
    assert request is not None
    assert (request.state, request.error, request.prompt) == ("finished", None, "two lanterns")
    assert (request.user_id, request.channel_id) == (world.mira.id, world.channel.id)
    assert request.guild_id == world.mira.guild.id
    assert (request.sampling.seed, request.sampling.max_length) == (7, 12)
    assert request.checkpoint == world.service.checkpoint.name
    assert [song.num_tokens <= 12 for song in request.songs] == [True] * 3
    ((queued, generating, tokens),) = world.rows("SELECT queued_seconds, generating_seconds, num_tokens FROM request")
    assert queued >= 0
    assert generating > 0
    assert tokens == sum(song.num_tokens for song in request.songs)


async def test_a_request_is_kept_from_the_moment_it_waits(gated_world: World, gated_engine: GatedEngine) -> None:
    song = await gated_world.begin(gated_world.lyrics(), gated_engine.started.is_set)
    assert song.deferred
    assert gated_world.states() == ["queued"]
    gated_engine.gate.set()
    await gated_world.env.settle()
    assert gated_world.states() == ["finished"]
    assert lyric(song).startswith("**two lanterns**")


async def test_spaces_around_the_prompt_are_dropped(world: World) -> None:
    assert lyric(await world.lyrics("  two lanterns ")).startswith("**two lanterns**")


@pytest.mark.parametrize("prompt", [" ", "\t \n", "\u3000"])
async def test_a_prompt_of_nothing_but_spaces_is_sent_back(world: World, prompt: str) -> None:
    refused = await world.lyrics(prompt)
    assert private_sentence(refused) == "Please give the song some opening words."
    assert world.public() == []
    assert world.states() == []
    assert len(world.errors()) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": ""},
        {"prompt": "x" * (MAX_PROMPT + 1)},
        {"prompt": "x", "title": "x" * (MAX_HEADER_VALUE + 1)},
        {"prompt": "x", "seed": -1},
        {"prompt": "x", "seed": 2**32},
        {"title": "x"},
    ],
)
async def test_discord_lets_no_option_out_of_its_bounds_be_sent(world: World, options: dict[str, object]) -> None:
    with pytest.raises(simcord.OptionError):
        await world.mira.slash(world.channel, "lyrics", **options)


async def test_the_longest_prompt_fits_or_says_that_it_does_not(world: World) -> None:
    refused = await world.lyrics("x" * MAX_PROMPT)
    assert "please shorten it" in private_sentence(refused)
    assert world.states() == ["failed"]
    assert len(world.errors()) == 1


async def test_a_plain_checkpoint_leaves_the_header_out_and_says_so(world: World) -> None:
    song = await world.lyrics(title="Sandbag Line", mood="proud")
    assert response(song).content == "-# This model was not trained with title or mood, so that was left out."
    assert embed(song).title is None
    assert footer(song) == "1/3"
    assert world.rows("SELECT title, genre, mood, theme FROM request") == [(None,) * 4]


async def test_a_trained_checkpoint_keeps_the_header_fields_that_it_knows(trained_world: World) -> None:
    song = await trained_world.lyrics(title="Sandbag Line", genre="country", mood="proud", artist="Us")
    assert response(song).content == "-# This model was not trained with mood or artist, so that was left out."
    assert embed(song).title == "Sandbag Line"
    assert footer(song) == "1/3 · country"
    assert trained_world.rows("SELECT title, genre, mood, artist FROM request") == [
        ("Sandbag Line", "country", None, None)
    ]


async def test_the_tag_that_the_model_opens_with_stands_before_the_prompt(trained_world: World) -> None:
    assert lyric(await trained_world.lyrics("two lanterns")).startswith("**[Verse 1]**\n**two lanterns**")
    assert lyric(await trained_world.lyrics("[Chorus] two")).startswith("**[Chorus] two**")


async def test_a_prompt_whose_word_stands_in_the_tag_is_still_the_one_in_bold(trained_world: World) -> None:
    assert lyric(await trained_world.lyrics("Verse")).startswith("**[Verse 1]**\n**Verse**")


async def test_a_header_that_is_known_needs_no_remark(trained_world: World) -> None:
    assert response(await trained_world.lyrics(genre="country")).content == ""


async def test_the_header_changes_the_song(trained_world: World) -> None:
    plain = await trained_world.lyrics(seed=7)
    country = await trained_world.lyrics(seed=7, genre="country")
    assert lyric(plain) != lyric(country)


async def test_a_single_song_has_no_buttons_to_turn(world: World) -> None:
    await world.store.set_sampling(world.mira.id, "num_return_sequences", 1)
    song = await world.lyrics()
    assert footer(song) == ""
    assert list(buttons(song)) == [
        *("Again", "Continue", "Variations"),
        *("Share as picture", "Export", "Favourite"),
        *("Details", "Take down"),
    ]


async def test_the_member_who_asked_turns_the_pages_in_place(world: World) -> None:
    song = await world.lyrics()
    assert list(buttons(song).items())[:3] == [("◀", False), ("1/3", False), ("▶", True)]
    seen = [lyric(song)]
    for place, usable in (("2/3", True), ("3/3", False)):
        turned = await world.mira.click(response(song), label="▶")
        assert turned.acknowledged
        assert footer(song).startswith(place)
        assert list(buttons(song).items())[:3] == [("◀", True), (place, False), ("▶", usable)]
        seen.append(lyric(song))
    await world.mira.click(response(song), label="◀")
    assert footer(song).startswith("2/3")
    assert lyric(song) == seen[1]
    assert len(set(seen)) == 3
    assert len(world.public()) == 1


async def test_the_remark_on_the_header_stays_while_pages_turn(world: World) -> None:
    song = await world.lyrics(title="Sandbag Line")
    remark = response(song).content
    await world.mira.click(response(song), label="▶")
    assert remark
    assert response(song).content == remark
