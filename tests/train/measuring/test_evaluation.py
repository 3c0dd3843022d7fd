import json
from pathlib import Path

import pytest

from model import Checkpoint, Header
from model.song import Song
from tests.conftest import VERSES, make_metadata, save_tiny_checkpoint
from train.__main__ import main
from train.measuring.evaluation import Evaluation, Evaluator, Sample
from train.measuring.report import render_table, write_report
from train.songs.split import Split
from train.songs.table_on_disk import Songs

SONGS = [Song(Header(title=f"Song {n}", mood="calm"), f"[Verse 1]\n{VERSES[n % 2]}\nnumber {n}") for n in range(12)]
HISTORY = [
    {"loss": 5.0, "epoch": 0.5, "step": 25},
    {"eval_loss": 4.5, "epoch": 1.0, "step": 50},
    {"loss": 3.0, "epoch": 1.5, "step": 75},
    {"eval_loss": 4.7, "epoch": 2.0, "step": 100},
    {"eval_loss": 4.5, "epoch": 2.0, "step": 100},
]


SPLIT = Split(train=Songs.of(SONGS[:-4]), validation=Songs.of(SONGS[-4:]))


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "songs.txt"
    file.write_text("\n".join(map(str, SONGS)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def evaluation(tiny_checkpoint: Path) -> Evaluation:
    return Evaluator(Checkpoint.open(tiny_checkpoint), SPLIT).evaluate(samples=5)


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["python -m train", *map(str, arguments)])
    return main()


def test_an_evaluation_is_whole_and_repeats_itself(evaluation: Evaluation, tiny_checkpoint: Path) -> None:
    numbers = evaluation.numbers()
    assert numbers["songs"] == 5
    assert numbers["word_perplexity"] > numbers["perplexity"] > 1
    shares = (
        *("clean_endings", "whole_songs", "whole_songs_default", "distinct_1", "rhyming_lines", "archaic"),
        *("copied_runs", "subject_returns", "circling", "unknown_words", "unbalanced"),
    )
    assert all(0 <= numbers[name] <= 1 for name in shares)
    assert numbers["whole_songs"] <= numbers["clean_endings"]
    again = Evaluator(Checkpoint.open(tiny_checkpoint), SPLIT).evaluate(samples=5)
    assert again == evaluation


def test_evaluate_prints_a_table(
    songs: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "evaluate", tiny_checkpoint, songs, "--samples", 2) == 0
    output = capsys.readouterr().out
    assert "| Perplexity per word" in output
    assert "Songs held out" in output
    assert len({len(line) for line in output.splitlines() if line.startswith("|")}) == 1


def test_compare_prints_json_without_samples_where_asked(
    songs: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_main(monkeypatch, "compare", tiny_checkpoint, tiny_checkpoint, songs, "--samples", 0, "--json")
    first, second = json.loads(capsys.readouterr().out)
    assert code == 0
    assert first == second
    assert set(first) == {"checkpoint", "loss", "perplexity", "word_perplexity"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "no/such/folder", "{songs}"], "no checkpoint folder at 'no/such/folder'"),
        (["evaluate", "{checkpoint}", "none.txt"], "none.txt: there is no such file"),
        (["compare", "{checkpoint}", "no/such/folder", "{songs}"], "no checkpoint folder at 'no/such/folder'"),
        (["evaluate", "{checkpoint}", "{songs}", "--samples", "-1"], "samples: Input should be greater"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_code_2(
    arguments: list[str],
    message: str,
    songs: Path,
    tiny_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [argument.format(songs=songs, checkpoint=tiny_checkpoint) for argument in arguments]
    assert run_main(monkeypatch, *filled) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "Traceback" not in error


def test_the_better_value_is_bold_where_it_means_something(evaluation: Evaluation) -> None:
    worse = Evaluation("worse", type(evaluation.likelihood)(9e3, 10, 10), None, evaluation.held_out)
    rows = {line.split("|")[1].strip(): line for line in render_table([worse, evaluation]).splitlines()}
    assert rows["Perplexity per word"].count("**") == 2
    assert f"**{evaluation.likelihood.word_perplexity:.1f}**" in rows["Perplexity per word"]
    assert "**" not in rows["Loss per token, nats"]


def test_the_report_has_curves_table_and_samples(evaluation: Evaluation, tmp_path: Path) -> None:
    samples = [Sample(temperature, "title: Sea\n", "la ```\nlo") for temperature in (0.4, 0.7, 1.0)]
    write_report(tmp_path, HISTORY, evaluation, evaluation, samples)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "lowest, 4.500, after epoch 1 of 2. It rose after that" in report
    assert report.count("### Temperature") == 3
    assert "Prompt: `title: Sea`" in report
    assert "    la ```\n    lo" in report


def test_without_losses_there_is_no_chart(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(tmp_path, [], evaluation, None, [])
    assert [file.name for file in tmp_path.iterdir()] == ["report.md"]


def test_the_songs_are_chosen_as_when_the_checkpoint_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "tiny")
    metadata = make_metadata(training={"where": ["kind=song"], "validation_fraction": 0.5})
    (checkpoint / "lyrics.json").write_text(metadata.model_dump_json(), encoding="utf-8")
    kinds = ["song"] * 4 + ["essay"] * 6
    rows = [
        {"lyrics": f"{song.lyric}\n{n * 'la '}", "kind": kind}
        for n, (song, kind) in enumerate(zip(SONGS, kinds, strict=False))
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    caplog.set_level("INFO")
    assert run_main(monkeypatch, "evaluate", checkpoint, data, "--samples", 0) == 0
    assert "of 4" in caplog.text
    assert run_main(monkeypatch, "evaluate", checkpoint, data, "--samples", 0, "--where", "kind=essay") == 0
    assert "of 6" in caplog.text
