from pathlib import Path

import pytest

from tests.train.commands.test_fit import run_main
from tests.train.words.test_duplicates import make_lyric, vary


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    folder.mkdir()
    lyrics = [make_lyric(seed, 36) for seed in range(6)]
    parts = [f"title: Song [{n}]\n\n{lyric}" for n, lyric in enumerate(lyrics)]
    parts += [lyrics[0].upper(), f"{vary(lyrics[1], 0.03, 1)}\nagain", f"short\n{'far too long ' * 60}"]
    (folder / "a.txt").write_text("\n---\n".join(parts), encoding="utf-8")
    (folder / "b.csv").write_text("id,lyrics\n1,from a table\n2,no, quotes\n", encoding="utf-8")
    return folder


def test_check_shows_all_there_is_to_know(
    songs: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "check", songs, "--base", tiny_checkpoint) == 0
    said = capsys.readouterr().out
    flat = " ".join(said.split())
    assert "Samples 9 " in flat
    assert "song (auto)" in flat
    assert f"by {tiny_checkpoint.as_posix()}"[:20] in flat
    assert "that are longer than its context of 128 tokens" in flat
    assert "UTF-8, songs apart by a line of dashes (---)" in flat
    assert "Song [5]" in flat
    assert "1 the same as one before" in flat
    assert "1 nearly the same as another" in flat
    assert "b.csv:3: 3 cells under 2 columns: put the lyrics in quotes" in flat
    assert "a line that does not fit in 128 tokens: 'far too long" in flat
    assert "<|startoftext|>title: Song [4]\n\n" in said
    assert said.rstrip().endswith("<|endoftext|>")
    assert "\x1b" not in said


def test_check_without_a_tokenizer_says_so_and_counts_the_rest(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "check", songs, "--base", tmp_path / "none") == 0
    flat = " ".join(capsys.readouterr().out.split())
    assert "Tokens unknown: no tokenizer of" in flat
    assert "There is no checkpoint folder" in flat
    assert "Characters" in flat


def test_check_and_fit_refuse_the_same_data_with_code_2(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.txt").touch()
    arguments = (songs, tmp_path / "empty.txt", tmp_path / "missing.txt")
    assert run_main(monkeypatch, "check", *arguments) == 2
    checked = capsys.readouterr().err
    assert run_main(monkeypatch, "fit", *arguments, "--output", tmp_path / "out") == 2
    assert capsys.readouterr().err == checked
    assert "empty.txt: is empty" in checked
    assert "missing.txt: there is no such file" in checked
    assert "b.csv:3: 3 cells" in checked
    assert not (tmp_path / "out").exists()
