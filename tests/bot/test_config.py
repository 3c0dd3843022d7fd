"""The host's settings: where they are read, what is said of bad ones, and that the example has them all."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.config import Config
from bot.sampling.layers import Ceilings, Layer
from bot.sampling.parameters import CEILED
from model import SamplingParams, describe_violations

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stand in an empty folder, with none of the settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_nothing_needs_to_be_set() -> None:
    assert Config().model_dump() == {name: field.default for name, field in Config.model_fields.items()}
    assert Config().discord_token is None


def test_settings_are_read_from_the_file_beside_the_bot() -> None:
    Path(".env").write_text("DISCORD_TOKEN=secret-token\nmax_queue=7\nDATABASE=data/x.db\n", encoding="utf-8")
    config = Config()
    assert config.discord_token is not None
    assert config.discord_token.get_secret_value() == "secret-token"
    assert (config.max_queue, config.database) == (7, Path("data/x.db"))


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MAX_QUEUE=7\nLOG_LEVEL=DEBUG\n", encoding="utf-8")
    monkeypatch.setenv("MAX_QUEUE", "8")
    assert (Config().max_queue, Config().log_level) == (8, "DEBUG")


def test_an_empty_value_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DISCORD_TOKEN=\nMODEL=\n", encoding="utf-8")
    monkeypatch.setenv("MAX_QUEUE", "")
    assert Config() == Config.model_construct()


def test_what_belongs_to_others_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("EDITOR=vi\n", encoding="utf-8")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert Config().max_queue == 50


def test_all_bad_values_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MAX_QUEUE=0\nPREVIEW_PORT=70000\n", encoding="utf-8")
    monkeypatch.setenv("SHUTDOWN_GRACE", "soon")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(ValidationError) as caught:
        Config()
    lines = describe_violations(caught.value).splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == [
        "log_level",
        "max_queue",
        "preview_port",
        "shutdown_grace",
    ]
    assert all(re.search(r"\(got '(0|70000|soon|LOUD)'\)$", line) for line in lines)


def test_the_token_is_never_printed() -> None:
    Path(".env").write_text("DISCORD_TOKEN=secret-token\n", encoding="utf-8")
    assert "secret-token" not in f"{Config()!r} {Config()} {Config().model_dump()}"


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Config.model_fields.items() if not field.description] == []


def test_the_example_names_every_setting_with_its_default() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    written = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert written == {
        name.upper(): "" if field.default is None else str(field.default) for name, field in Config.model_fields.items()
    }


def test_the_example_describes_every_setting_in_the_line_above() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    above = {name.partition("=")[0]: comment for comment, name in zip(["", *lines], lines, strict=False)}
    assert [name for name in Config.model_fields if not above[name.upper()].startswith("# ")] == []


def test_the_example_can_be_used_as_it_is() -> None:
    Path(".env").write_bytes(EXAMPLE.read_bytes())
    assert Config() == Config.model_construct()


def test_the_defaults_and_ceilings_of_the_host_are_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Config().layer == Layer("host")
    monkeypatch.setenv("DEFAULT_TEMPERATURE", "1.1")
    monkeypatch.setenv("DEFAULT_TOP_K", "0")
    monkeypatch.setenv("CEILING_MAX_LENGTH", "200")
    layer = Config().layer
    assert layer.params.model_dump(exclude_unset=True) == {"temperature": 1.1, "top_k": 0}
    assert layer.ceilings == Ceilings(max_length=200)


def test_every_parameter_but_the_seed_may_have_a_default_of_the_hosts_and_some_a_ceiling() -> None:
    parameters = [name for name in SamplingParams.model_fields if name != "seed"]
    assert {name for name in Config.model_fields if name.startswith("default_")} == {
        f"default_{name}" for name in parameters
    }
    assert {name for name in Config.model_fields if name.startswith("ceiling_")} == {
        f"ceiling_{name}" for name in CEILED
    }


@pytest.mark.parametrize("name", ["DEFAULT_TEMPERATURE", "CEILING_NUM_RETURN_SEQUENCES", "DEFAULT_TOP_P"])
def test_the_hosts_values_have_the_bounds_of_the_parameters(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "11")
    with pytest.raises(ValidationError, match=name.lower()):
        Config()


@pytest.mark.parametrize("name", CEILED)
def test_a_default_of_the_hosts_is_not_over_their_ceiling(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"CEILING_{name.upper()}", "1")
    monkeypatch.setenv(f"DEFAULT_{name.upper()}", "1")
    assert Config().layer.params.model_dump(exclude_unset=True) == {name: 1}
    monkeypatch.setenv(f"DEFAULT_{name.upper()}", "2")
    with pytest.raises(ValidationError) as caught:
        Config()
    assert describe_violations(caught.value) == (
        f"ceiling_{name}: DEFAULT_{name.upper()} is 2, which is over it: lower that, or raise this (got '1')"
    )
