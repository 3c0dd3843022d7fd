"""``python -m bot`` as a host runs it: a process of its own."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(cwd: Path, **environment: object) -> "subprocess.Popen[str]":
    """Start the bot in an empty folder, with no setting but those given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    given = {name: str(value) for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "bot"],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT), "PREVIEW_PORT": "0"} | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address(process: "subprocess.Popen[str]") -> str:
    """Wait until the preview prints its address."""
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            return line.strip().rpartition(" ")[2]
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"MODEL": "nowhere/at/all"}, "There is no checkpoint folder at 'nowhere/at/all'"),
        ({"MODEL": "someone/songs", "HF_HUB_OFFLINE": 1}, "'someone/songs' is no folder here, and the model hub"),
        ({"MODEL": "."}, "has no config.json"),
        ({"DATABASE": "/dev/null/lyrics.db"}, "is to lie in what is no folder"),
        ({"DATABASE": "/dev"}, "The database /dev is a folder: set DATABASE to a file in it, say /dev/lyrics.db."),
        ({"MAX_BATHC": 4}, "MAX_BATHC, in the environment, is no setting: did you mean MAX_BATCH?"),
        ({"MAX_QUEUE": 0, "LOG_LEVEL": "loud"}, "max_queue: "),
        ({"MAX_QUEUE": 0, "LOG_LEVEL": "loud"}, "log_level: "),
        ({"DEFAULT_MAX_LENGTH": 300, "CEILING_MAX_LENGTH": 200}, "ceiling_max_length: DEFAULT_MAX_LENGTH is 300"),
    ],
)
def test_a_bad_setting_is_one_clear_sentence_and_exit_code_2(
    settings: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    process = start(tmp_path, **settings)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 2
    assert sentence in error
    assert "Traceback" not in error


def test_a_truncated_weights_file_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    for file in tiny_checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes()[: 5000 if file.suffix == ".safetensors" else None])
    process = start(tmp_path, MODEL=folder)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "model.safetensors are missing or cut short" in error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_no_token_the_preview_starts_says_so_and_ends_when_asked(
    number: signal.Signals, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, MODEL=tiny_checkpoint)
    try:
        assert address(process).startswith("http://127.0.0.1:")
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in error
    with sqlite3.connect(tmp_path / "lyrics.preview.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_port_that_is_taken_is_one_clear_sentence_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start(tmp_path, PREVIEW_PORT=port)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.startswith(f"The preview cannot have port {port} (Address already in use), which another preview may")
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("start", 2)])
def test_an_argument_is_answered_without_loading_anything(argument: str, code: int, tmp_path: Path) -> None:
    source = f"import sys; from bot.__main__ import main; main([{argument!r}])"
    counting = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); {source}"
    result = subprocess.run(  # noqa: S603 - the code stands above
        [sys.executable, "-c", counting],
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == code
    assert "usage: python -m bot" in result.stdout + result.stderr
    assert result.stdout.endswith("False\n")
