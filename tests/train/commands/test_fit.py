import json
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, OPTConfig, OPTForCausalLM

from model import CURRENT, Checkpoint, CheckpointError, Finished, Header, LyricsService
from model.checkpoint.weights import CPU
from model.engines.precision import rise_key
from model.errors import LyricsError
from model.network.cpu_linear import fastest_precision
from model.song import BOS_TOKEN, EOS_TOKEN
from tests.conftest import VERSES, make_request, save_tiny_checkpoint
from tests.train.conftest import write_shuffled_songs
from train.__main__ import main
from train.commands import fit as command
from train.commands.fit import fit
from train.commands.use import use
from train.config import FitConfig, UseConfig, partial_folder
from train.learning.loop import PrecisionError
from train.learning.progress import ProgressEvent, reporting

TINY = {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, "vocab_size": 300, "epochs": 2, "batch_size": 4}


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shuffled_songs(tmp_path_factory.mktemp("data") / "songs.txt", count=24)


@pytest.fixture(scope="module")
def trained(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``fit --from-scratch`` wrote, with ``current`` beside it."""
    output = tmp_path_factory.mktemp("checkpoints") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.measuring.report.find_faults", lambda *_: ())  # So small a model writes no text.
        fit(
            FitConfig.model_validate(TINY | {"data": songs, "output": output, "from_scratch": True}),
            output.parent / "current",
        )
    return output


def test_the_checkpoint_is_whole_and_nothing_else_is_left(trained: Path) -> None:
    assert sorted(entry.name for entry in trained.parent.iterdir()) == ["current", "tiny"]
    assert Checkpoint.open(trained.parent / "current").path == trained
    names = {entry.name for entry in trained.iterdir()}
    assert {"config.json", "generation_config.json", "lyrics.json", "model.safetensors", "tokenizer.json"} <= names
    assert {"report.md", "loss.png"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]


def test_transformers_loads_it_as_it_is(trained: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(trained)
    model = AutoModelForCausalLM.from_pretrained(trained)
    assert (tokenizer.bos_token, tokenizer.eos_token) == (BOS_TOKEN, EOS_TOKEN)
    assert model.config.vocab_size == len(tokenizer) == 300
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.repetition_penalty == 1.2


def test_the_metadata_says_how_it_was_made(trained: Path) -> None:
    metadata = Checkpoint.open(trained).metadata
    assert metadata is not None
    assert metadata.base == "scratch"
    assert metadata.header_fields == ("title", "mood")
    assert list(metadata.header_values) == ["mood"]
    assert metadata.training["epochs"] == 2
    assert metadata.training["songs"] == 23
    assert not metadata.training.keys() & {"resume", "progress", "log_steps"}
    assert 0 < metadata.evaluation["eval_loss"] < 10
    assert metadata.evaluation["word_perplexity"] > metadata.evaluation["perplexity"] > 1
    assert fastest_precision(CPU) != "int8" or abs(metadata.evaluation[rise_key()]) < 0.01
    assert len(metadata.data_fingerprint) == 64


async def test_what_training_wrote_is_served(trained: Path) -> None:
    service = LyricsService.from_checkpoint(trained, max_queue=1)
    await service.start()
    updates = [update async for update in service.stream(make_request(header=Header(title="Sea")))]
    await service.close()
    assert isinstance(updates[-1], Finished)
    assert updates[-1].songs[0].lyric.startswith("two lanterns")


def test_a_checkpoint_is_fine_tuned_and_its_loss_falls(trained: Path, songs: Path, tmp_path: Path) -> None:
    output = tmp_path / "tuned"
    config = {"data": songs, "output": output, "base": str(trained), "epochs": 4, "learning_rate": 5e-3}
    fit(FitConfig.model_validate(config), tmp_path / "current")
    before, after = Checkpoint.open(trained).metadata, Checkpoint.open(output).metadata
    assert before is not None
    assert after is not None
    assert after.base == "tiny"
    assert "n_layer" in before.training
    assert "n_layer" not in after.training
    assert after.evaluation["eval_loss"] < before.evaluation["eval_loss"] - 0.5


def test_what_is_of_no_use_is_not_served_but_says_why_and_how_it_would_be(
    trained: Path,
    songs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    use(UseConfig(checkpoint=trained), CURRENT)
    # At this rate a model loses what it knew, and does not get as far as to learn anything else.
    output, ruin = tmp_path / "ruined one", {"epochs": 1, "learning_rate": 30, "max_grad_norm": 0, "progress": "json"}
    settings = {"data": songs, "output": output, "base": str(trained), "batch_size": 4, "samples": 0} | ruin
    fit(FitConfig.model_validate(settings), CURRENT)
    assert Checkpoint.open(CURRENT).path == trained
    assert Checkpoint.open(output).path == output
    assert not partial_folder(output).exists()
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["served"] is False
    (said,) = [message for message in caplog.messages if "is finished" in message]
    assert "it foresees the songs held out worse than tiny, with a perplexity per word of" in said
    assert f"python -m train use '{output}'" in said
    use(UseConfig(checkpoint=output), CURRENT)
    assert Checkpoint.open(CURRENT).path == output


def test_a_song_with_control_characters_never_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    song = "two lanterns\x1b[2J\x07\non the water\r"
    for kind in ("bar", "json"):
        with reporting(kind) as report:
            report(ProgressEvent(event="evaluation", step=1, steps=2, validation_loss=1.0, sample=song))
    shown = capsys.readouterr()
    assert "two lanterns\ufffd[2J\ufffd\non the water\ufffd" in shown.err
    assert json.loads(shown.out)["sample"] == "two lanterns\ufffd[2J\ufffd\non the water\ufffd"


def test_special_tokens_are_added_to_a_base_like_openais(songs: Path, tmp_path: Path) -> None:
    base = save_tiny_checkpoint(tmp_path / "plain", start_token=None)
    rows = AutoModelForCausalLM.from_pretrained(base).config.vocab_size
    fit(
        FitConfig.model_validate({"data": songs, "output": tmp_path / "tuned", "base": str(base), "epochs": 1}),
        tmp_path / "current",
    )
    tuned = AutoModelForCausalLM.from_pretrained(tmp_path / "tuned")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tuned")
    assert tuned.config.vocab_size == rows + 1
    assert tokenizer.convert_tokens_to_ids(BOS_TOKEN) == rows
    assert tokenizer.convert_tokens_to_ids(EOS_TOKEN) != rows


def test_a_base_that_is_no_gpt2_leaves_nothing_behind(tiny_checkpoint: Path, songs: Path, tmp_path: Path) -> None:
    base = tmp_path / "opt"
    config = OPTConfig(vocab_size=320, hidden_size=16, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2)
    OPTForCausalLM(config).save_pretrained(base)
    AutoTokenizer.from_pretrained(tiny_checkpoint).save_pretrained(base)
    with pytest.raises(CheckpointError, match="is a opt, and training knows gpt2, llama, qwen2"):
        fit(
            FitConfig.model_validate({"data": songs, "output": tmp_path / "out", "base": str(base)}),
            tmp_path / "current",
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["opt"]


def test_songs_whose_lines_are_all_too_long_say_so(tiny_checkpoint: Path, tmp_path: Path) -> None:
    rng = random.Random(1)  # noqa: S311
    words = " ".join(VERSES).split()
    songs = tmp_path / "songs.txt"
    songs.write_text("\n---\n".join(" ".join(rng.choices(words, k=300)) for _ in range(4)), encoding="utf-8")
    with pytest.raises(LyricsError, match=r"No line of the songs to learn fits in the 128 tokens .* a larger context"):
        fit(
            FitConfig.model_validate({"data": songs, "output": tmp_path / "out", "base": str(tiny_checkpoint)}),
            tmp_path / "current",
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["songs.txt"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes in fp16")
def test_fp16_without_a_gpu_says_what_to_use_instead(songs: Path, tmp_path: Path) -> None:
    config = TINY | {"data": songs, "output": tmp_path / "out", "from_scratch": True, "precision": "fp16"}
    with pytest.raises(PrecisionError, match="use bf16, fp32 or auto"):
        fit(FitConfig.model_validate(config), tmp_path / "current")
    assert not list(tmp_path.iterdir())


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["python -m train", *map(str, arguments)])
    return main()


def test_all_bad_arguments_are_reported_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = run_main(monkeypatch, "fit", "x.txt", "--output", tmp_path, "--epochs", -1, "--batch-size", 0, "--seed", "a")
    error = capsys.readouterr().err
    assert code == 2
    assert all(name in error for name in ("output", "epochs", "batch_size", "seed"))


def test_a_width_that_the_heads_do_not_divide_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_main(monkeypatch, "fit", "x.txt", "--output", tmp_path / "new", "--n-embd", 30, "--n-head", 4) == 2
    assert "--n-embd (30) must be a multiple of --n-head (4)" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["fit"], ["fit", "missing.txt", "--output", "new"], ["fit", "--nonsense"]])
def test_a_bad_command_line_ends_with_code_2_and_no_traceback(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = run_main(monkeypatch, *arguments)
    except SystemExit as exit_:  # argparse itself
        code = int(exit_.code or 0)
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_defaults_are_the_design_cards(tmp_path: Path) -> None:
    config = FitConfig(data=("x",), output=tmp_path / "y")
    card = {"base": "openai-community/gpt2", "batch_size": 2, "epochs": 5, "precision": "auto"}
    assert json.loads(config.model_dump_json(include=set(card))) == card


def test_ctrl_c_while_measuring_says_what_resume_does(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TINY | {"epochs": 1, "data": songs, "output": tmp_path / "tiny", "from_scratch": True, "samples": 0}

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "report_run", press)
        with pytest.raises(LyricsError, match=r"All that was learnt is saved: the same command with --resume"):
            fit(FitConfig.model_validate(settings), tmp_path / "current")
    assert not (tmp_path / "tiny").exists()
    fit(FitConfig.model_validate(settings | {"resume": True}), tmp_path / "current")
    assert (tmp_path / "tiny" / "lyrics.json").exists()
