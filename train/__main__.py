"""The command line: ``python -m train --help`` lists what it can do."""

import logging
import os
import sys

from pydantic import BaseModel, ValidationError

from model.checkpoint.folder import CURRENT
from model.errors import LyricsError, describe_violations
from model.terminal import for_terminal
from train.command_line import parse
from train.commands.use import use
from train.config import CheckConfig, ConvertConfig, FitConfig, UseConfig
from train.measuring.config import CompareConfig, EvaluateConfig, SampleConfig

COMMANDS: dict[str, type[BaseModel]] = {
    "check": CheckConfig,
    "fit": FitConfig,
    "evaluate": EvaluateConfig,
    "compare": CompareConfig,
    "sample": SampleConfig,
    "convert": ConvertConfig,
    "use": UseConfig,
}


class _Harmless(logging.Formatter):
    """Writes what a terminal may be shown, whatever a file is called or a model has written."""

    def format(self, record: logging.LogRecord) -> str:
        return for_terminal(super().format(record))


def main() -> int:
    """Run the command that the arguments name; return the exit code, 2 where they or the data are bad."""
    # torchrun and accelerate number their processes so; they all do the same, and the first one speaks.
    is_first = os.environ.get("RANK", "0") == "0"
    handler = logging.StreamHandler()
    handler.setFormatter(_Harmless("%(message)s"))
    logging.basicConfig(level=logging.INFO if is_first else logging.ERROR, handlers=[handler])
    try:
        config = parse("python -m train", "Train GPT-2 on lyrics, and measure what came of it.", COMMANDS, sys.argv[1:])
        if isinstance(config, int):
            return config
        _run(config)
    except ValidationError as error:
        print(for_terminal(describe_violations(error)), file=sys.stderr)
        return 2
    except LyricsError as error:
        if is_first:
            print(for_terminal(str(error)), file=sys.stderr)
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
        case ConvertConfig():
            from train.commands.convert import convert  # noqa: PLC0415

            convert(config)
        case UseConfig():
            use(config, CURRENT)


if __name__ == "__main__":
    sys.exit(main())
