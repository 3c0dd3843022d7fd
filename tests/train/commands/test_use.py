from pathlib import Path

import pytest

from model import CURRENT, Checkpoint
from train.__main__ import main


def use(monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    monkeypatch.setattr("sys.argv", ["train", "use", str(folder)])
    return main()


def test_a_checkpoint_is_served_from_the_next_start(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert use(monkeypatch, tiny_checkpoint) == 0
    assert Checkpoint.open(CURRENT).path == tiny_checkpoint
    assert f"serves {tiny_checkpoint} from its next start" in capsys.readouterr().out


def test_what_is_no_checkpoint_is_refused_and_the_one_before_stays(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    use(monkeypatch, tiny_checkpoint)
    assert use(monkeypatch, tmp_path) == 2
    assert "has no config.json" in capsys.readouterr().err
    assert use(monkeypatch, tmp_path / "gone") == 2
    assert "There is no checkpoint folder at" in capsys.readouterr().err
    assert Checkpoint.open(CURRENT).path == tiny_checkpoint
