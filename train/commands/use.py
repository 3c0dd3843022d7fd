"""``use``: which checkpoint the bot serves from its next start."""

from pathlib import Path

from model.checkpoint.folder import Checkpoint, point_current
from train.config import UseConfig


def use(config: UseConfig, current: Path) -> None:
    """Point ``current`` at the checkpoint.

    Raises:
        CheckpointError: Where there is none in that folder, or the link cannot be made.
    """
    point_current(Checkpoint.open(config.checkpoint).path, current)
    print(f"The bot serves {config.checkpoint} from its next start ({current} points there).")
