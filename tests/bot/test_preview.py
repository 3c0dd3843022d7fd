"""The local preview: what is the same each time, and what its page takes for a failure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import simcord

from bot.client import LyricsBot
from bot.preview import PreviewError, serve_preview
from bot.simulation import in_real_time
from bot.store import Store
from tests.bot.world import World, private_sentence


async def test_who_comes_back_to_the_preview_is_the_same_member_in_the_same_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    times: list[datetime] = []

    def closed(
        env: simcord.Env, channel: simcord.ChannelHandle, *, viewers: Sequence[simcord.MemberActor], **_: Any
    ) -> None:
        seen.append([channel.id, *(each for member in viewers for each in (member.id, member.guild.id))])
        times.append(env.now())
        raise simcord.SetupError("closed")

    await world.env.shutdown()
    monkeypatch.setattr(simcord.Env, "preview", closed)
    for _ in range(2):
        async with LyricsBot(store=world.store, service=world.service) as bot:
            with pytest.raises(PreviewError, match="closed"):
                await serve_preview(bot, port=0)
    assert seen[0] == seen[1]
    assert all(abs(datetime.now(UTC) - time) < timedelta(minutes=1) for time in times)


async def test_the_preview_takes_a_refusal_for_an_answer_and_a_fault_for_a_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_real_time(world.env)
    assert private_sentence(await world.mira.slash(world.channel, "privacy forget")) == "Nothing is kept about you."
    assert world.errors() == []
    fault = RuntimeError("a bug")

    async def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(Store, "personal_counts", fail)
    assert "went wrong" in private_sentence(await world.mira.slash(world.channel, "privacy forget"))
    assert world.errors() == [fault]
