"""The host's settings, as they are read at the start: what is taken for misspelt, and what is left alone."""

import logging
from pathlib import Path

import pytest

from bot.config import Config
from bot.startup.command_line import parse_arguments
from bot.startup.reading import misspelt, read_config, warn_of_unknown_names
from model import SettingsError


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in an empty folder, with none of the settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAX_BATHC", "MAX_BATCH"),
        ("max_batchs", "MAX_BATCH"),
        ("DISCORD_BOT_TOKEN", "DISCORD_TOKEN"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("CEILING_MAX_LENGHT", "CEILING_MAX_LENGTH"),
        ("REQUEST_TIMOUT", "REQUEST_TIMEOUT"),
        ("RETENTIONDAYS", "RETENTION_DAYS"),
    ],
)
def test_a_near_miss_is_answered_wherever_it_stands(name: str, meant: str) -> None:
    assert misspelt({name: "1"}, []) == [f"{name}, in the environment, is no setting: did you mean {meant}?"]
    assert misspelt({}, [name]) == [f"{name}, in .env, is no setting: did you mean {meant}?"]


@pytest.mark.parametrize("name", ["MODE", "MODELS", "DATABASE_URL", "DATABASES", "PORT", "MAX_BATCH_SIZE", "HF_TOKEN"])
def test_the_environment_is_everybodys_and_the_file_is_the_bots(name: str) -> None:
    assert misspelt({name: "1"}, []) == []


def test_in_the_file_a_plain_word_may_be_misspelt_too() -> None:
    assert misspelt({}, ["MODLE"]) == ["MODLE, in .env, is no setting: did you mean MODEL?"]


def test_a_neighbour_of_a_setting_that_is_there_is_somebody_elses() -> None:
    assert misspelt({"DISCORD_TOKEN": "a", "DISCORD_TOKEN_2": "b"}, ["DISCORD_BOT_TOKEN"]) == []


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MODLE=a\nMAX_QUEUE=0\n", encoding="utf-8")
    monkeypatch.setenv("MAX_BATHC", "4")
    with pytest.raises(SettingsError) as caught:
        read_config()
    assert str(caught.value).splitlines() == [
        "Please correct these settings:",
        "max_queue: Input should be greater than or equal to 1 (got '0')",
        "MODLE, in .env, is no setting: did you mean MODEL?",
        "MAX_BATHC, in the environment, is no setting: did you mean MAX_BATCH?",
    ]


def test_a_name_in_the_file_that_is_like_no_setting_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    Path(".env").write_text("EDITOR=vi\nMAX_QUEUE=7\n", encoding="utf-8")
    assert read_config().max_queue == 7
    with caplog.at_level(logging.WARNING):
        warn_of_unknown_names()
    assert caplog.messages == [".env has EDITOR: no settings of the bot's, so they do nothing"]


def test_a_mark_of_utf_8_at_the_beginning_hides_no_setting() -> None:
    Path(".env").write_text("MAX_QUEUE=7\n", encoding="utf-8-sig")
    assert read_config().max_queue == 7


def test_a_file_in_another_encoding_is_explained() -> None:
    Path(".env").write_text("MAX_QUEUE=7\n", encoding="utf-16")
    with pytest.raises(SettingsError, match=r"^\.env is no UTF-8 text .*: save it as UTF-8\.$"):
        read_config()


def test_help_has_every_setting_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0
    flat = " ".join(said.split())
    assert [
        name for name, field in Config.model_fields.items() if f"{name.upper()} {field.description}" not in flat
    ] == []


@pytest.mark.parametrize("argument", ["--hlep", "-v"])
def test_an_argument_that_is_not_known_is_answered(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments([argument])
    assert caught.value.code == 2
    assert f"unknown argument: {argument}" in capsys.readouterr().err


def test_a_command_that_is_not_known_is_answered_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["start"])
    assert caught.value.code == 2
    assert "invalid choice: 'start' (choose from" in capsys.readouterr().err
