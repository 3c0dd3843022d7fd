"""``evaluate``: what is measured of one checkpoint."""

import json

from train.measuring.checkpoints import as_json, as_text, measure
from train.measuring.config import EvaluateConfig


def evaluate(config: EvaluateConfig) -> None:
    """Print the measurements; raises as ``measure`` does."""
    (evaluation,) = measure(config, config.checkpoint)
    print(json.dumps(as_json(evaluation), indent=2) if config.as_json else as_text(evaluation))
