"""The command line: ``python -m train check``, ``fit``, ``evaluate``, ``compare`` and ``sample``."""

import logging
import os
import sys

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliApp, CliSubCommand, SettingsConfigDict, SettingsError, get_subcommand

from model.checkpoint.folder import CURRENT
from model.errors import LyricsError, describe_violations
from train.config import CheckConfig, FitConfig
from train.measuring.config import CompareConfig, EvaluateConfig, SampleConfig


class Train(BaseSettings):
    """Train GPT-2 on lyrics, and measure what came of it."""

    model_config = SettingsConfigDict(
        cli_prog_name="python -m train",
        cli_parse_args=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )

    check: CliSubCommand[CheckConfig]
    fit: CliSubCommand[FitConfig]
    evaluate: CliSubCommand[EvaluateConfig]
    compare: CliSubCommand[CompareConfig]
    sample: CliSubCommand[SampleConfig]


def main() -> int:
    """Run the command that the arguments name; return the exit code, 2 where they or the data are bad."""
    # torchrun and accelerate number their processes so; they all do the same, and the first one speaks.
    is_first = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(level=logging.INFO if is_first else logging.ERROR, format="%(message)s")
    try:
        _run(get_subcommand(CliApp.run(Train), cli_exit_on_error=False))
    except ValidationError as error:
        print(describe_violations(error), file=sys.stderr)
        return 2
    except (LyricsError, SettingsError) as error:
        if is_first:
            print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # as shells have it: 128 and the signal's number
    return 0


def _run(config: object) -> None:
    # Torch and transformers take seconds to import, which --help and a bad argument need not wait for.
    match config:
        case CheckConfig():
            from train.commands.check import check  # noqa: PLC0415

            check(config)
        case FitConfig():
            from train.commands.fit import fit  # noqa: PLC0415

            fit(config, CURRENT)
        case EvaluateConfig():
            from train.commands.evaluate import evaluate  # noqa: PLC0415

            evaluate(config)
        case CompareConfig():
            from train.commands.compare import compare  # noqa: PLC0415

            compare(config)
        case SampleConfig():
            from train.commands.sample import sample  # noqa: PLC0415

            sample(config)


if __name__ == "__main__":
    sys.exit(main())
