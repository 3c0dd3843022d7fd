"""Many members at the same time. How fast that is on a real connection, ``benchmarks.acknowledge`` measures."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.features.lyrics.writing import live
from bot.features.lyrics.writing.writer import _news
from model import LyricsService, Progress, Queued, Update
from tests.bot.world import World, checked, wait_until
from tests.conftest import GatedEngine

MEMBERS = 300


@pytest.fixture
async def world(tmp_path: Path, gated_engine: GatedEngine) -> AsyncIterator[World]:
    """The bot over an engine whose pace the test sets, with room for everybody."""
    async with checked(tmp_path, LyricsService(lambda: gated_engine, max_queue=MEMBERS)) as opened:
        yield opened
        gated_engine.gate.set()


async def test_300_members_are_all_acknowledged_before_a_word_is_written(
    world: World, gated_engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FIRST", 3600.0)  # What is shown meanwhile is tested elsewhere.
    members = [world.mira.guild.add_member(world.env.create_user(f"member{number}")) for number in range(MEMBERS)]

    async def go_on(**_: object) -> None:
        await asyncio.sleep(0)

    with monkeypatch.context() as patched:
        patched.setattr(world.env, "_settle_internal", go_on)  # or each would be waited for to its end
        results = [await member.slash(world.channel, "lyrics", prompt=f"song of {member.name}") for member in members]
        await wait_until(lambda: all(result.acknowledged for result in results))
        await wait_until(lambda: len(world.states()) == MEMBERS)
    assert all(result.deferred for result in results)
    assert len(gated_engine.prompts) <= 1
    assert world.states() == ["queued"] * MEMBERS
    gated_engine.gate.set()
    await world.env.settle(timeout=120)
    assert world.states() == ["finished"] * MEMBERS
    shown = [message.embeds[0].description for message in world.public()]
    # Their rights are read side by side, so that who asked at the same moment may be answered in another order.
    assert sorted(map(str, shown)) == sorted(f"**song of member{number}**\nsong 0" for number in range(MEMBERS))


async def test_whoever_is_far_back_in_the_queue_is_told_of_each_tenth_place() -> None:
    async def updates() -> AsyncIterator[Update]:
        for position in range(27, 0, -1):
            yield Queued(position)
        yield Progress(("two lanterns",))

    shown = [update async for update in _news(updates())]
    places = [update.position for update in shown if isinstance(update, Queued)]
    assert places == [27, 20, *range(10, 0, -1)]
    assert shown[-1] == Progress(("two lanterns",))
