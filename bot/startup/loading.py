"""From the host's settings to a model that writes."""

import asyncio
import logging
from pathlib import Path

from bot.config import Config
from model import CURRENT, STARTER, Checkpoint, CheckpointError, EngineOptions, LyricsService, locate

log = logging.getLogger(__name__)


async def start_service(config: Config) -> LyricsService:
    """Load the model that is to be served; the starter where ``checkpoints/current`` cannot be.

    Raises:
        LyricsError: Where there is no such model, or the machine or the settings do not suit it.
    """
    source = locate(config.model)
    try:
        return await _load(source, config)
    except CheckpointError as error:
        if source != CURRENT:
            raise
        log.warning("%s cannot be served, so the starter is: %s", CURRENT, error)
        return await _load(STARTER, config)


async def _load(source: str | Path, config: Config) -> LyricsService:
    log.info("Looking for the model %s", source)
    checkpoint = await asyncio.to_thread(Checkpoint.open, source)
    service = LyricsService.from_checkpoint(
        checkpoint,
        max_queue=config.max_queue,
        timeout=config.request_timeout,
        options=EngineOptions(
            max_batch=config.max_batch,
            kv_cache_gb=config.kv_cache_gb,
            precision=config.precision,
            penalizes=config.repetition_penalty_on,
            choruses_return=config.returning_choruses,
        ),
    )
    log.info(
        "Loading %s: some seconds; up to a minute where this is the first start, which compiles for this processor",
        checkpoint.name,
    )
    await service.start()
    log.info("Serving %s", checkpoint.path)
    return service
