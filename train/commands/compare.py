"""``compare``: what is measured of two checkpoints, side by side."""

import json

from train.measuring.checkpoints import as_json, as_text, measure
from train.measuring.config import CompareConfig


def compare(config: CompareConfig) -> None:
    """Print the measurements; raises as ``measure`` does."""
    evaluations = measure(config, config.first, config.second)
    print(json.dumps([*map(as_json, evaluations)], indent=2) if config.as_json else as_text(*evaluations))
