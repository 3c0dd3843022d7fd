from pathlib import Path

import pytest

from tests.conftest import make_metadata, save_tiny_checkpoint
from train.__main__ import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_tiny_checkpoint(tmp_path_factory.mktemp("sample") / "tiny")
    (folder / "lyrics.json").write_text(make_metadata().model_dump_json(), encoding="utf-8")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["python -m train", "sample", *map(str, arguments)])
    return main()


def test_a_song_is_written_for_each_seed_and_again_for_the_same(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--prompt", "two lanterns", "--title", "Sea", "--genre", "folk", "--num-return-sequences", 1)
    assert run(monkeypatch, checkpoint, *options, "--max-length", 8, "--seed", 4, "--seeds", 2) == 0
    both = capsys.readouterr().out
    assert [line for line in both.splitlines() if line.startswith("#")] == ["# seed 4", "# seed 5"]
    assert both.count("title: Sea\n") == 2
    assert "genre" not in both  # which the checkpoint does not know
    assert both.count("two lanterns") == 2
    assert run(monkeypatch, checkpoint, *options, "--max-length", 8, "--seed", 5) == 0
    assert both.endswith(capsys.readouterr().out)


def test_what_a_song_would_have_the_terminal_do_is_not_done(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, checkpoint, "--prompt", "two \x1b[2Jlanterns", "--max-length", 1, "--seed", 1) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_values_out_of_bounds_are_refused_together(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, checkpoint, "--temperature", 9, "--seeds", 0) == 2
    error = capsys.readouterr().err
    assert "temperature" in error
    assert "seeds" in error
