"""Ctrl-C, in a process of its own: it says what it waits for, and the next one waits for nothing."""

import signal
import time
from pathlib import Path

from tests.bot.discord_server import DiscordServer

FINISHING = "Finishing 3 songs, {grace} s at most; once more (Ctrl-C) to end now."


async def test_ctrl_c_says_what_it_waits_for_and_waits_no_longer_than_that(tmp_path: Path) -> None:
    server = DiscordServer()
    async with server.serving():
        bot = await server.start_bot(tmp_path, BUSY=1, SHUTDOWN_GRACE=0.5)
        await server.connected.wait()
        begun = time.monotonic()
        bot.send_signal(signal.SIGINT)
        _, said = await bot.communicate()
    assert bot.returncode == 0
    assert said.decode().splitlines()[-1] == FINISHING.format(grace="0.5")
    assert 0.5 <= time.monotonic() - begun < 5


async def test_a_second_ctrl_c_ends_the_bot_now(tmp_path: Path) -> None:
    server = DiscordServer()
    async with server.serving():
        bot = await server.start_bot(tmp_path, BUSY=1, SHUTDOWN_GRACE=60)
        assert bot.stderr is not None
        await server.connected.wait()
        bot.send_signal(signal.SIGINT)
        while FINISHING.format(grace="60") not in (await bot.stderr.readline()).decode():
            pass
        begun = time.monotonic()
        bot.send_signal(signal.SIGINT)
        await bot.communicate()
    assert bot.returncode == -signal.SIGINT
    assert time.monotonic() - begun < 2


async def test_with_nothing_to_finish_ctrl_c_just_ends(tmp_path: Path) -> None:
    server = DiscordServer()
    async with server.serving():
        bot = await server.start_bot(tmp_path)
        await server.connected.wait()
        bot.send_signal(signal.SIGINT)
        _, said = await bot.communicate()
    assert bot.returncode == 0
    assert "Finishing" not in said.decode()
