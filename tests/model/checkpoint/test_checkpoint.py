import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub.utils._paths import filter_repo_objects

from model import Checkpoint, CheckpointError, locate
from model.checkpoint.folder import METADATA_FILE, STARTER, point_current
from model.checkpoint.pretrained import load_pretrained
from tests.conftest import make_metadata


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


def test_a_plain_checkpoint_opens_without_metadata(checkpoint: Path) -> None:
    opened = Checkpoint.open(checkpoint)
    assert opened.name == "copy"
    assert opened.metadata is None
    assert opened.header_fields == ()


def test_metadata_is_read_back(checkpoint: Path) -> None:
    metadata = make_metadata(opening_tag="[Intro]")
    (checkpoint / METADATA_FILE).write_text(metadata.model_dump_json())
    opened = Checkpoint.open(checkpoint)
    assert opened.metadata == metadata
    assert opened.opening_tag == "[Intro]"
    assert opened.header_fields == ("title", "mood")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        Checkpoint.open(checkpoint)


@pytest.mark.parametrize("length", [0, 4, 100, 20_000])
def test_a_truncated_weights_file_is_named(checkpoint: Path, length: int) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*copy the file again"):
        Checkpoint.open(checkpoint)


def test_a_missing_shard_is_named(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(CheckpointError, match="model-1"):
        Checkpoint.open(checkpoint)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}'])
def test_a_damaged_index_is_named(checkpoint: Path, text: str) -> None:
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"index\.json is damaged"):
        Checkpoint.open(checkpoint)


def test_pickled_weights_are_not_taken(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled weights are never loaded"):
        Checkpoint.open(checkpoint)


@pytest.mark.parametrize("text", ["not json", '{"format_version": 2}'])
def test_metadata_of_another_kind_is_refused(checkpoint: Path, text: str) -> None:
    (checkpoint / METADATA_FILE).write_text(text)
    with pytest.raises(CheckpointError, match=r"lyrics\.json is damaged or of a newer version"):
        Checkpoint.open(checkpoint)


@pytest.mark.parametrize("text", ["{", '{"model_type": "no-such-model"}'])
def test_a_config_that_transformers_does_not_know_is_one_sentence(checkpoint: Path, text: str) -> None:
    (checkpoint / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="does not load"):
        load_pretrained(Checkpoint.open(checkpoint))


def test_weights_of_another_size_are_refused(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"n_embd": 64}))
    with pytest.raises(CheckpointError, match="does not load"):
        load_pretrained(Checkpoint.open(checkpoint))


def test_weights_that_lack_a_layer_are_refused(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"n_layer": 3}))
    with pytest.raises(CheckpointError, match=r"lack transformer\.h\.2"):
        load_pretrained(Checkpoint.open(checkpoint))


def test_a_name_that_is_neither_folder_nor_hub_id_is_refused() -> None:
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        Checkpoint.open("./nowhere/at all")


@pytest.mark.parametrize("name", ["someone/songs", "someone/-songs--"])
def test_a_hub_id_that_cannot_be_reached_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=rf"{name}.*check the name and the network"):
        Checkpoint.open(name)


def test_a_hub_id_is_served_from_the_hubs_cache(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--someone--songs"
    shutil.copytree(tiny_checkpoint, repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    opened = Checkpoint.open("someone/songs")
    assert opened.name == "someone/songs"
    assert load_pretrained(opened)[0].config.n_layer == 2


def test_of_a_hub_repository_only_what_is_read_is_fetched(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"config.json", "tokenizer.json", "model.safetensors", "model-00001-of-00002.safetensors", "merges.txt"}
    other = {"onnx/config.json", "checkpoint-500/model.safetensors", "model.fp16.safetensors", "pytorch_model.bin"}

    def fetch(_: str, *, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        every = wanted | other
        fetched = filter_repo_objects(every, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)
        assert set(fetched) == wanted
        return str(tiny_checkpoint)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert Checkpoint.open("someone/songs").path == tiny_checkpoint


def test_a_hub_repository_without_safetensors_is_to_be_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: tmp_path)
    with pytest.raises(CheckpointError, match="train convert someone/songs --output checkpoints/songs"):
        Checkpoint.open("someone/songs")


def test_what_is_served_is_model_then_current_then_the_starter(tiny_checkpoint: Path, tmp_path: Path) -> None:
    current = tmp_path / "checkpoints" / "current"
    assert locate(None, current) == STARTER
    point_current(tiny_checkpoint, current)
    assert locate(None, current) == current
    assert locate("someone/songs", current) == "someone/songs"


def test_current_moves_from_one_checkpoint_to_the_next(tiny_checkpoint: Path, checkpoint: Path, tmp_path: Path) -> None:
    current = tmp_path / "checkpoints" / "current"
    for path in (tiny_checkpoint, checkpoint):
        point_current(path, current)
        assert Checkpoint.open(current).path == path
    assert [entry.name for entry in current.parent.iterdir()] == ["current"]


def test_current_that_is_a_folder_of_its_own_is_not_overwritten(checkpoint: Path, tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.mkdir()
    with pytest.raises(CheckpointError, match="is not a link"):
        point_current(checkpoint, current)


def test_a_current_that_points_nowhere_is_an_error_and_not_the_starter(tmp_path: Path) -> None:
    current = tmp_path / "current"
    point_current(tmp_path / "gone", current)
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        Checkpoint.open(locate(None, current))
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        Checkpoint.open(str(current))
