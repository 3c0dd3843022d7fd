"""A database that cannot be used, as whoever starts ``python -m bot`` meets it: one sentence, and nothing after it."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.store import Store
from tests.bot.discord_server import DiscordServer
from tests.bot.test_main import ROOT, start


def last_line(process: "subprocess.Popen[str]") -> str:
    """Wait for the end, which has exit code 2, and return what was said last."""
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in error
    return error.splitlines()[-1]


async def test_a_newer_database_is_the_last_sentence(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "lyrics.preview.db"):
        pass
    with closing(sqlite3.connect(tmp_path / "lyrics.preview.db")) as connection, connection:
        connection.execute("INSERT INTO migration VALUES (999, '0999_later.sql', '2030-01-01')")
    assert "newer version of the bot, with a migration 999" in last_line(start(tmp_path))


def test_a_damaged_database_is_the_last_sentence(tmp_path: Path) -> None:
    (tmp_path / "lyrics.preview.db").write_bytes(os.urandom(9000))
    assert "is no SQLite database, or a damaged one: put a backup back (python -m bot restore FILE)" in last_line(
        start(tmp_path)
    )


@pytest.fixture
def forbidden_folder() -> Iterator[Path]:
    """A folder in which the user ``nobody`` may look, and no more."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize("exists", [False, True])
def test_a_database_that_may_not_be_written_is_the_last_sentence(forbidden_folder: Path, *, exists: bool) -> None:
    if exists:
        with closing(sqlite3.connect(forbidden_folder / "lyrics.preview.db")) as connection:
            connection.execute("CREATE TABLE song (words TEXT)")
    code = "import os, sys; from bot.__main__ import main; os.setuid(65534); sys.exit(main([]))"
    process = subprocess.Popen(  # noqa: S603 - the code stands above
        [sys.executable, "-c", code],
        cwd=forbidden_folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PREVIEW_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "cannot be written: let this user write the file and its folder, or set DATABASE" in last_line(process)


async def test_a_second_bot_is_refused_until_the_first_has_crashed(tmp_path: Path) -> None:
    server = DiscordServer()
    async with server.serving():
        first = await server.start_bot(tmp_path)
        await server.connected.wait()
        second = await server.start_bot(tmp_path)
        _, error = await second.communicate()
        assert second.returncode == 2
        assert "The database lyrics.db is in use by another bot: end that one" in error.decode().splitlines()[-1]
        server.connected.clear()
        first.kill()
        await first.communicate()
        third = await server.start_bot(tmp_path)
        await server.connected.wait()
        third.send_signal(signal.SIGINT)
        await third.communicate()
    assert third.returncode == 0


def care(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run one of the commands for the database, and return its exit code and what it said last."""
    result = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bot", *arguments],
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in result.stderr
    return result.returncode, (result.stdout + result.stderr).splitlines()[-1]


async def test_a_host_backs_up_checks_and_restores(tmp_path: Path) -> None:
    database, copy = tmp_path / "lyrics.preview.db", tmp_path / "copy.db"
    assert care(tmp_path, "check") == (2, "There is no database lyrics.preview.db: look where DATABASE points.")
    async with Store.open(database) as store:
        await store.set_sampling(1, "top_k", 3)
        said = "copy.db has all that is in lyrics.preview.db. To put it back: python -m bot restore copy.db"
        assert care(tmp_path, "backup", "copy.db") == (0, said)
    assert care(tmp_path, "check") == (0, "lyrics.preview.db is whole.")
    spoil(database)
    assert care(tmp_path, "check")[0] in {1, 2}
    code, said = care(tmp_path, "restore", str(copy))
    assert code == 0
    assert f"lyrics.preview.db has all that is in {copy}; what was there is now lyrics.preview.db.replaced-" in said
    async with Store.open(database) as store:
        assert (await store.sampling(1)).top_k == 3


def spoil(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[100:4096] = b"\xff" * 3996
    database.write_bytes(content)
