"""The loop as a whole: interrupted, resumed, shared by processes, watched; each run is a tiny model on the CPU."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from model import Checkpoint, Metadata
from model.errors import LyricsError
from tests.conftest import save_tiny_checkpoint
from tests.train.conftest import write_shuffled_songs
from train.commands.fit import fit
from train.config import FitConfig
from train.learning.loop import songs_per_step, training_arguments
from train.learning.partial_run import DiskError, PartialRun, ResumeError
from train.learning.progress import ProgressEvent

ROOT = Path(__file__).parents[3]
SETTINGS: dict[str, Any] = {
    "batch_size": 4,
    "step_tokens": 0,
    "epochs": 3,
    "learning_rate": 1e-3,
    "eval_steps": 4,
    "log_steps": 1,
    "samples": 0,
    "seed": 3,
}


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shuffled_songs(tmp_path_factory.mktemp("data") / "songs.txt", count=42, num_lines=5)


def config(songs: Path, base: Path, output: Path, **changes: object) -> FitConfig:
    return FitConfig.model_validate(SETTINGS | {"data": songs, "base": str(base), "output": output} | changes)


def arguments(settings: FitConfig) -> list[str]:
    named = settings.model_dump(mode="json", exclude={"data"}, exclude_unset=True).items()
    options = [
        f"--{name.replace('_', '-')}" if value is True else f"--{name.replace('_', '-')}={value}"
        for name, value in named
    ]
    return ["-m", "train", "fit", *settings.data, *options]


def command(settings: FitConfig, *launcher: str) -> list[str]:
    return [sys.executable, *launcher, *arguments(settings)]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def run(settings: FitConfig, cwd: Path, *launcher: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        command(settings, *launcher),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def metadata(folder: Path) -> Metadata:
    found = Checkpoint.open(folder).metadata
    assert found is not None
    return found


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder)
    return model.state_dict()


@pytest.fixture(scope="module")
def whole(songs: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that nobody interrupts gives."""
    output = tmp_path_factory.mktemp("whole") / "out"
    fit(config(songs, tiny_checkpoint, output), output.parent / "current")
    return output


def test_an_uninterrupted_run_leaves_its_output_alone(whole: Path) -> None:
    assert {entry.name for entry in whole.parent.iterdir()} == {"out", "current"}


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(
    stop: signal.Signals, songs: Path, tiny_checkpoint: Path, whole: Path, tmp_path: Path
) -> None:
    settings = config(songs, tiny_checkpoint, tmp_path / "out", progress="json")
    with subprocess.Popen(  # noqa: S603
        command(settings), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            # Past the first epoch, in the midst of the second, and past the last checkpoint but one.
            if json.loads(line)["step"] == 14:
                process.send_signal(stop)
                break
        _, error = process.communicate(timeout=60)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "checkpoints").exists()
    if stop != signal.SIGKILL:
        assert process.returncode == 2
        assert re.search(r"Stopped at step 1[4-6] of 30, which is saved: go on with --resume", error)
    assert PartialRun(settings.output).checkpoints()

    resumed = run(settings.model_copy(update={"resume": True}), tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    steps = [json.loads(line)["step"] for line in resumed.stdout.splitlines()]
    assert steps[0] >= (12 if stop == signal.SIGKILL else 14)
    assert metadata(tmp_path / "out").evaluation == pytest.approx(metadata(whole).evaluation, rel=1e-6)
    for name, tensor in weights(tmp_path / "out").items():
        torch.testing.assert_close(tensor, weights(whole)[name], rtol=1e-5, atol=1e-6)
    assert not PartialRun(settings.output).folder.exists()


def cut_power(settings: FitConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until past the first checkpoint, and leave a half-written one beside it."""

    def fail(event: ProgressEvent) -> None:
        if event.step > 5:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("train.commands.fit.reporting", lambda _: nullcontext(fail))
        with pytest.raises(RuntimeError, match="power cut"):
            fit(settings, settings.output.parent / "current")
    partial = PartialRun(settings.output)
    assert [path.name for path in partial.checkpoints()] == ["checkpoint-4"]
    (partial.saving / "checkpoint-8").mkdir(parents=True)


@pytest.fixture
def unfinished(songs: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FitConfig:
    """The settings of a run that has a checkpoint at step 4."""
    settings = config(songs, tiny_checkpoint, tmp_path / "out")
    cut_power(settings, monkeypatch)
    return settings


def test_an_unfinished_run_is_not_overwritten(unfinished: FitConfig, tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"unfinished run, at step 4: add --resume"):
        fit(unfinished, tmp_path / "current")


def test_resuming_with_other_settings_or_songs_names_what_differs(unfinished: FitConfig, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(
        Path(unfinished.data[0]).read_text(encoding="utf-8") + "one more song<|endoftext|>", encoding="utf-8"
    )
    changes = {"resume": True, "learning_rate": 2e-3, "seed": 4, "data": (str(other),)}
    with pytest.raises(ResumeError) as caught:
        fit(unfinished.model_copy(update=changes), tmp_path / "current")
    message = str(caught.value)
    assert "--learning-rate was 0.001 and is 0.002" in message
    assert "--seed was 3 and is 4" in message
    assert "the songs are not the same" in message
    assert "--batch-size" not in message


def test_what_does_not_change_the_result_may_differ(unfinished: FitConfig, whole: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.txt"
    moved.write_bytes(Path(unfinished.data[0]).read_bytes())
    changes = {"resume": True, "data": (str(moved),), "progress": "none", "log_steps": 7}
    fit(unfinished.model_copy(update=changes), tmp_path / "current")
    assert metadata(unfinished.output).evaluation == pytest.approx(metadata(whole).evaluation, rel=1e-6)
    assert not PartialRun(unfinished.output).folder.exists()


def test_nothing_to_resume_says_so_and_leaves_nothing(songs: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"nothing to resume in .*out\.partial: leave out --resume"):
        fit(config(songs, tiny_checkpoint, tmp_path / "out", resume=True), tmp_path / "current")
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_killed_before_it_can_tell_of_its_output_is_ended_by_resume(
    unfinished: FitConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    resumed = unfinished.model_copy(update={"resume": True})
    with monkeypatch.context() as patch:
        patch.setattr("train.commands.fit.point_current", kill)
        with pytest.raises(KeyboardInterrupt):
            fit(resumed, tmp_path / "current")
    assert unfinished.output.exists()
    again = FitConfig.model_validate(unfinished.model_dump())
    with pytest.raises(ResumeError, match="killed before its end: add --resume"):
        fit(again, tmp_path / "current")
    fit(FitConfig.model_validate(resumed.model_dump()), tmp_path / "current")
    assert Checkpoint.open(tmp_path / "current").path == unfinished.output
    assert not PartialRun(unfinished.output).folder.exists()


def test_two_runs_do_not_write_to_one_output(unfinished: FitConfig, tmp_path: Path) -> None:
    first = PartialRun(unfinished.output)
    record = (first.folder / "run.json").read_bytes()
    first.begin(unfinished, "", num_parameters=1)
    (first.folder / "run.json").write_bytes(record)
    with pytest.raises(ResumeError, match="Another run is writing to"):
        fit(unfinished.model_copy(update={"resume": True}), tmp_path / "current")
    assert first.checkpoints()
    first.tidy()
    fit(unfinished.model_copy(update={"resume": True}), tmp_path / "current")
    assert unfinished.output.exists()


def test_a_full_disk_is_one_sentence_and_the_last_checkpoint_stays_whole(
    songs: Path, tiny_checkpoint: Path, whole: Path, tmp_path: Path
) -> None:
    # A limit on a file's size fails as a full disk does, in the same calls; the optimizer's file is the largest.
    limit = (whole / "model.safetensors").stat().st_size * 3 // 2
    script = (
        "import resource, signal, sys, train.__main__ as m; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); sys.exit(m.main())"
    )
    settings = config(songs, tiny_checkpoint, tmp_path / "out")
    failed = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script, *arguments(settings)[2:]],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert failed.returncode == 2
    assert "could not be written" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_later_leaves_the_checkpoint_before(
    unfinished: FitConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    resumed = unfinished.model_copy(update={"resume": True})
    for call in ("transformers.trainer.torch.save", "train.commands.fit.write_metadata"):
        with monkeypatch.context() as patch:
            patch.setattr(call, fail)
            with pytest.raises(DiskError, match=r"No space left on device.*--resume"):
                fit(resumed, tmp_path / "current")
        names = {path.name for path in PartialRun(unfinished.output).checkpoints()}
        assert "checkpoint-4" in names or "checkpoint-30" in names
    assert not unfinished.output.exists()
    assert not (tmp_path / "current").exists()
    fit(resumed, tmp_path / "current")
    assert Checkpoint.open(tmp_path / "current").path == unfinished.output


def test_a_disk_without_room_is_seen_before_training(
    songs: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(DiskError, match=r"needs \d+ MB .* the disk has 0 MB left"):
        fit(config(songs, tiny_checkpoint, tmp_path / "out"), tmp_path / "current")
    assert not list(tmp_path.iterdir())


def test_two_processes_learn_what_one_learns(songs: Path, tmp_path: Path) -> None:
    # Without dropout, whose random numbers are each process's own; what is left is the order of sums.
    base = save_tiny_checkpoint(tmp_path / "base")
    for name, launcher in {
        "one": (),
        "two": ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
    }.items():
        settings = config(songs, base, tmp_path / name, dropout=0, progress="json", patience=9)
        done = run(settings, tmp_path, *launcher)
        assert done.returncode == 0, done.stderr
        events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
        assert events.count("start") == events.count("finished") == 1
        assert Checkpoint.open(tmp_path / "checkpoints/current").path == tmp_path / name
    one, two = (metadata(tmp_path / name).evaluation for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-4)


def test_too_few_songs_for_the_passes_is_said(songs: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(LyricsError, match="make it 8 or more"):
        fit(config(songs, tiny_checkpoint, tmp_path / "out", gradient_accumulation=8), tmp_path / "current")
    assert not list(tmp_path.iterdir())


def test_passes_do_not_change_the_result(songs: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    runs: dict[str, dict[str, object]] = {
        "one": {},
        "two": {"gradient_accumulation": 2, "activation_checkpointing": True},
        "packed": {"batching": "pack"},
    }
    for name, changes in runs.items():
        fit(
            config(songs, tiny_checkpoint, tmp_path / name, dropout=0, epochs=1, progress="none", **changes),
            tmp_path / "current",
        )
    one, two = (metadata(tmp_path / name).evaluation["eval_loss"] for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-5)
    # Packing draws other songs for each step.
    assert metadata(tmp_path / "packed").evaluation["eval_loss"] == pytest.approx(one, rel=0.05)


def test_short_samples_fill_a_step_and_songs_do_not(tmp_path: Path) -> None:
    settings = FitConfig.model_validate({"data": "x", "output": tmp_path / "out", "learning_rate": 5e-5})
    partial = PartialRun(settings.output)
    assert songs_per_step(settings, [300, 340]) == 2
    assert songs_per_step(settings, [12] * 100) == 16
    assert songs_per_step(settings, [12] * 5) == 5
    assert songs_per_step(settings.model_copy(update={"step_tokens": 0}), [12] * 100) == 2
    assert training_arguments(settings, partial, 2).learning_rate == 5e-5
    assert training_arguments(settings, partial, 16).learning_rate == pytest.approx(5e-5 * 8**0.75)


def test_json_lines_say_all_that_a_program_needs(
    songs: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(config(songs, tiny_checkpoint, tmp_path / "out", progress="json"), tmp_path / "current")
    events = [ProgressEvent.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event.event for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "finished"
    assert kinds.count("step") == 30
    assert kinds.count("evaluation") == kinds.count("saved") == 8  # every 4 of 30 steps, and the last
    step = next(event for event in events if event.event == "step" and event.step == 20)
    assert step.steps == 30
    assert step.epoch == 2
    assert step.loss is not None
    assert step.tokens_per_second is not None
    assert step.tokens_per_second > 100
    assert step.eta_seconds is not None
    assert 0 < step.eta_seconds < 60
    evaluation = next(event for event in events if event.event == "evaluation")
    assert evaluation.sample
    assert events[-1].output == str(tmp_path / "out")
    assert events[-1].validation_loss == metadata(tmp_path / "out").evaluation["eval_loss"]


def test_the_bar_shows_loss_speed_and_a_sample(
    songs: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(config(songs, tiny_checkpoint, tmp_path / "out", epochs=1), tmp_path / "current")
    output = capsys.readouterr()
    assert re.search(r"step 10/10 \[.*<.*, loss \d\.\d{3}, [\d,]+ tokens/s\]", output.err)
    assert "step 4: validation loss" in output.err
    assert output.out.startswith(f"{tmp_path / 'out'}: validation loss")


def test_training_ends_early_and_keeps_the_best(
    songs: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The rate climbs until nothing is learnt any more.
    changes = {"learning_rate": 3.0, "warmup_ratio": 0.9, "patience": 2, "progress": "json"}
    fit(config(songs, tiny_checkpoint, tmp_path / "out", **changes), tmp_path / "current")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    losses = [event["validation_loss"] for event in events if event["event"] == "evaluation"]
    assert len(losses) < 8
    assert min(losses) == losses[-3] == metadata(tmp_path / "out").evaluation["eval_loss"]
