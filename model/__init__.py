"""Serves a fine-tuned GPT-2: requests in, streams of lyrics out. Importing this does not import torch."""

from model.checkpoint.folder import CURRENT, STARTER, Checkpoint, Metadata, locate
from model.engines.interface import Engine, EngineOptions, FinishReason, GeneratedSong, Request
from model.errors import (
    CheckpointError,
    GenerationStopped,
    LyricsError,
    ModelNotReady,
    PromptTooLong,
    QueueFull,
    SettingsError,
    SongFailed,
    describe_violations,
)
from model.sampling.params import SamplingParams
from model.service import Failed, Finished, Health, LyricsService, Progress, Queued, RequestStream, Timings, Update
from model.song import HEADER_FIELDS, Header

__all__ = [
    "CURRENT",
    "HEADER_FIELDS",
    "STARTER",
    "Checkpoint",
    "CheckpointError",
    "Engine",
    "EngineOptions",
    "Failed",
    "FinishReason",
    "Finished",
    "GeneratedSong",
    "GenerationStopped",
    "Header",
    "Health",
    "LyricsError",
    "LyricsService",
    "Metadata",
    "ModelNotReady",
    "Progress",
    "PromptTooLong",
    "QueueFull",
    "Queued",
    "Request",
    "RequestStream",
    "SamplingParams",
    "SettingsError",
    "SongFailed",
    "Timings",
    "Update",
    "describe_violations",
    "locate",
]
