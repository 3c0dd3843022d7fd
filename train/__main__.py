"""The command line: ``python -m train fit DATA --output checkpoints/NAME``, ``evaluate`` and ``compare``."""

import logging
import sys

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliApp, CliSubCommand, SettingsConfigDict, SettingsError, get_subcommand

from model.checkpoint import CURRENT
from model.errors import LyricsError, describe_violations
from train.config import FitConfig
from train.evaluation_config import CompareConfig, EvaluateConfig


class Train(BaseSettings):
    """Train GPT-2 on lyrics, and measure what came of it."""

    model_config = SettingsConfigDict(
        cli_prog_name="python -m train",
        cli_parse_args=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )

    fit: CliSubCommand[FitConfig]
    evaluate: CliSubCommand[EvaluateConfig]
    compare: CliSubCommand[CompareConfig]


def main() -> int:
    """Run the command that the arguments name; return the exit code, 2 where they or the data are bad."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _run(get_subcommand(CliApp.run(Train), cli_exit_on_error=False))
    except ValidationError as error:
        print(describe_violations(error), file=sys.stderr)
        return 2
    except (LyricsError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(config: object) -> None:
    # Torch and transformers take seconds to import, which --help and a bad argument need not wait for.
    from train.commands import compare, evaluate  # noqa: PLC0415
    from train.fit import fit  # noqa: PLC0415

    match config:
        case FitConfig():
            fit(config, CURRENT)
        case EvaluateConfig():
            evaluate(config)
        case CompareConfig():
            compare(config)


if __name__ == "__main__":
    sys.exit(main())
