"""What Discord may say to a bot that starts, in a process of its own: a sentence each, or what it runs with."""

import asyncio
import copy
import signal
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import discord
import pytest

from bot.startup.joining import JoiningError, join_discord
from tests.bot.discord_server import DiscordServer

OTHERS = [{"id": "3", "type": 1, "name": "play", "description": "Of another program", "integration_types": [0]}]
ENTRY_POINT = {"type": 4, "name": "launch", "handler": 2, "integration_types": [0], "id": "5", "version": "1"}


async def outcome(server: DiscordServer, folder: Path, **environment: object) -> tuple[int, str]:
    """Start the bot, end it once it is connected, and return its exit code and what it said."""
    async with server.serving():
        bot = await server.start_bot(folder, **environment)
        ended = asyncio.create_task(bot.communicate())
        connected = asyncio.create_task(server.connected.wait())
        await asyncio.wait({ended, connected}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        if not server.close_code and not ended.done():
            bot.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(ended, 60)
    assert bot.returncode is not None
    return bot.returncode, said.decode()


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        (DiscordServer(knows_token=False), "Discord refused DISCORD_TOKEN: copy the bot's token"),
        (DiscordServer(close_code=4011), "(code 4011, shards), and this version has one: leave some servers"),
        (DiscordServer(close_code=4014), "(code 4014, intents): look under Bot in the developer portal"),
    ],
    ids=lambda value: str(value.close_code) if isinstance(value, DiscordServer) else "",
)
async def test_a_refusal_for_good_is_the_last_sentence_and_exit_code_2(
    server: DiscordServer, sentence: str, tmp_path: Path
) -> None:
    code, said = await outcome(server, tmp_path)
    assert code == 2, said
    assert sentence in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4004, "Discord refused DISCORD_TOKEN: copy the bot's token"),
        (4010, r"\(code 4010, shards\)"),
        (4012, r"\(code 4012, API version\): update the bot"),
        (4013, r"\(code 4013, intents\): look under Bot"),
        (4099, r"closed the connection for good \(code 4099\): start the bot again"),
    ],
)
async def test_every_last_word_of_the_gateway_has_its_sentence(code: int, sentence: str) -> None:
    bot = AsyncMock()
    bot.connect.side_effect = discord.ConnectionClosed(Mock(), shard_id=None, code=code)
    with pytest.raises(JoiningError, match=sentence):
        await join_discord(bot, "a.b.c")


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {"message": "Max number of daily application command creates has been reached (200)", "code": 30034}),
        (400, {"message": "Invalid Form Body", "code": 50035, "errors": {}}),
    ],
    ids=["30034", "50035"],
)
async def test_a_bot_whose_commands_are_refused_runs_with_those_that_discord_has(
    refusal: tuple[int, dict[str, Any]], tmp_path: Path
) -> None:
    server = DiscordServer(refusal=refusal, commands=copy.deepcopy(OTHERS))
    code, said = await outcome(server, tmp_path)
    assert (code, server.connected.is_set(), len(server.updates)) == (0, True, 1), said
    assert f"Discord refused the bot's commands ({refusal[0]} Bad Request (error code: {refusal[1]['code']})" in said
    assert "Traceback" not in said


async def test_commands_are_synced_where_discord_has_others_and_only_then(tmp_path: Path) -> None:
    commands: list[dict[str, Any]] = []
    for overwrites, updates in ((None, 1), (None, 0), ([*OTHERS, ENTRY_POINT], 1), (None, 0)):
        server = DiscordServer(commands=commands if overwrites is None else overwrites)
        assert (await outcome(server, tmp_path))[0] == 0
        assert len(server.updates) == updates
        commands = server.commands
    assert {"lyrics", "settings", "history", "launch"} < {command["name"] for command in commands}
    assert "play" not in {command["name"] for command in commands}
