"""Serves a fine-tuned GPT-2: requests in, streams of lyrics out. Importing this does not import torch."""

from model.checkpoint import Checkpoint, Metadata, locate
from model.engine import Engine, FinishReason, GeneratedSong, GenerationRequest
from model.errors import (
    CheckpointError,
    GenerationStopped,
    LyricsError,
    ModelNotReady,
    PromptTooLong,
    QueueFull,
    describe_violations,
)
from model.sampling import SamplingParams
from model.service import Failed, Finished, LyricsService, Progress, Queued, Stream, Timings, Update
from model.song import HEADER_FIELDS, Header

__all__ = [
    "HEADER_FIELDS",
    "Checkpoint",
    "CheckpointError",
    "Engine",
    "Failed",
    "FinishReason",
    "Finished",
    "GeneratedSong",
    "GenerationRequest",
    "GenerationStopped",
    "Header",
    "LyricsError",
    "LyricsService",
    "Metadata",
    "ModelNotReady",
    "Progress",
    "PromptTooLong",
    "QueueFull",
    "Queued",
    "SamplingParams",
    "Stream",
    "Timings",
    "Update",
    "describe_violations",
    "locate",
]
