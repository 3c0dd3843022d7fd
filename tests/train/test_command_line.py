"""The command line: names as they are typed, help that a person can read, and all that is wrong said at once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from train.__main__ import COMMANDS, main
from train.command_line import parse
from train.config import CheckConfig, FitConfig
from train.measuring.config import CompareConfig, SampleConfig

NAMES = ["Earth, Wind.txt", '"quoted".txt', "[1].txt", "true", "2024", "null", "{}", "a=b", "é ü.txt", "~x.txt"]


def read(*arguments: object) -> BaseModel:
    """Return the settings that the arguments make."""
    settings = parse("python -m train", "", COMMANDS, [*map(str, arguments)])
    assert isinstance(settings, BaseModel)
    return settings


def test_names_are_taken_as_they_are() -> None:
    settings = read("check", *NAMES)
    assert isinstance(settings, CheckConfig)
    assert settings.data == tuple(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from train.songs.reading import read_songs  # noqa: PLC0415 - it imports datasets, which the rest does without

    monkeypatch.chdir(tmp_path)
    Path(name).write_text("A lantern on the water\n---\nA lantern on the shore, and more\n", encoding="utf-8")
    settings = read("check", name)
    assert isinstance(settings, CheckConfig)
    assert len(read_songs(settings).songs) == 2


def test_a_value_may_have_anything_in_it_and_is_never_a_list() -> None:
    settings = read("fit", "x", "--output", "new", "--where", "artist=Earth, Wind", "--where", "views>=[1]")
    assert isinstance(settings, FitConfig)
    assert settings.where == ("artist=Earth, Wind", "views>=[1]")


def test_options_may_stand_before_between_and_behind_the_names() -> None:
    settings = read("compare", "--samples=3", "first", "second", "--seed", 7, "a.txt", "--json", "b.txt")
    assert isinstance(settings, CompareConfig)
    assert (settings.first, settings.second, settings.data) == ("first", "second", ("a.txt", "b.txt"))
    assert (settings.samples, settings.seed, settings.as_json) == (3, 7, True)
    assert settings.model_fields_set == {"samples", "first", "second", "seed", "data", "as_json"}


def test_a_flag_can_be_set_and_unset() -> None:
    on, off = (read("fit", "x", "--output", "new", flag) for flag in ("--resume", "--no-resume"))
    assert isinstance(on, FitConfig)
    assert isinstance(off, FitConfig)
    assert (on.resume, off.resume) == (True, False)


def test_the_home_folder_is_opened_where_no_shell_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read("fit", "x", "--output=~/mine")
    assert isinstance(settings, FitConfig)
    assert settings.output == tmp_path / "mine"


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="a name is empty: name a file, a folder or a dataset"):
        read("check", "songs.txt", "")


def test_a_prompt_may_begin_with_a_dash_and_be_empty() -> None:
    settings = read("sample", "here", "--prompt", "--- two", "--title", "")
    assert isinstance(settings, SampleConfig)
    assert (settings.prompt, settings.title) == ("--- two", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["chek"], "No such command 'chek'. Did you mean 'check'?"),
        (["fit", "x", "--epoch", "3"], "No such option '--epoch'. Did you mean '--epochs'?"),
        (["fit"], "Missing argument 'DATA...'"),
        (["check", "x", "--where"], "Option '--where' requires an argument"),
    ],
)
def test_what_is_not_known_is_answered(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["train", *arguments])
    assert main() == 2
    assert sentence in capsys.readouterr().err


def test_help_lists_every_command_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("python -m train", "", COMMANDS, ["--help"]) == 0
    lines = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert [line for line in lines if len(line.split()) < 4 or len(line) > 79] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_speaks_to_people(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("python -m train", "", COMMANDS, [command, "--help"]) == 0
    said = capsys.readouterr().out
    assert not re.search(r"tuple|null|None|\bstr\b|\bPath\b|pydantic|\(default: \)", said)
    flat = "".join(said.split())
    for key, field in COMMANDS[command].model_fields.items():
        assert (field.alias or key).replace("_", "-").lower() in flat.lower()
        assert "".join(str(field.description).split()) in flat


def test_help_and_a_bad_argument_wait_for_no_torch() -> None:
    code = (
        "import sys; sys.argv[1:] = ['fit', '--help']\n"
        "from train.__main__ import main\n"
        "assert main() == 0 and 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0  # noqa: S603
